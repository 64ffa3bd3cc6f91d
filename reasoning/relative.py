"""Questions about what came before, after or during something else: "what happened after the
bottles?". Memory is searched for that something, and what stands beside it in time is told.

Code writes the answer: first what it goes by, then what was there, each with its time.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from reasoning import composed, seeing, spans
from reasoning.analysis import analyse
from reasoning.evidence import Passage, Source
from reasoning.matching import Matcher
from reasoning.nearness import Nearness
from reasoning.planned import Plan
from reasoning.retrieval import Retriever, Scope
from reasoning.timeparse import TimeReference
from reasoning.words import SHOWS

Side = Literal["before", "after", "while"]

TOLD = 3  # things beside what was found
REACH = 60.0  # seconds in which they are looked for; the nearest is told however far it is
_AROUND = 5.0  # seconds before and after something that are still while it was there

_SIDES = r"(?:right |just |shortly |immediately |directly |soon )?(?P<side>before|after|while|during|when)"
_ASKS = re.compile(rf"^(?P<base>[^,]+?),? {_SIDES} (?P<event>[^,]+?)\s*[?.!]*$", re.I)
_ASKS_TURNED = re.compile(rf"^(?:and )?{_SIDES} (?P<event>[^,]+), (?P<base>[^,]+?)\s*[?.!]*$", re.I)
_TITLE = {
    "before": "Before that",
    "after": "After that",
    "while": "Meanwhile",
}


async def of_relative(
    when: TimeReference,
    scope: Scope,
    retriever: Retriever,
    near: Nearness,
    sights: bool = False,
) -> Plan | None:
    """None where nothing of the kind is asked, or what it goes by is not found. With `sights` only
    for what was seen, pictures or all that happened: "what was said before the meeting?" may also
    ask for words that speak of the meeting, and those are looked for first."""
    match = _ASKS.match(when.rest) or _ASKS_TURNED.match(when.rest)
    if match is None:
        return None
    kinds = _kinds(match["base"])
    if not kinds or (sights and "vision" not in kinds):
        return None
    found = await _found(match["event"], when, scope, retriever, near)
    if found is None:
        return None
    said = match["side"].lower()
    side: Side = "before" if said == "before" else "after" if said == "after" else "while"
    source = found.sources[-1]
    beside = await _beside(source, side, kinds, retriever.where(source, scope), retriever)
    if not beside:
        return None
    passages = tuple(Passage(source.text, (source,)) for source in beside)
    return Plan(
        (found, *passages),
        f"{composed.quote(found)} {_TITLE[side]}: {composed.lines(passages)}",
    )


def _kinds(base: str) -> frozenset[str]:
    """What the question asks to be told; nothing where it asks for something in particular."""
    if seeing.ASKS_WHAT_WAS_SEEN.match(base):
        return frozenset({"vision"})
    span = spans.asked(base)
    asked = analyse(base)
    particular = [term for term in asked.required if term.stem not in SHOWS]
    if span is None and (particular or asked.speaker):
        return frozenset()
    told: dict[str, frozenset[str]] = {
        "report": frozenset({"speech"}),
        "screen": frozenset({"screen_text"}),
        "summary": frozenset({"speech", "screen_text", "vision"}),
    }
    return told.get(span or asked.asked, frozenset())


async def _found(
    event: str, when: TimeReference, scope: Scope, retriever: Retriever, near: Nearness
) -> Passage | None:
    """The memory that tells best of what the question goes by."""
    asked = replace(analyse(event), asked="moment")
    if not any(term.role != "number" for term in asked.required):
        return None  # "before 10:30" is a time, not something that was there
    # "the launch slide": the slide does not say of itself that it is one.
    named = tuple(term for term in asked.terms if term.stem not in SHOWS)
    if any(term.required for term in named):
        asked = replace(asked, terms=named)
    sought = replace(when, rest=event)
    matcher = Matcher(asked, near)
    passages = await retriever.find(asked, sought, scope, matcher)
    passages = passages or await retriever.sightings(asked, sought, scope, matcher)
    return passages[0] if passages else None


async def _beside(
    found: Source, side: Side, kinds: frozenset[str], scope: Scope, retriever: Retriever
) -> list[Source]:
    """What the same stream held beside it, nearest things first chosen, then in order of time."""
    seen = found.observation
    low, high = {
        "before": (0.0, seen.start),
        "after": (seen.end, scope.now),
        "while": (max(0.0, seen.start - _AROUND), seen.end + _AROUND),
    }[side]
    near: list[Source] = []
    for source in await retriever.between(TimeReference("", low, high), scope):
        o = source.observation
        outside = (side == "before" and o.end > high) or (side == "after" and o.start < low)
        if o.kind not in kinds or o.id == seen.id or o.text == seen.text or outside:
            continue
        if not near or near[-1].observation.text != o.text:
            near.append(source)
    if side == "while":
        return near[:TOLD]
    if side == "before":
        reached = [s for s in near if s.observation.end >= seen.start - REACH] or near[-1:]
        return reached[-TOLD:]
    return ([s for s in near if s.observation.start <= seen.end + REACH] or near[:1])[:TOLD]
