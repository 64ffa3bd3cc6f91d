"""Does a generated answer stand in the evidence it was generated from?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reasoning.analysis import Analysis
from reasoning.measures import units
from reasoning.sound import sounds_like
from reasoning.values import colours, dates, has_form, numbers, proper_names, times
from reasoning.words import COLOURS, NUMBER_WORDS, STOP, VERBS, stem, words

_UNKNOWING = re.compile(
    r"\b(?:i (?:do not|don't|cannot|can't|am not sure|have no)|unknown|not (?:mentioned|stated|specified|known|given|provided|clear|sure)|"
    r"no (?:information|mention|notes?|idea)|does not (?:say|mention|specify)|doesn't (?:say|mention|specify)|as an ai)\b",
    re.I,
)
_OVERLAP = 0.6  # share of an answer's content words that evidence and question hold


def unknowing(answer: str) -> bool:
    """Does the answer say that it does not know?"""
    return not answer.strip() or _UNKNOWING.search(answer) is not None


def stands(answer: str, evidence: str, analysis: Analysis, found: Sequence[str]) -> bool:
    """Every name, number, unit, time, day and colour of the answer is in the evidence (or was asked
    about), most of its other words are too, and it gives a value of the asked kind."""
    if unknowing(answer):
        return False
    known = f"{evidence}\n{analysis.text}"
    there = [w.lower for w in words(known)]
    stems = {stem(w) for w in there}
    if not all(_named(name, there) for name in proper_names(answer)):
        return False
    held = figures(known)
    if not figures(answer) <= held:
        return False
    for find, lower in ((dates, known.lower()), (times, known.lower()), (colours, known.lower())):
        if not all(_bare(v) in lower for v in find(answer)):
            return False
    if not units(answer) <= units(known):
        return False
    content = [
        w.lower for w in words(answer) if w.lower not in STOP and w.lower not in ("yes", "no")
    ]
    shared = sum(stem(w) in stems or stem(w) in VERBS for w in content)
    if content and shared / len(content) < _OVERLAP:
        return False
    return not has_form(analysis.asked) or not found or _gives(answer, found)


def adds(answer: str, question: str) -> bool:
    """Does the answer say anything that the question did not?"""
    asked = {stem(w.lower) for w in words(question)}
    return any(stem(w.lower) not in asked for w in words(answer) if w.lower not in STOP)


def _gives(answer: str, found: Sequence[str]) -> bool:
    said = {stem(w.lower) for w in words(answer)} | figures(answer)
    for value in found:
        content = {stem(w.lower) for w in words(value) if w.lower not in STOP} | figures(value)
        if content & said:
            return True
    return False


def _named(name: str, there: Sequence[str]) -> bool:
    low = name.lower()
    return any(low == w or stem(low) == stem(w) or sounds_like(low, w) for w in there)


def figures(text: str) -> set[str]:
    """Numbers of a text in digits, times as written."""
    found = {
        re.sub(r"(?<=\d)[,.](?=\d{3}\b)", "", n).strip(".,")
        for n in re.findall(r"\d[\d:.,-]*", text)
    }
    found |= {str(NUMBER_WORDS[n.lower()]) for n in numbers(text) if n.lower() in NUMBER_WORDS}
    found |= {n.lstrip("0") for n in found if n.isdigit() and n.lstrip("0")}
    return found - ({"1"} if re.search(r"\bone\b", text, re.I) else set())


def _bare(value: str) -> str:
    """A value without the words around it that may change: 'on Monday' -> 'monday'."""
    low = value.lower()
    last = low.split()[-1].rstrip(".,")
    return (
        last
        if last in COLOURS or re.search(r"\d", last)
        else re.sub(r"^(?:the|at|on|in|by|until|from|to|around|about|before|after) ", "", low)
    )
