"""Does a passage answer a question? It has to hold what the question names, and to say something
of the kind that is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reasoning.analysis import Analysis, Term
from reasoning.entries import listing
from reasoning.evidence import Passage, is_instruction
from reasoning.measures import measures
from reasoning.nearness import Nearness
from reasoning.opposites import kept, opposed
from reasoning.sound import misheard, rhymes, sounds_like
from reasoning.values import has_form, times_left_out, values
from reasoning.words import (
    HYPONYMS,
    MONTHS,
    STOP,
    SYNONYMS,
    VERBS,
    WEEKDAYS,
    Word,
    amount,
    colours_of,
    does_it,
    inflected,
    stem,
    synonymous,
    words,
)

NEAR = 0.58  # cosine of two words from which they may stand for each other
_WEIGHTS = {"proper": 2.0, "number": 2.0, "noun": 1.5, "colour": 1.0, "verb": 0.3}
_LINES = 3  # of a screen, from which on it is read as a list
_SURE = 0.9  # of a word: itself, or one of the same meaning
_NAMELIKE = 0.2  # cosine with a common name from which a word is a name
_NAMES = ("john", "mary", "peter", "anna", "david", "laura", "maria", "thomas")
# A departure board seldom says what it is that departs.
_TRANSPORT = frozenset("train bus flight plane tram ferry coach".split())
_BOARDING = frozenset(
    "platform gate departs depart departure departures arrives arrival arrivals boarding".split()
)
_ENUMERATED = re.compile(r"^\s*\d{1,2}[.)]?\s+(?=[A-Z])")  # an agenda's "3 Budget"
_PLAINLY = frozenset("day time when moment elapsed number money person place thing".split())
_AUXILIARIES = frozenset("is was has had will would can could does did".split())
_DETERMINERS = frozenset("the a an my your his her our their this that".split())


class Matcher:
    """Fits passages to a question.

    `hears_wrong`: one required word may be another in speech, misheard, if the rest is there for
    certain; a name only if it is one of `strangers`, the names that are nowhere in memory.
    """

    def __init__(
        self,
        analysis: Analysis,
        near: Nearness,
        *,
        hears_wrong: bool = False,
        strangers: frozenset[str] = frozenset(),
    ) -> None:
        self.analysis = analysis
        self._near = near
        self._hears_wrong, self._strangers = hears_wrong, strangers
        offered = {w.lower for a in analysis.alternatives for w in words(a)}
        self._asked = {stem(w.lower) for w in words(analysis.text) if w.lower not in offered}

    def asking(self, analysis: Analysis) -> Matcher:
        """The same, for another question."""
        return Matcher(analysis, self._near)

    def hearing_wrong(self, strangers: frozenset[str]) -> Matcher:
        """The same, for what a recogniser may have misheard."""
        return Matcher(self.analysis, self._near, hears_wrong=True, strangers=strangers)

    def accepted(self, candidates: Iterable[Passage]) -> list[Passage]:
        """Those that hold every required word and a value of the asked kind, scored, best first."""
        fitted = [f for p in candidates if (f := self.fit(p)) is not None]
        fitted.sort(key=lambda p: (-p.score, len(p.text)))
        kept: list[Passage] = []
        for passage in fitted:
            if not any(_observed(passage) & _observed(k) for k in kept):
                kept.append(passage)
        return kept

    def fit(self, passage: Passage) -> Passage | None:
        """The passage with its score and values, or None if it does not answer."""
        if is_instruction(passage.text) and not self._asks_about(passage):
            return None
        if self.opposed(passage):
            return None
        screen = passage.main.kind == "screen_text"
        if screen:
            entry = self._entry(passage.text)
            if entry is None:
                return None
            passage = self.narrowed(replace(passage, text=entry))
        there = words(passage.text)
        score = 0.3 * max(s.similarity for s in passage.sources) - 0.2 * (len(passage.sources) - 1)
        missing: list[Term] = []
        for term in self.analysis.terms:
            strength = self.holds(term, there)
            if screen and not strength and term.stem in _TRANSPORT:
                strength = 0.8 * any(w.lower in _BOARDING for w in there)
            if term.required and not strength and not self._colour_left_out(term, passage.text):
                missing.append(term)
            score += strength * _WEIGHTS[term.role]
        heard_as = ""
        if missing:
            misheard_as = self._heard_wrong(missing, passage, there)
            if misheard_as is None:
                return None
            heard_as = misheard_as.written if missing[0].role == "proper" else ""
        if self.analysis.cue and not any(stem(w.lower) == stem(self.analysis.cue) for w in there):
            score -= 0.5
        found = self.said(passage)
        if not found:
            return None
        return replace(passage, score=score, values=tuple(found), heard_as=heard_as)

    def opposed(self, passage: Passage) -> bool:
        """Does it tell of the opposite of what is asked? "Is it open?" may be told by that."""
        plainly = self.analysis.asked in _PLAINLY
        return plainly and opposed(self.analysis.text, passage.text)

    def said(self, passage: Passage) -> list[str]:
        """What the passage says of the asked kind that the question does not say itself."""
        asked = self.analysis.asked
        if has_form(asked):
            screen = passage.main.kind == "screen_text"
            found = [v for v in values(asked, passage.text, screen=screen) if self._new(v)]
            found = [v for v in found if measures(v, passage.text, self.analysis.text)]
            return found or (self._priced(passage.text) if asked == "money" and screen else [])
        return [
            w.written for w in words(passage.text) if w.lower not in STOP and self._new(w.lower)
        ] or ([passage.text] if asked in ("count", "moment", "elapsed", "yesno", "screen") else [])

    def _priced(self, text: str) -> list[str]:
        """Amounts without a currency, as signs have them, beside what is asked about."""
        nouns = [t for t in self.analysis.required if t.role == "noun"]
        beside = [
            line
            for line in re.split(r"\n| / ", text)
            if any(self.holds(t, words(line)) for t in nouns)
        ]
        bare = [_ENUMERATED.sub("", times_left_out(line)) for line in beside]
        return [v for line in bare for v in values("number", line) if self._new(v)]

    def exact(self, passage: Passage) -> int:
        """How many of the question's verbs the passage says itself."""
        said = {stem(w.lower) for w in words(passage.text)}
        return sum(t.stem in said for t in self.analysis.terms if t.role == "verb")

    def holds(self, term: Term, there: Sequence[Word]) -> float:
        """How surely the words hold the term: 1 the word itself, less for one near it, 0 not."""
        best = 0.0
        for index, word in enumerate(there):
            if _another_noun(term, word, there[index - 1] if index else None):
                continue
            best = max(best, self._alike(term, word))
            if best == 1.0:
                return best
            if term.role == "noun" and index + 1 < len(there):
                best = max(best, 0.8 * (stem(word.lower + there[index + 1].lower) == term.stem))
            if term.role == "proper" and best < 0.8:
                joined = word.lower
                for following in there[index + 1 : index + 3]:
                    joined += following.lower
                    if len(joined) >= 6 and sounds_like(term.word, joined):
                        best = 0.8
        return best

    def _heard_wrong(
        self, missing: Sequence[Term], passage: Passage, there: Sequence[Word]
    ) -> Word | None:
        """The word that stands for the only one missing."""
        if not self._hears_wrong or len(missing) > 1 or passage.main.kind != "speech":
            return None
        (term,) = missing
        others = [(t, self.holds(t, there)) for t in self.analysis.required if t != term]
        if term.role == "noun":
            sure = any(
                (t.role in ("noun", "proper") or t.word.endswith("ing"))
                and self.holds(t, there) == 1.0
                for t in self.analysis.terms
                if t != term
            )
            pairs = zip(there, ["", *(w.lower for w in there)], strict=False)
            return next(
                (
                    w
                    for w, before in pairs
                    if sure
                    and (misheard(term.word, w.lower) or misheard(term.word, before + w.lower))
                ),
                None,
            )
        if term.word not in self._strangers or not others or min(h for _, h in others) < _SURE:
            return None
        return next(
            (
                w
                for w, after in zip(there, [*there[1:], None], strict=True)
                if w.capital
                and _acts(w, after, passage.text)
                and rhymes(term.word, w.lower)
                and not self._is_name(w.lower)
            ),
            None,
        )

    def _is_name(self, word: str) -> bool:
        """A name of its own, going by other names."""
        return max(self._near(word, name) for name in _NAMES) >= _NAMELIKE

    def _entry(self, text: str) -> str | None:
        """Of a screen that lists several things the one asked about, None if there is none such."""
        listed = listing(text)
        if listed is None:
            return text
        shared = words(listed.shared)
        held = {
            t: [bool(self.holds(t, words(e))) for e in listed.entries]
            for t in self.analysis.required
            if not self.holds(t, shared)
        }
        telling = [in_each for in_each in held.values() if any(in_each) and not all(in_each)]
        if not telling:
            return text
        kept = [e for n, e in enumerate(listed.entries) if all(in_each[n] for in_each in telling)]
        if not listed.apart and not any(self._labels(e) for e in kept):
            return text  # one thing's record, of which what is given names another line
        if not kept:
            return None if listed.apart else text
        return "\n".join([*filter(None, [listed.shared]), *kept])

    def _labels(self, entry: str) -> bool:
        label = words(entry.partition(":")[0])
        return any(self.holds(t, label) >= _SURE for t in self.analysis.terms)

    def narrowed(self, passage: Passage) -> Passage:
        """Of a screen of many lines the first, and those that hold most of what tells them apart;
        all where these say nothing of the asked kind, and none is labelled as what is asked of."""
        if passage.main.kind == "screen_text" and self.analysis.asked in _PLAINLY:
            passage = replace(passage, text=kept(self.analysis.text, passage.text))
        narrow = self._narrowed(passage)
        free = self.analysis.asked in ("person", "place", "reason")
        labelled = any(":" in line and self._labels(line) for line in narrow.text.splitlines()[1:])
        return narrow if free or labelled or self.said(narrow) else passage

    def _narrowed(self, passage: Passage) -> Passage:
        lines = passage.text.splitlines()
        if passage.main.kind != "screen_text" or len(lines) < _LINES:
            return passage
        held = {t: [self.holds(t, words(line)) for line in lines] for t in self.analysis.terms}
        telling = {t: at for t, at in held.items() if t.role != "verb" and any(at[1:])}
        if not telling:
            return passage
        sums = [sum(column) for column in zip(*telling.values(), strict=True)]
        rows = {n for n, row in enumerate(sums) if n and row == max(sums[1:])}
        for term, at in telling.items():
            if term.required and not any(at[n] for n in {0, *rows}):
                rows |= {n for n, there in enumerate(at) if there}
        if len(rows) > len(lines) // 2:
            return passage
        return replace(passage, text="\n".join(lines[n] for n in sorted({0, *rows})))

    def _alike(self, term: Term, word: Word) -> float:
        base = stem(word.lower)
        if base == term.stem or word.lower.rstrip("s") == term.word.rstrip("s"):
            return 1.0
        if "-" in word.lower and term.stem in {stem(p) for p in word.lower.split("-")}:
            return 1.0
        if term.role == "number":
            digits = re.sub(r"\D", "", word.lower) == re.sub(r"\D", "", term.word) != ""
            return float(digits or amount(word.lower) == amount(term.word) != "")
        if term.word in WEEKDAYS | MONTHS:
            short = len(word.lower) >= 3 and term.word.startswith(word.lower)
            return 0.9 * (short and word.lower not in STOP)
        compound = len(base) > len(term.stem) >= 4 and (
            (base.endswith(term.stem) and len(base) >= len(term.stem) + 3)
            or (len(base) >= len(term.stem) + 4 and base.startswith(term.stem))
        )
        if compound and (term.role == "noun" or (term.role == "proper" and len(term.stem) >= 5)):
            return 0.8
        if term.role == "proper":
            return 0.8 if sounds_like(term.word, word.lower) else 0.0
        does = self.analysis.asked == "person" and (
            does_it(term.word, word.lower) or does_it(term.stem, word.lower)
        )
        if synonymous(base, term.stem) or does or inflected(term.word, word.lower):
            return 0.9
        if term.role == "colour":
            return 0.0
        if term.role == "noun" and len(term.stem) >= 6 and sounds_like(term.word, word.lower):
            return 0.7
        return 0.8 if word.lower not in STOP and self._near(term.word, word.lower) >= NEAR else 0.0

    def nearness(self, term: Term, word: Word) -> float:
        """How near in meaning they are, 0 for a word that means nothing by itself."""
        return 0.0 if word.lower in STOP else self._near(term.word, word.lower)

    def sees(self, term: Term, label: str) -> float:
        """As `holds`, for a tagger's label, which may be a kind of what is asked for."""
        there = words(label)
        kinds = HYPONYMS.get(term.stem, frozenset())
        for group_stem in _group(term.stem):
            kinds = kinds | HYPONYMS.get(group_stem, frozenset())
        if any(stem(w.lower) in kinds or w.lower in kinds for w in there):
            return 0.9
        return self.holds(term, there)

    def _new(self, value: str) -> bool:
        content = [stem(w.lower) for w in words(value) if w.lower not in STOP]
        return bool(content or words(value)) and not (
            content and all(c in self._asked for c in content)
        )

    def _asks_about(self, passage: Passage) -> bool:
        if self.analysis.about_screen:
            return True
        there = words(passage.text)
        nouns = [t for t in self.analysis.required if t.role != "verb"]
        return (
            bool(nouns)
            and self.analysis.asked in ("moment", "elapsed", "count", "report")
            and all(self.holds(t, there) for t in nouns)
        )

    def _colour_left_out(self, term: Term, text: str) -> bool:
        """'the notebook' may be the red one, 'the blue notebook' is not."""
        return term.role == "colour" and not colours_of(text)


def _observed(passage: Passage) -> set[str]:
    return {source.observation.id for source in passage.sources}


def _acts(word: Word, after: Word | None, text: str) -> bool:
    """Does it stand where a person's name does: before a verb, or as an owner?"""
    if text[word.start : word.end].lower().endswith(("'s", "’s")):
        return True
    return after is not None and (stem(after.lower) in VERBS or after.lower in _AUXILIARIES)


def _another_noun(term: Term, word: Word, before: Word | None) -> bool:
    """No "training" is meant by "her train"."""
    return (
        term.role == "noun"
        and term.word.endswith("ing")
        and not word.lower.endswith(("ing", "ed"))
        and before is not None
        and before.lower in _DETERMINERS
    )


def _group(base: str) -> set[str]:
    return {w for g in SYNONYMS if base in g for w in g}
