"""Passages that seem to tell what is asked, in words of their own: "when is stocktaking?" and "the
stock count is on Monday".

Looked for where no passage holds all the words that matter. What search found likest to the question
in meaning is taken, unless something stands against it: a name, a number or a day that it lacks,
nothing of the kind that is asked for, a list none of whose entries is the one asked of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from reasoning.analysis import Term
from reasoning.entries import listing
from reasoning.evidence import Passage, Source, is_instruction
from reasoning.matching import Matcher
from reasoning.words import MONTHS, STOP, WEEKDAYS, Word, colours_of, is_number, stem, words

# What a passage needs: cosine with the question, and that with the share of its words that are there.
LIKE, LIKELY = 0.2, 0.46
_SURELY = 0.9
_SHARE = 0.4  # what all words of the question count beside the cosine
_UNHEARD = 0.5  # what a word counts that is nowhere in what was found: people have another for it
_AS_GOOD = 0.5  # from which it may stand for it
_NEAR = 0.3  # cosine of two words from which one tells a little of the other
_COUNTED = re.compile(r"\bhow many ([\w'-]+)", re.I)
_ALONE = 0.55  # cosine that tells enough by itself
_LEAST = 0.34  # share of the words of a question that has any
_WEIGHTS = {"proper": 1.0, "number": 1.0, "noun": 1.0, "colour": 0.6, "verb": 0.4}
_ARTICLES = frozenset("the a an my our your his her their this that".split())
_OWNERS = frozenset("my our your his her their".split())
_OF = frozenset("of for".split())
# Verbs that mean little beside their noun; where something is can be told with any of the last.
LIGHT = frozenset(
    "be do have go get make come take put keep need sit stand lie live hang set".split()
)
_EACH = frozenset("each apiece a an per plus".split())
_NAMED = re.compile(r"\b(?:names?|called|named)\b", re.I)
# Amounts of these kinds may be told without the form that is looked for elsewhere.
_FREE = frozenset({"person", "place", "reason"})


class Likely:
    """One question's look at what search found. `sources`: best first."""

    def __init__(self, matcher: Matcher, sources: Sequence[Source]) -> None:
        self._matcher = matcher
        self._terms = matcher.analysis.terms
        loose = matcher.analysis.asked in ("moment", "elapsed")  # what was spoken of, by any name
        self._pinned = frozenset() if loose else _pinned(matcher.analysis.text)
        self._owners = _owners(matcher.analysis.text)
        self._listed = False
        told = [words(source.text) for source in sources]
        self._heard = {
            t: any(matcher.holds(t, there) >= _SURELY for there in told) for t in self._terms
        }

    def among(self, passages: Iterable[Passage]) -> list[Passage]:
        """Those that may answer, scored, likest first; of each observation the best."""
        fitted = [f for p in passages if (f := self._fit(p)) is not None]
        # Of equals the shortest, where a value's form tells it; else all that was said of it.
        longer = self._matcher.analysis.asked in (*_FREE, "thing")
        fitted.sort(key=lambda p: (-round(p.score, 3), -len(p.text) if longer else len(p.text)))
        kept: dict[str, Passage] = {}
        for passage in fitted:
            kept.setdefault(passage.main.id, passage)
        return list(kept.values())

    def _fit(self, passage: Passage) -> Passage | None:
        like = max(s.similarity for s in passage.sources)
        if like < LIKE or is_instruction(passage.text):
            return None
        passage = self._matcher.narrowed(passage)
        if self._matcher.opposed(passage):
            return None
        there = words(passage.text)
        self._listed = passage.main.kind == "screen_text" and any(
            (t.role == "number" or t.word in WEEKDAYS) and self._matcher.holds(t, there)
            for t in self._terms
        )
        if self._speaks_of_another(passage, there) or not self._entered(passage, there):
            return None
        found = self._matcher.said(passage)
        asked = self._matcher.analysis.asked
        free = asked in _FREE and not _NAMED.search(self._matcher.analysis.text)
        if not found and free and (asked != "person" or self._done(there)):
            found = [w.written for w in there if w.lower not in STOP]
        if not found and asked == "money":
            found = _bare(passage.text)
        if asked == "number" and not self._counts(there):
            return None
        share = self._share(there)
        score = like + _SHARE * share
        if not found or score < LIKELY or (share < _LEAST and like < _ALONE):
            return None
        return replace(passage, score=score, values=tuple(found), sure=False)

    def _done(self, there: Sequence[Word]) -> bool:
        """Is what somebody does, where it is asked who does it, spoken of?"""
        verbs = [t for t in self._terms if t.role == "verb" and t.stem not in LIGHT]
        return not verbs or any(self._told(t, there) >= _AS_GOOD for t in verbs)

    def _counts(self, there: Sequence[Word]) -> bool:
        """Where a number of something is asked for, is it spoken of?"""
        counted = _COUNTED.search(self._matcher.analysis.text)
        of = next((t for t in self._terms if counted and t.word == counted[1].lower()), None)
        return of is None or self._told(of, there) >= _AS_GOOD

    def _share(self, there: Sequence[Word]) -> float:
        total = held = 0.0
        for term in self._terms:
            weight = _WEIGHTS[term.role] * (1.0 if self._heard[term] else _UNHEARD)
            total += weight
            held += weight * self._told(term, there)
        return held / total if total else 1.0

    def _told(self, term: Term, there: Sequence[Word]) -> float:
        sure = self._matcher.holds(term, there)
        if sure:
            return 1.0
        near = self._nearest(term, there)
        return near if near >= _NEAR else 0.0

    def _nearest(self, term: Term, there: Sequence[Word]) -> float:
        return max([self._matcher.nearness(term, w) for w in there] or [0.0])

    def _speaks_of_another(self, passage: Passage, there: Sequence[Word]) -> bool:
        """Does it lack what tells the thing asked about from others: a name, a number, a day, whose
        or for what it is, a word that is used of something else that was found?"""
        return any(
            self._tells_apart(t) or self._otherwise(t, passage, there)
            for t in self._terms
            if not self._matcher.holds(t, there)
            and (strict(t) or t.word in self._owners or self._nearest(t, there) < _AS_GOOD)
        )

    def _tells_apart(self, term: Term) -> bool:
        if term.word in self._pinned:
            return True
        if term.role == "verb":
            return self._heard[term] and term.stem not in LIGHT
        if not term.required:
            return False
        return strict(term) or self._heard[term] and not self._listed

    def _otherwise(self, term: Term, passage: Passage, there: Sequence[Word]) -> bool:
        """Is what the word goes with called by another: "rye bread", where "oat bread" is asked of?"""
        if term.role == "verb" or (term.role == "colour" and colours_of(passage.text)):
            return term.role == "colour"
        asked = words(self._matcher.analysis.text)
        above = {stem(w.lower) for w in words(passage.text.partition("\n")[0])}
        heads = {
            b.lower for a, b in pairwise(asked) if a.lower == term.word and b.lower not in STOP
        }
        known = {stem(w.lower) for w in asked}
        if "\n" in passage.text and above & {stem(h) for h in heads}:
            return True  # "Homework", and below it that for each class
        return any(
            stem(b.lower) in {stem(h) for h in heads}
            and passage.text[a.end : b.start] == " "
            and a.lower not in STOP
            and stem(a.lower) not in known
            for a, b in pairwise(there)
        )

    def _entered(self, passage: Passage, there: Sequence[Word]) -> bool:
        """Of a list, is something of the question in it?"""
        if passage.main.kind != "screen_text" or listing(passage.text) is None:
            return True
        return any(self._told(t, there) > 0.5 for t in self._terms)


