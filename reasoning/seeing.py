"""Answers from pictures: was it seen, what was seen, how many people, what is seen now.

A picture is known by its tags, so nothing is affirmed that no tag names.
"""

from __future__ import annotations

import re

from memory.records import Observation
from reasoning import composed
from reasoning.analysis import Analysis
from reasoning.evidence import Passage, Source
from reasoning.matching import Matcher
from reasoning.planned import Plan, abstain
from reasoning.retrieval import Retriever, Scope
from reasoning.timeparse import TimeReference

_PRESENT = 8.0  # seconds that still are now
# Cosines of a question and a picture's tags: from where on they may be what is asked for, more so
# the farther the others are; of tags that have nothing to do with it.
_LIKE, _UNLIKE = 0.3, 0.15
_NAMED = 0.8  # how surely a tag is of the kind that is asked for
_VIEWS = 5  # pictures that tell what was seen
_SCREENS = 6  # texts that tell what was shown
_ON_SCREEN = re.compile(r"\b(?:screen|slides?|page|whiteboard|board|monitor|display)\b", re.I)
_PEOPLE = re.compile(r"\b(\d+) (?:people|person|faces?)\b")
ASKS_WHAT_WAS_SEEN = re.compile(
    r"^(?:and )?(?:what (?:all )?(?:did|have|had) you (?:just |already )?(?:see|seen|notice|noticed)|"
    r"(?:please |(?:can|could|would|will) you (?:please )?)?(?:summari[sz]e|sum up|recap|describe|list|tell me|show me) "
    r"(?:what|everything|all|the things)(?: that)? you(?:'ve| have)? (?:just )?(?:saw|seen|noticed)|"
    r"what (?:was|were|has been|have been) (?:seen|visible))(?: so far| (?:in|on) (?:the|this) (?:recording|video|stream|camera))?\s*[?.!]*$",
    re.I,
)

_AND = (
    r"(?: (?:me|all|every|everything|what|the|a|of|that|was|were|has|have|been|is|text|texts|there|you|see|saw|seen|"
    r"read|shown|displayed|written|so|far))*"
)
ASKS_FOR_SCREENS = re.compile(
    rf"^(?:please )?(?:(?:list|show|tell|give|read|summari[sz]e|recap){_AND} (?:slides|screens|texts|signs|notices)|"
    rf"(?:list|show|tell|give|read|summari[sz]e|recap)(?: me)? (?:everything|all){_AND} "
    r"(?:on|in) (?:the |a )?(?:screens?|slides?|whiteboard|board|display)|"
    rf"(?:what|which)(?: other)? (?:slides|screens|texts|signs|notices) (?:were|was|have|did){_AND})\s*[?.!]*$",
    re.I,
)


async def of_present(
    when: TimeReference, scope: Scope, retriever: Retriever, matcher: Matcher
) -> Plan:
    """What is seen now; of a screen that shows nothing now, what it showed last."""
    seen = await retriever.present(scope, _PRESENT)
    if _ON_SCREEN.search(when.rest):
        seen = [s for s in seen if s.observation.kind == "screen_text"]
        if not seen:
            return await of_screen(scope, retriever)
    if not seen:
        return abstain("nothing in view")
    passages = tuple(Passage(s.observation.text, (s,)) for s in seen)
    return Plan(passages, composed.present([s.observation for s in seen]))


async def of_screen(scope: Scope, retriever: Retriever) -> Plan:
    """The last text that a screen showed."""
    shown = await retriever.between(TimeReference(""), scope)
    last = [s for s in shown if s.observation.kind == "screen_text"][-1:]
    passages = tuple(Passage(s.observation.text, (s,)) for s in last)
    return Plan(passages, composed.lines(passages)) if passages else abstain()


