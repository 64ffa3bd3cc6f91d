"""Decides what to answer from: the evidence that is put before the model, a text that code writes,
or nothing. By rules over words, and where these find nothing by what the model takes for an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from memory.records import Kind
from reasoning import composed, latest, relative, seeing, spans, supposed
from reasoning.analysis import Analysis
from reasoning.evidence import Passage, Source, is_instruction, newest
from reasoning.judging import Judge, doubted, of_judged
from reasoning.matching import Matcher
from reasoning.nearness import Nearness
from reasoning.pertinence import changed_hands, pertinent
from reasoning.planned import Plan, abstain
from reasoning.restated import restated
from reasoning.retrieval import Retriever, Scope
from reasoning.timeparse import TimeReference
from reasoning.values import has_form
from reasoning.words import SHOWS

_MAX_LONG_ANSWER = 70
_LINES = 5  # memories for an open question
_TIME_NOW = re.compile(
    r"^(?:so )?(?:what time is it|what's the time|what is the time|what(?:'s| is) the date|"
    r"(?:what|which) (?:day|date) is (?:it|this)|do you (?:know|have) (?:what|the) time(?: it is)?)"
    r"(?: right| now| today)*\s*[?.!]*$",
    re.I,
)
_WHO_ANSWERS = re.compile(
    r"^(?:who|what) are you|^what(?:'s| is) your name|^what (?:can|do) you do(?: for me)?\b(?! (?:with|about))|"
    r"^how (?:can|do) you help|^what are you (?:able|good)|^introduce yourself",
    re.I,
)


async def decide(
    analysis: Analysis,
    when: TimeReference,
    scope: Scope,
    retriever: Retriever,
    near: Nearness,
    agent_name: str = "Lookback",
    judge: Judge | None = None,
) -> Plan:
    """Finds the evidence and says what to do with it; where there is none, whether there was."""
    plan = await _decide(analysis, when, scope, retriever, near, agent_name)
    if plan.abstained and not when.present:
        plan = await relative.of_relative(when, scope, retriever, near) or plan
    if judge is not None and not when.present:
        matcher = Matcher(analysis, near)
        if plan.abstained:
            plan = await of_judged(when, scope, retriever, matcher, judge) or plan
        else:
            plan = await doubted(plan, when, matcher, judge)
    if plan.abstained and not when.present and await retriever.gave_up(analysis, when, scope):
        return abstain("no longer kept")
    return plan


async def _decide(
    analysis: Analysis,
    when: TimeReference,
    scope: Scope,
    retriever: Retriever,
    near: Nearness,
    agent_name: str,
) -> Plan:
    aside = _of_now(when.rest, scope, agent_name)
    if aside is not None:
        return aside
    matcher = Matcher(analysis, near)
    if when.present:
        return await seeing.of_present(when, scope, retriever, matcher)
    if seeing.ASKS_WHAT_WAS_SEEN.match(when.rest):
        return await seeing.of_views(when, scope, retriever)
    extreme = latest.asked(when.rest)
    if extreme is not None:
        return await latest.of_latest(extreme, when, scope, retriever)
    if seeing.ASKS_FOR_SCREENS.match(when.rest):
        return await seeing.of_screens(when, scope, retriever)
    span = spans.asked(when.rest)
    if span is not None:
        told = await spans.of_long(span, when, scope, retriever)
        whole = replace(analysis, asked=span, terms=(), speaker=None)
        return told or await _of_span(whole, when, scope, retriever)
    beside = await relative.of_relative(when, scope, retriever, near, sights=True)
    if beside is not None:
        return beside
    if analysis.asked == "sight":
        return await seeing.of_sight(analysis, when, scope, retriever, matcher)
    if analysis.asked == "view":
        return await seeing.of_kind(analysis, when, scope, retriever, matcher)
    if analysis.supposed_place:
        placed = await supposed.of_place(analysis, when, scope, retriever, matcher)
        if placed is not None:
            return placed
    if analysis.asked in ("summary", "report", "screen") and not analysis.required:
        return await _of_span(analysis, when, scope, retriever)
    if _of_nothing_named(analysis, when):
        return abstain()
    return await _of_statements(analysis, when, scope, retriever, near, matcher)


async def _of_statements(
    analysis: Analysis,
    when: TimeReference,
    scope: Scope,
    retriever: Retriever,
    near: Nearness,
    matcher: Matcher,
) -> Plan:
    """From what was said or shown of what the question names."""
    found = await retriever.find(analysis, when, scope, matcher)
    if not found and analysis.asked not in ("count", "screen", "summary"):
        found = await retriever.likely(when, scope, matcher)
    if analysis.asked in ("count", "moment", "elapsed") or (analysis.asked == "when" and not found):
        return await _of_time(analysis, when, scope, retriever, near, found)
    if not found and analysis.asked == "number" and _of_persons(analysis):
        return await seeing.of_people(analysis, when, scope, retriever, matcher)
    if not found and analysis.asked == "screen" and _screens_only(analysis):
        return await seeing.of_screen(scope, retriever)
    if not found:
        return abstain()
    if analysis.asked in ("report", "summary", "screen", "open"):
        return _of_several(analysis, found)
    if analysis.alternatives:
        return supposed.of_alternatives(analysis, found, when.history) or abstain()
    chosen = newest(pertinent(found, matcher), when.history)
    chosen = [await restated(p, matcher, when, scope, retriever) for p in chosen]
    if analysis.asked == "yesno":
        said = supposed.of_yes_or_no(analysis, chosen[0])
        if said is not None:
            return said
    if not all(p.sure for p in chosen):
        return Plan(tuple(chosen), composed.unsure(chosen))
    quoted = any(
        is_instruction(p.text) or p.heard_as or changed_hands(analysis.text, p) for p in chosen
    )
    if quoted:
        return Plan(tuple(chosen), composed.lines(chosen))
    return Plan(tuple(chosen), whole_when=analysis.asked == "when")


def _of_now(asked: str, scope: Scope, agent_name: str) -> Plan | None:
    """The clock, and who answers: nothing that memory is asked for."""
    if _TIME_NOW.match(asked):
        return Plan(text=composed.time_now(scope.clock.astimezone()), own_words=True)
    if _WHO_ANSWERS.match(asked):
        return Plan(text=composed.introduction(agent_name), own_words=True)
    return None


def _of_persons(analysis: Analysis) -> bool:
    return any(t.stem in ("person", "face") for t in analysis.required)


def _of_nothing_named(analysis: Analysis, when: TimeReference) -> bool:
    """Any place would answer "Where was I?", so none does."""
    named = analysis.required or analysis.alternatives or when.bounded
    return not named and has_form(analysis.asked)


def _screens_only(analysis: Analysis) -> bool:
    """Nothing but the thing that shows is named."""
    return all(t.stem in SHOWS for t in analysis.required)


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
            return abstain()
        analysis = replace(analysis, asked="moment")
        found = await retriever.find(analysis, when, scope, Matcher(analysis, near))
    matcher = Matcher(analysis, near)
    if not found:
        found = await retriever.sightings(analysis, when, scope, matcher)
    if not found:
        return abstain()
    best = [p for p in found if p.score >= found[0].score - 0.75]
    verbs = max(map(matcher.exact, best))
    best = sorted((p for p in best if matcher.exact(p) == verbs), key=lambda p: p.at)
    if analysis.asked == "count":
        apart = _apart(found)
        more = await retriever.gave_up(analysis, when, scope)
        return Plan(tuple(apart[:6]), composed.count(apart, at_least=more))
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
        return abstain()
    passages = tuple(Passage(s.text, (s,)) for s in sources)
    if analysis.asked == "screen" or any(is_instruction(p.text) for p in passages):
        return Plan(passages, composed.lines(passages))
    return Plan(passages, max_tokens=_MAX_LONG_ANSWER)


def _of_several(analysis: Analysis, found: list[Passage]) -> Plan:
    if analysis.speaker:
        found = [
            p for p in found if p.heard_as or any(_said_by(s, analysis.speaker) for s in p.sources)
        ]
    if not found:
        return abstain()
    told = {p.text.casefold(): p for p in reversed(found)}  # each text once, where it fits best
    chosen = sorted([p for p in found if told[p.text.casefold()] is p][:_LINES], key=lambda p: p.at)
    if analysis.asked == "screen":
        first = next((p for p in found if p.main.kind == "screen_text"), found[0])
        return Plan((first,), composed.quote(first))
    # A slide's few words tempt a small model to say more about it than they do.
    if any(is_instruction(p.text) or p.heard_as or _shown(p) for p in chosen):
        return Plan(tuple(chosen), composed.lines(chosen))
    return Plan(tuple(chosen), max_tokens=_MAX_LONG_ANSWER)


def _shown(passage: Passage) -> bool:
    return passage.main.kind == "screen_text"


def _said_by(source: Source, name: str) -> bool:
    seen = source.observation
    if seen.speaker:
        return seen.speaker.lower() == name.lower() or name.lower() in source.text.lower()
    return name.lower() in source.text.lower()


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