def strict(term: Term) -> bool:
    """Does no other word stand for it, however near?"""
    return term.role in ("proper", "number") or term.stem in WEEKDAYS | MONTHS


def _owners(text: str) -> frozenset[str]:
    """Those of whom something is asked: "my aunt" of "my aunt's boat"."""
    return frozenset(
        w.lower
        for w in words(text)
        if w.lower not in STOP and text[w.start : w.end].endswith(("'s", "s'"))
    )


def _pinned(text: str) -> frozenset[str]:
    """Words that say whose or for what something is, or what it is that somebody has."""
    listed = words(text)
    pinned: set[str] = set()
    owners = _owners(text)
    for at, word in enumerate(listed):
        owner = word.lower in owners
        run: list[str] = []
        for following in listed[at + 1 :]:
            if following.lower in STOP:
                if run or following.lower not in _ARTICLES or owner:
                    break
                continue
            run.append(following.lower)
        if owner and run and word.lower not in WEEKDAYS:
            pinned |= {word.lower, run[-1]}
        elif word.lower in _OWNERS and run:
            pinned.add(run[-1])
        elif word.lower in _OF and run:
            pinned.add(run[-1])
    return frozenset(pinned)


def _bare(text: str) -> list[str]:
    """Numbers that are of one of something: "one fifty each", not "sixty drums"."""
    listed = words(text)
    found = []
    for at, word in enumerate(listed):
        if is_number(word.lower):
            rest = [
                w.lower for w in listed[at + 1 :] if not is_number(w.lower) and w.lower != "and"
            ]
            if rest and rest[0] in _EACH:
                found.append(word.written)
    return found