async def of_screens(when: TimeReference, scope: Scope, retriever: Retriever) -> Plan:
    """The different texts that screens showed in a time, the last ones where there were many."""
    shown: dict[str, Source] = {}
    for source in await retriever.between(when, scope):
        if source.observation.kind == "screen_text":
            shown.setdefault(source.observation.text.casefold(), source)
    passages = tuple(Passage(s.text, (s,)) for s in list(shown.values())[-_SCREENS:])
    return Plan(passages, composed.lines(passages)) if passages else abstain()


async def of_sight(
    analysis: Analysis, when: TimeReference, scope: Scope, retriever: Retriever, matcher: Matcher
) -> Plan:
    """Was it seen: in a picture, else on a screen, else spoken of where that is what is asked."""
    seen = await retriever.sightings(analysis, when, scope, matcher)
    if not seen:
        found = await retriever.find(analysis, when, scope, matcher)
        spoken = analysis.text.lower().startswith(
            ("was there", "were there", "is there", "are there")
        )
        seen = [p for p in found if p.main.kind == "screen_text" or spoken]
        if seen and seen[0].main.kind != "screen_text":
            return Plan((seen[0],), composed.yes_or_no(True, seen[0]))
    if not seen:
        return abstain("not seen", analysis.noun_phrase)
    return Plan((seen[0],), composed.sighting(analysis.noun_phrase, seen[0].main))


async def of_kind(
    analysis: Analysis, when: TimeReference, scope: Scope, retriever: Retriever, matcher: Matcher
) -> Plan:
    """What of a kind was seen: "which bird was on camera?". That something was, the question says
    itself; so the picture whose tags are nearest in meaning answers, where one is near at all."""
    seen = [s for s in await retriever.pictures(when, scope) if composed.labels(s.text)]
    if not seen:
        return abstain("not seen")
    terms = [t for t in analysis.required if t.role != "verb"]

    def likeness(source: Source) -> float:
        named = terms and all(matcher.sees(t, source.text) >= _NAMED for t in terms)
        return source.similarity + (0.5 if named else 0.0)

    best = max(seen, key=likeness)
    shown = set(composed.labels(best.text))
    others = [s.similarity for s in seen if not shown & set(composed.labels(s.text))]
    apart = likeness(best) - max([_UNLIKE, *others])
    if likeness(best) + apart / 2 < _LIKE:
        return abstain("not seen")
    return Plan((Passage(best.text, (best,)),), composed.views([best.observation]))


async def of_views(when: TimeReference, scope: Scope, retriever: Retriever) -> Plan:
    """What was seen in a time: pictures that show something else than the one before."""
    kept: list[Source] = []
    for source in await retriever.between(when, scope):
        seen = source.observation
        if seen.kind != "vision" or not composed.labels(seen.text):
            continue
        if not kept or kept[-1].observation.text != seen.text:
            kept.append(source)
    if not kept:
        return abstain("nothing in view" if when.present else "not in memory")
    if len(kept) > _VIEWS:
        kept = [kept[round(n * (len(kept) - 1) / (_VIEWS - 1))] for n in range(_VIEWS)]
    passages = tuple(Passage(s.observation.text, (s,)) for s in kept)
    return Plan(passages, composed.views([s.observation for s in kept]))


async def of_people(
    analysis: Analysis, when: TimeReference, scope: Scope, retriever: Retriever, matcher: Matcher
) -> Plan:
    """How many people a picture showed, by its faces; the latest first."""
    others = [t for t in analysis.required if t.stem not in ("person", "face")]
    counted: list[tuple[int, Source]] = []
    for source in reversed(await retriever.between(when, scope)):
        seen = source.observation
        number = _people_in(seen)
        if number and all(matcher.sees(t, seen.text) for t in others):
            if not counted or counted[-1][0] != number:
                counted.append((number, source))
    if not counted:
        return abstain()
    told = counted[:3]
    passages = tuple(Passage(s.observation.text, (s,)) for _, s in told)
    return Plan(passages, composed.people([(n, s.observation) for n, s in told]))


def _people_in(seen: Observation) -> int:
    if seen.kind != "vision":
        return 0
    match = _PEOPLE.search(seen.text)
    return int(match[1]) if match else 0
