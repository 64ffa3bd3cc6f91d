"""Questions that suppose their answer: yes or no, one or the other. Code compares, not the model."""

from __future__ import annotations

import re

from reasoning import composed
from reasoning.analysis import Analysis, Term, without
from reasoning.evidence import Passage, newest
from reasoning.matching import Matcher
from reasoning.planned import Plan
from reasoning.retrieval import Retriever, Scope
from reasoning.timeparse import TimeReference
from reasoning.values import colours, dates, numbers, times
from reasoning.words import STOP, is_number, stem, words

_MENTIONED = re.compile(
    r"^(?:did|has|have) [\w' ]{1,30}? (?:ever |just |already )?(?:mention(?:ed)?|talk(?:ed)? about|"
    r"sp(?:eak|oken) about|(?:bring|brought) up|discuss(?:ed)?|hear(?:d)? about|(?:say|said|hear|heard) anything about)\b",
    re.I,
)


async def of_place(
    analysis: Analysis, when: TimeReference, scope: Scope, retriever: Retriever, matcher: Matcher
) -> Plan | None:
    """Is it there? By the newest statement of where it is; of the past, by any. None: no telling."""
    relaxed = without(analysis, analysis.supposed_place, "place")
    if not relaxed.required:
        return None
    found = await retriever.find(relaxed, when, scope, matcher.asking(relaxed))
    if not found:
        return None
    wanted = [
        Term(w.lower, stem(w.lower), "noun", True)
        for w in words(analysis.supposed_place)
        if w.lower not in STOP
    ]
    (chosen,) = newest(found, when.history)
    if analysis.text.lower().startswith(("was", "were", "did")):
        there = [p for p in found if _holds_all(matcher, wanted, p)]
        chosen = there[0] if there else chosen
    return Plan((chosen,), composed.yes_or_no(_holds_all(matcher, wanted, chosen), chosen))


def of_alternatives(analysis: Analysis, found: list[Passage], history: str | None) -> Plan | None:
    """The one of two that memory says."""
    for passage in newest(found, history):
        said = {stem(w.lower) for w in words(passage.text)}
        fits = [
            a
            for a in analysis.alternatives
            if all(stem(w.lower) in said for w in words(a) if w.lower not in STOP)
        ]
        if len(fits) == 1:
            return Plan((passage,), composed.chosen(fits[0], passage))
        return Plan((passage,), composed.quote(passage))
    return None


def of_yes_or_no(analysis: Analysis, chosen: Passage) -> Plan | None:
    """Yes or no by the days, times, numbers and colours on both sides, or by having been spoken of."""
    if _MENTIONED.match(analysis.text):
        return Plan((chosen,), composed.yes_or_no(True, chosen))
    agrees = _agrees(analysis.text, chosen)
    return None if agrees is None else Plan((chosen,), composed.yes_or_no(agrees, chosen))


def _holds_all(matcher: Matcher, terms: list[Term], passage: Passage) -> bool:
    there = words(passage.text)
    return all(matcher.holds(t, there) for t in terms if not is_number(t.word)) and all(
        matcher.holds(Term(t.word, t.stem, "number", True), there)
        for t in terms
        if is_number(t.word)
    )


def _agrees(question: str, passage: Passage) -> bool | None:
    """Does the passage say the day, time, number or colour that the question supposes? None if
    the question supposes none."""
    for find in (dates, times, numbers, colours):
        supposed = {v.lower() for v in find(question)}
        if supposed:
            said = {v.lower() for v in find(passage.text)}
            if said:
                return bool(supposed & said)
    return None
