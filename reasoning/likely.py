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

from reasoning.analysis import Term
from reasoning.entries import listing
from reasoning.evidence import Passage, Source, is_instruction
from reasoning.matching import Matcher
from reasoning.values import numbers
from reasoning.words import MONTHS, STOP, WEEKDAYS, Word, words

# What a passage needs: cosine with the question, and that with the share of its words that are there.
LIKE, LIKELY = 0.25, 0.5
_SHARE = 0.4  # what all words of the question count beside the cosine
_UNHEARD = 0.5  # what a word counts that is nowhere in what was found: people have another for it
_NEAR = 0.3  # cosine of two words from which one tells a little of the other
_LINES = 3  # of a screen, from which on it is read as a list
_LABELLED = re.compile(r"\S[^:]{0,40}:\s")
_COUNTED = re.compile(r"\bhow many ([\w'-]+)", re.I)
_LEAST = 0.34  # share of the words of a question that has any
_WEIGHTS = {"proper": 1.0, "number": 1.0, "noun": 1.0, "colour": 0.6, "verb": 0.4}
# Amounts of these kinds may be told without the form that is looked for elsewhere.
_FREE = frozenset({"person", "place", "reason"})


class Likely:
    """One question's look at what search found. `sources`: best first."""

    def __init__(self, matcher: Matcher, sources: Sequence[Source]) -> None:
        self._matcher = matcher
        self._terms = matcher.analysis.terms
        told = [words(source.text) for source in sources]
        self._heard = {t: any(matcher.holds(t, there) for there in told) for t in self._terms}

    def among(self, passages: Iterable[Passage]) -> list[Passage]:
        """Those that may answer, scored, likest first; of each observation the best."""
        fitted = [f for p in passages if (f := self._fit(p)) is not None]
        fitted.sort(key=lambda p: (-p.score, len(p.text)))
        kept: dict[str, Passage] = {}
        for passage in fitted:
            kept.setdefault(passage.main.id, passage)
        return list(kept.values())

    def _fit(self, passage: Passage) -> Passage | None:
        like = max(s.similarity for s in passage.sources)
        if like < LIKE or is_instruction(passage.text):
            return None
        passage = self._narrowed(passage)
        there = words(passage.text)
        if self._speaks_of_another(there) or not self._entered(passage, there):
            return None
        found = self._matcher.said(passage)
        asked = self._matcher.analysis.asked
        if not found and asked in _FREE:
            found = [w.written for w in there if w.lower not in STOP]
        if not found and asked == "money":
            found = _bare(passage.text)
        if asked == "number" and not self._counts(there):
            return None
        share = self._share(there)
        score = like + _SHARE * share
        if not found or score < LIKELY or share < _LEAST:
            return None
        return replace(passage, score=score, values=tuple(found))

    def _counts(self, there: Sequence[Word]) -> bool:
        """Where a number of something is asked for, is it spoken of?"""
        counted = _COUNTED.search(self._matcher.analysis.text)
        of = next((t for t in self._terms if counted and t.word == counted[1].lower()), None)
        return of is None or self._told(of, there) > 0

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
        near = max([self._matcher.nearness(term, w) for w in there] or [0.0])
        return near if near >= _NEAR else 0.0

    def _speaks_of_another(self, there: Sequence[Word]) -> bool:
        """Does it lack a name, a number or a day that the question gives?"""
        return any(
            not self._matcher.holds(t, there)
            for t in self._terms
            if t.required and (t.role in ("proper", "number") or t.word in WEEKDAYS | MONTHS)
        )

    def _narrowed(self, passage: Passage) -> Passage:
        """Of a screen of many lines those that the question tells apart from the others."""
        lines = passage.text.splitlines()
        if passage.main.kind != "screen_text" or len(lines) < _LINES:
            return passage
        told = {t: [self._told(t, words(line)) for line in lines] for t in self._terms}
        telling = [at for t, at in told.items() if t.role != "verb" and any(at) and not all(at)]
        sums = [sum(column) for column in zip(*telling, strict=True)] if telling else []
        rows = [n for n, row in enumerate(sums) if n and row == max(sums[1:])]
        if not rows or max(sums[1:]) <= _NEAR or len(rows) > len(lines) // 2:
            return passage
        above = [] if _LABELLED.match(lines[0]) else lines[:1]
        return replace(passage, text="\n".join([*above, *(lines[n] for n in rows)]))

    def _entered(self, passage: Passage, there: Sequence[Word]) -> bool:
        """Of a list, is something of the question in it?"""
        if passage.main.kind != "screen_text" or listing(passage.text) is None:
            return True
        return any(t.role != "verb" and self._told(t, there) > 0.5 for t in self._terms)


def _bare(text: str) -> list[str]:
    """Numbers that are of nothing: "one fifty each", not "sixty drums"."""
    found = []
    for value in numbers(text):
        after = re.search(rf"\b{re.escape(value)}\b[ -]*([\w']*)", text)
        following = after.group(1).lower() if after else ""
        if not following or following in STOP or numbers(following):
            found.append(value)
    return found
