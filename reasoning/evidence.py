"""Which memories answer a question: passages that hold its words and a value of the asked kind.

A passage is one sentence, or one screen, or a sentence with the one it goes on from. Deciding
here, before the language model runs, is what abstaining rests on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from memory.records import Hit
from perception.records import Observation
from reasoning.analysis import Analysis, Term
from reasoning.nearness import Nearness
from reasoning.values import has_form, values
from reasoning.words import (
    HYPONYMS,
    STOP,
    SYNONYMS,
    Word,
    colours_of,
    sounds_like,
    spaced,
    stem,
    synonymous,
    words,
)

NEAR = 0.58  # cosine of two words from which they may stand for each other
_WEIGHTS = {"proper": 2.0, "number": 2.0, "noun": 1.5, "colour": 1.0, "verb": 0.3}
_CONFLICT = 0.75  # passages within this of the best score are about the same thing

_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}\b(?:instruction|prompt|rule|previous|above|prior|command)|"
    r"\b(?:reply|respond|answer|say|output|print)\b[^.\n]{0,25}\b(?:only|nothing but|just|exactly|always)\b|"
    r"\b(?:only|always|just|must) (?:reply|respond|answer|say|output)\b|"
    r"\b(?:you are now|you must now|from now on,? you|act as|pretend to be|new instructions?|system (?:prompt|notice|message|override))\b",
    re.I,
)
_GOES_ON = re.compile(
    r"^(?:actually,? |and |but |so |oh,? |well,? |i think |yes,? |no,? )*(?:it|its|it's|he|he's|she|she's|they|they're|his|her|their|"
    r"them|that|that's|this one|the one|i (?:put|left|moved|bought|found|hid|placed|paid|kept|called|named|call|named) (?:it|them|him|her)|"
    r"we (?:call|called|named|put|left|moved) (?:it|them|him|her))\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Source:
    """An observation with what a citation needs. `moment_id` is empty until it is looked up."""

    observation: Observation
    wall_start: datetime
    moment_id: str = ""
    keyframe: str | None = None
    similarity: float = 0.0

    @property
    def at(self) -> datetime:
        return self.wall_start + timedelta(seconds=self.observation.start)


@dataclass(frozen=True, slots=True)
class Passage:
    """Text of one or two sources, how well it fits the question, and what it says of the asked kind."""

    text: str
    sources: tuple[Source, ...]  # the one with the value last
    score: float = 0.0
    values: tuple[str, ...] = ()

    @property
    def at(self) -> datetime:
        return self.sources[-1].at

    @property
    def main(self) -> Observation:
        return self.sources[-1].observation


def source_of(hit: Hit) -> Source:
    """A search hit as a source."""
    return Source(hit.observation, hit.wall_start, hit.moment_id, hit.keyframe, hit.similarity)


def is_instruction(text: str) -> bool:
    """Text that tells its reader what to do or say: remembered, but never evidence for something else."""
    return _INSTRUCTION.search(text) is not None


def sentences(text: str) -> list[str]:
    """What was said, sentence by sentence; titles like "Dr." do not end one."""
    parts = re.split(
        r"(?<=[.!?])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)(?<!\bSt\.)(?<!\bNo\.)\s+(?=[A-Z\"'])",
        text.strip(),
    )
    return [s.strip() for s in parts if s.strip()]


def goes_on(text: str) -> bool:
    """Does the sentence speak of what was named before it?"""
    return _GOES_ON.match(text) is not None or text[:1].islower()


def passages(source: Source, around: Sequence[Source]) -> list[Passage]:
    """Every passage the source is part of. `around`: neighbours in the same stream, in order of time."""
    seen = source.observation
    if seen.kind != "speech":
        near = [
            s
            for s in around
            if s.observation.kind == seen.kind == "screen_text" and _overlap(s, source)
        ]
        joined = sorted([source, *near], key=lambda s: s.observation.start)
        found = [Passage(spaced(seen.text), (source,))]
        if near:
            text = "\n".join(spaced(s.observation.text) for s in joined)
            found.append(Passage(text, (*near, source)))
        return found
    said = sentences(seen.text)
    found = [Passage(s, (source,)) for s in said]
    found += [
        Passage(f"{a} {b}", (source,)) for a, b in zip(said, said[1:], strict=False) if goes_on(b)
    ]
    if len(said) > 2 and goes_on(said[1]) and goes_on(said[2]):
        found.append(Passage(" ".join(said[:3]), (source,)))
    speech = [s for s in around if s.observation.kind == "speech" and s.observation != seen]
    before = [s for s in speech if s.observation.start < seen.start]
    after = [s for s in speech if s.observation.start > seen.start]
    if before and said and goes_on(said[0]):
        previous = sentences(before[-1].observation.text)
        found.append(Passage(f"{previous[-1]} {said[0]}", (before[-1], source)))
    if after and said:
        following = sentences(after[0].observation.text)
        if following and goes_on(following[0]):
            found.append(Passage(f"{said[-1]} {following[0]}", (source, after[0])))
    return found


def _overlap(a: Source, b: Source) -> bool:
    x, y = a.observation, b.observation
    return x != y and x.start <= y.end + 2 and y.start <= x.end + 2


class Matcher:
    """Fits passages to a question."""

    def __init__(self, analysis: Analysis, near: Nearness) -> None:
        self.analysis = analysis
        self._near = near
        self._asked = {stem(w.lower) for w in words(analysis.text)}

    def accepted(self, candidates: Iterable[Passage]) -> list[Passage]:
        """Those that hold every required word and a value of the asked kind, scored, best first."""
        fitted = [f for p in candidates if (f := self.fit(p)) is not None]
        fitted.sort(key=lambda p: (-p.score, len(p.text)))
        kept: list[Passage] = []
        for passage in fitted:
            if not any(set(passage.sources) & set(k.sources) for k in kept):
                kept.append(passage)
        return kept

    def fit(self, passage: Passage) -> Passage | None:
        """The passage with its score and values, or None if it does not answer."""
        if is_instruction(passage.text) and not self._asks_about(passage):
            return None
        there = words(passage.text)
        score = 0.3 * max(s.similarity for s in passage.sources) - 0.2 * (len(passage.sources) - 1)
        for term in self.analysis.terms:
            strength = self.holds(term, there)
            if term.required and not strength and not self._colour_left_out(term, passage.text):
                return None
            score += strength * _WEIGHTS[term.role]
        if self.analysis.cue and not any(stem(w.lower) == stem(self.analysis.cue) for w in there):
            score -= 0.5
        found = self.said(passage)
        if not found:
            return None
        return Passage(passage.text, passage.sources, score, tuple(found))

    def said(self, passage: Passage) -> list[str]:
        """What the passage says of the asked kind that the question does not say itself."""
        asked = self.analysis.asked
        if has_form(asked):
            screen = passage.main.kind == "screen_text"
            return [v for v in values(asked, passage.text, screen=screen) if self._new(v)]
        return [
            w.written for w in words(passage.text) if w.lower not in STOP and self._new(w.lower)
        ] or ([passage.text] if asked in ("count", "moment", "elapsed", "yesno", "screen") else [])

    def exact(self, passage: Passage) -> int:
        """How many of the question's verbs the passage says itself."""
        said = {stem(w.lower) for w in words(passage.text)}
        return sum(t.stem in said for t in self.analysis.terms if t.role == "verb")

    def holds(self, term: Term, there: Sequence[Word]) -> float:
        """How surely the words hold the term: 1 the word itself, less for one near it, 0 not."""
        best = 0.0
        for index, word in enumerate(there):
            best = max(best, self._alike(term, word))
            if best == 1.0:
                return best
            if term.role == "proper" and best < 0.8:
                joined = word.lower
                for following in there[index + 1 : index + 3]:
                    joined += following.lower
                    if len(joined) >= 6 and sounds_like(term.word, joined):
                        best = 0.8
        return best

    def _alike(self, term: Term, word: Word) -> float:
        base = stem(word.lower)
        if base == term.stem or word.lower == term.word:
            return 1.0
        if "-" in word.lower and term.stem in {stem(p) for p in word.lower.split("-")}:
            return 1.0
        if term.role == "number":
            return float(re.sub(r"\D", "", word.lower) == re.sub(r"\D", "", term.word) != "")
        compound = len(base) > len(term.stem) >= 4 and (
            base.endswith(term.stem)
            or (len(base) >= len(term.stem) + 4 and base.startswith(term.stem))
        )
        if compound and (term.role == "noun" or (term.role == "proper" and len(term.stem) >= 5)):
            return 0.8
        if term.role == "proper":
            return 0.8 if sounds_like(term.word, word.lower) else 0.0
        if synonymous(base, term.stem):
            return 0.9
        if term.role == "colour":
            return 0.0
        if term.role == "noun" and len(term.stem) >= 6 and sounds_like(term.word, word.lower):
            return 0.7
        return 0.8 if word.lower not in STOP and self._near(term.word, word.lower) >= NEAR else 0.0

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


def _group(base: str) -> set[str]:
    return {w for g in SYNONYMS if base in g for w in g}


def newest(found: Sequence[Passage], history: str | None) -> list[Passage]:
    """Of passages about one thing, the one that holds now; or the first, or the one before."""
    if not found:
        return []
    best = found[0].score
    rivals = sorted((p for p in found if p.score >= best - _CONFLICT), key=lambda p: p.at)
    if history == "first":
        return [rivals[0]]
    if history == "previous" and len(rivals) > 1:
        other = [p for p in rivals[:-1] if not _same(p.values, rivals[-1].values)]
        return [(other or rivals[:1])[-1]]
    return [rivals[-1]]


def _same(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    return {v.lower() for v in a} == {v.lower() for v in b}
