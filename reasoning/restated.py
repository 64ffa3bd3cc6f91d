"""What was said of one thing again and again: "the race is at nine", "no, it's been put back to ten".

What puts something right, or tells that it has changed, seldom says again all that the question asks
by. It is found from the passage that does: by what both speak of, and by a value of the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reasoning.evidence import Passage, Source, passages
from reasoning.matching import Matcher
from reasoning.pertinence import CHANGED
from reasoning.retrieval import Retriever, Scope
from reasoning.timeparse import History, TimeReference
from reasoning.values import has_form, numbers, proper_names, values
from reasoning.words import MONTHS, STOP, VERBS, WEEKDAYS, is_number, stem, words

_LOOKED = 12  # observations likest to it
_TOPICAL = 0.3  # cosine of two words from which one speaks of the other


async def restated(
    chosen: Passage, matcher: Matcher, when: TimeReference, scope: Scope, retriever: Retriever
) -> Passage:
    """What holds now of what `chosen` tells, or what held first or before that."""
    if chosen.main.kind != "speech" or chosen.heard_as or matcher.analysis.asked == "yesno":
        return chosen
    found = await retriever.hits(replace(when, rest=chosen.text), scope, _LOOKED)
    told = _told(chosen, matcher)
    topic = _topic(chosen, matcher)
    family = [chosen]
    for source in found:
        again = _again(source, chosen, topic, told, matcher)
        if again is not None:
            family.append(again)
    family.sort(key=lambda p: p.at)
    return _held(family, chosen, when.history)


def _held(family: Sequence[Passage], chosen: Passage, history: History | None) -> Passage:
    at = family.index(chosen)
    later = [p for p in family[at + 1 :] if CHANGED.search(p.text)]
    last = later[-1] if later else chosen
    if history is None:
        return last
    changed = CHANGED.search(chosen.text) is not None
    earlier = family[: at + 1] if changed or history == "first" else [chosen]
    if history == "first":
        return earlier[0]
    before = [p for p in (*earlier, *later[:-1]) if p.values != last.values and p is not last]
    return before[-1] if before else chosen


def _again(
    source: Source, chosen: Passage, topic: set[str], told: bool, matcher: Matcher
) -> Passage | None:
    seen = source.observation
    if seen.kind != "speech" or seen.id in {s.observation.id for s in chosen.sources}:
        return None
    for passage in passages(source, ()):
        there = words(passage.text)
        stems = {stem(w.lower) for w in there}
        other = _of_another(passage, chosen, matcher) or matcher.opposed(passage)
        if not topic & stems or other:
            continue
        found = _values(passage, matcher)
        if found if told else len(topic & stems) > 1:
            return replace(passage, text=source.text, values=tuple(found))
    return None


def _of_another(passage: Passage, chosen: Passage, matcher: Matcher) -> bool:
    """Does it lack a name that the question gives, or is it of a name of its own?"""
    held = words(passage.text)
    names = [t for t in matcher.analysis.required if t.role == "proper"]
    if any(not matcher.holds(t, held) for t in names):
        return True
    if matcher.analysis.asked in ("person", "place"):
        return False
    known = {w.lower for w in words(chosen.text)}
    owners = [w.lower for w in held if passage.text[w.start : w.end].endswith("'s") and w.capital]
    own = {n.lower() for n in proper_names(passage.text)}
    return any(o in own and o not in known for o in owners)


def _topic(chosen: Passage, matcher: Matcher) -> set[str]:
    """Stems of what it speaks of: names, and words that are, or are near, words of the question."""
    terms = matcher.analysis.terms
    names = {n.lower() for n in proper_names(chosen.text)}
    found: set[str] = set()
    for word in words(chosen.text):
        low = word.lower
        if low in STOP or is_number(low) or low in WEEKDAYS or low in MONTHS:
            continue
        if stem(low) in VERBS and not any(stem(low) == t.stem for t in terms if t.required):
            continue
        near = any(
            matcher.holds(t, [word]) or matcher.nearness(t, word) >= _TOPICAL
            for t in terms
            if t.role != "number"
        )
        if near or (low in names and low not in {v.lower() for v in chosen.values}):
            found.add(stem(low))
    return found or {stem(w) for w in _content(chosen)}


def _content(chosen: Passage) -> list[str]:
    said = {w.lower for value in chosen.values for w in words(value)}
    return [
        w.lower
        for w in words(chosen.text)
        if w.lower not in STOP | said and stem(w.lower) not in VERBS and not is_number(w.lower)
    ]


def _told(chosen: Passage, matcher: Matcher) -> bool:
    """Is there a value by which to know it again?"""
    return bool(_values(chosen, matcher))


def _values(passage: Passage, matcher: Matcher) -> list[str]:
    asked = matcher.analysis.asked
    if has_form(asked) and asked != "reason":
        return values(asked, passage.text)
    return numbers(passage.text)
