"""Decides what to answer from: the evidence that is put before the model, a text that code writes,
or nothing. All rules, before the language model runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perception.records import Kind
from reasoning import composed
from reasoning.analysis import Analysis
from reasoning.evidence import Matcher, Passage, Source, is_instruction, newest
from reasoning.nearness import Nearness
from reasoning.retrieval import Retriever, Scope
from reasoning.timeparse import TimeReference
from reasoning.values import colours, dates, numbers, times

_MAX_ANSWER = 40  # tokens
_MAX_LONG_ANSWER = 70
_LINES = 5  # memories for an open question
_PRESENT = 8.0  # seconds that still are now


@dataclass(frozen=True, slots=True)
class Plan:
    """What to say: `text` by code, or, where it is None, `evidence` for the model to put in words."""

    evidence: tuple[Passage, ...] = ()
    text: str | None = None
    abstained: bool = False
    max_tokens: int = _MAX_ANSWER


async def decide(
    analysis: Analysis,
    when: TimeReference,
    scope: Scope,
    retriever: Retriever,
    near: Nearness,
) -> Plan:
    """Finds the evidence and says what to do with it."""
    matcher = Matcher(analysis, near)
    if when.present:
        return await _of_present(scope, retriever)
    if analysis.asked == "sight":
        return await _of_sight(analysis, when, scope, retriever, matcher)
    if analysis.asked in ("summary", "report", "screen") and not analysis.required:
        return await _of_span(analysis, when, scope, retriever)
    found = await retriever.find(analysis, when, scope, matcher)
    if analysis.asked in ("count", "moment", "elapsed") or (analysis.asked == "when" and not found):
        return await _of_time(analysis, when, scope, retriever, near, found)
    if not found:
        return _abstain()
    if analysis.asked in ("report", "summary", "screen", "open"):
        return _of_several(analysis, found)
    chosen = newest(found, when.history)
    if analysis.asked == "yesno" and (agrees := _agrees(analysis.text, chosen[0])) is not None:
        return Plan(tuple(chosen), composed.yes_or_no(agrees, chosen[0]))
    if any(is_instruction(p.text) for p in chosen):
        return Plan(tuple(chosen), composed.lines(chosen))
    return Plan(tuple(chosen))


async def _of_present(scope: Scope, retriever: Retriever) -> Plan:
    seen = await retriever.present(scope, _PRESENT)
    if not seen:
        return _abstain("I don't see anything right now.")
    passages = tuple(Passage(s.observation.text, (s,)) for s in seen)
    return Plan(passages, composed.present([s.observation for s in seen]))


async def _of_sight(
    analysis: Analysis, when: TimeReference, scope: Scope, retriever: Retriever, matcher: Matcher
) -> Plan:
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
        return _abstain(composed.no_sighting(analysis.noun_phrase))
    return Plan((seen[0],), composed.sighting(analysis.noun_phrase, seen[0].main))


async def _of_time(
    analysis: Analysis,
    when: TimeReference,
    scope: Scope,
    retriever: Retriever,
    near: Nearness,
    found: list[Passage],
) -> Plan:
    """When, how long ago, how often: from the times of what was found, never from the model."""
    if analysis.asked == "when":
        if not any(
            w in analysis.text.lower().split() for w in ("did", "was", "were", "have", "has")
        ):
            return _abstain()
        analysis = replace(analysis, asked="moment")
        found = await retriever.find(analysis, when, scope, Matcher(analysis, near))
    matcher = Matcher(analysis, near)
    if not found:
        found = await retriever.sightings(analysis, when, scope, matcher)
    if not found:
        return _abstain()
    best = [p for p in found if p.score >= found[0].score - 0.75]
    verbs = max(map(matcher.exact, best))
    best = sorted((p for p in best if matcher.exact(p) == verbs), key=lambda p: p.at)
    if analysis.asked == "count":
        apart = _apart(found)
        return Plan(tuple(apart[:6]), composed.count(apart))
    if analysis.asked == "elapsed":
        return Plan((best[-1],), composed.elapsed(best[-1], scope.wall_now))
    chosen = best[-1] if when.recent else best[0]
    return Plan((chosen,), composed.moment(chosen))


async def _of_span(
    analysis: Analysis, when: TimeReference, scope: Scope, retriever: Retriever
) -> Plan:
    """What happened, was said or was shown in a span of time."""
    kinds: tuple[Kind, ...] = ("speech", "screen_text", "vision")
    if analysis.asked in ("report", "screen"):
        kinds = ("speech",) if analysis.asked == "report" else ("screen_text",)
    sources = [s for s in await retriever.between(when, scope) if s.observation.kind in kinds]
    if analysis.speaker:
        sources = [s for s in sources if _said_by(s, analysis.speaker)]
    if analysis.asked == "screen":
        sources = sources[-1:]
    sources = _spread(sources, _LINES)
    if not sources:
        return _abstain()
    passages = tuple(Passage(s.observation.text, (s,)) for s in sources)
    if analysis.asked == "screen" or any(is_instruction(p.text) for p in passages):
        return Plan(passages, composed.lines(passages))
    return Plan(passages, max_tokens=_MAX_LONG_ANSWER)


def _of_several(analysis: Analysis, found: list[Passage]) -> Plan:
    if analysis.speaker:
        found = [p for p in found if any(_said_by(s, analysis.speaker) for s in p.sources)]
    if not found:
        return _abstain()
    chosen = sorted(found[:_LINES], key=lambda p: p.at)
    if analysis.asked == "screen":
        first = next((p for p in found if p.main.kind == "screen_text"), found[0])
        return Plan((first,), composed.quote(first))
    if any(is_instruction(p.text) for p in chosen):
        return Plan(tuple(chosen), composed.lines(chosen))
    return Plan(tuple(chosen), max_tokens=_MAX_LONG_ANSWER)


def _said_by(source: Source, name: str) -> bool:
    seen = source.observation
    if seen.speaker:
        return seen.speaker.lower() == name.lower() or name.lower() in seen.text.lower()
    return name.lower() in seen.text.lower()


def _spread(sources: Sequence[Source], limit: int) -> list[Source]:
    """At most so many, over the whole span; what was said before what was seen."""
    said = [
        s for s in sources if s.observation.kind != "vision" and len(s.observation.text.split()) > 2
    ]
    kept = (
        said
        if len(said) >= limit
        else [*said, *[s for s in sources if s not in said][: limit - len(said)]]
    )
    if len(kept) > limit:
        kept = [kept[round(i * (len(kept) - 1) / (limit - 1))] for i in range(limit)]
    return sorted(kept, key=lambda s: s.observation.start)


def _apart(found: Sequence[Passage], seconds: float = 5.0) -> list[Passage]:
    """One passage for each time it happened: those closer together are one time."""
    kept: list[Passage] = []
    for passage in sorted(found, key=lambda p: p.at):
        if kept and (passage.at - kept[-1].at).total_seconds() <= seconds:
            continue
        kept.append(passage)
    return kept


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


def _abstain(text: str = composed.NOTHING) -> Plan:
    return Plan((), text, abstained=True)
