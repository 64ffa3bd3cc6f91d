"""Answers a question from memory: understand, retrieve, decide, generate, verify, cite.

Whether there is an answer is decided by rules over the evidence before the language model runs;
what it writes is checked against that evidence after. Times, counts and sightings are written by
code. What is remembered is data: no memory can change what happens here.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from memory.records import MemoryReader, Snapshot
from reasoning import composed
from reasoning.analysis import Analysis, analyse
from reasoning.errors import QuestionRefused
from reasoning.evidence import Matcher, Passage, Source, is_instruction, newest
from reasoning.gate import Gate
from reasoning.generator import Generator
from reasoning.nearness import Nearness, unknown
from reasoning.prompt import Prompt, memory_line
from reasoning.records import Answer, Citation, Question, Replace, Timings, Token
from reasoning.retrieval import Retriever, Scope
from reasoning.timeparse import TimeReference, clock, parse
from reasoning.values import colours, dates, numbers, times
from reasoning.verify import stands

MAX_QUESTION = 2000  # characters
_MAX_ANSWER = 40  # tokens
_MAX_LONG_ANSWER = 70
_MEMORY_TOKENS = 160  # of all memory lines together
_LINES = 5  # memories for an open question
_PRESENT = 8.0  # seconds that still are now
_QUOTE = 200  # characters

Method = Literal["generated", "quoted", "abstained"]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to say: `text` by code, or, where it is None, `evidence` for the model to put in words."""

    evidence: tuple[Passage, ...] = ()
    text: str | None = None
    abstained: bool = False
    max_tokens: int = _MAX_ANSWER


class Agent:
    """`near` says how near two words are in meaning; without it only stems and lists decide.
    `clock` gives the seconds that timings are measured with."""

    def __init__(
        self,
        memory: MemoryReader,
        generator: Generator,
        *,
        near: Nearness = unknown,
        clock: Callable[[], float] = time.monotonic,
        agent_name: str = "Lookback",
    ) -> None:
        self._memory = memory
        self._generator = generator
        self._near = near
        self._clock = clock
        self._gate = Gate(agent_name, "push")

    async def answer(self, question: Question) -> AsyncIterator[Token | Replace | Answer]:
        """Tokens as they come, a Replace if they did not stand, then one Answer. Closing the
        iterator cancels generation. Raises QuestionRefused."""
        began = self._clock()
        asked = self._asked(question.text)
        gated = self._clock()
        snapshot = await self._memory.snapshot(question.stream_id)
        retriever = Retriever(self._memory)
        scope = await retriever.scope(question.stream_id, question.at, datetime.now(UTC))
        when = parse(asked, scope.now, scope.wall_now)
        analysis = analyse(when.rest)
        plan = await self._plan(analysis, when, scope, retriever)
        retrieved = self._clock()

        first: float | None = None
        text, method = plan.text or "", _method(plan)
        if plan.text is not None:
            first = self._clock()
            yield Token(plan.text)
        else:
            async with aclosing(self._generate(plan, asked)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    first = first or self._clock()
                    text += piece
                    yield Token(piece)
            text = " ".join(text.split())
            first = first or self._clock()
            if not self._verified(text, plan, analysis):
                text, method = composed.lines(plan.evidence), "quoted"
                yield Replace(text)
        citations = await self._cite(plan, retriever)
        ended = self._clock()
        yield Answer(
            question=question.text,
            answer=text,
            abstained=plan.abstained,
            citations=citations,
            snapshot=_snapshot_at(snapshot, question.at),
            timings=Timings(
                gate_ms=_ms(gated - began),
                retrieval_ms=_ms(retrieved - gated),
                first_token_ms=_ms(first - began),
                total_ms=_ms(ended - began),
            ),
            trigger=question.trigger,
            method=method,
            utterance=question.utterance,
        )

    def _asked(self, text: str) -> str:
        if len(text) > MAX_QUESTION:
            raise QuestionRefused(f"a question has at most {MAX_QUESTION} characters, this has {len(text)}")
        if not text.strip():
            raise QuestionRefused("the question is empty")
        return self._gate.judge(text).question

    async def _plan(self, analysis: Analysis, when: TimeReference, scope: Scope, retriever: Retriever) -> _Plan:
        matcher = Matcher(analysis, self._near)
        if when.present:
            return await _of_present(scope, retriever)
        if analysis.asked == "sight":
            return await _of_sight(analysis, when, scope, retriever, matcher)
        if analysis.asked in ("summary", "report", "screen") and not analysis.required:
            return await _of_span(analysis, when, scope, retriever)
        found = await retriever.find(analysis, when, scope, matcher)
        if analysis.asked in ("count", "moment", "elapsed") or (analysis.asked == "when" and not found):
            return await _of_time(analysis, when, scope, retriever, self._near, found)
        if not found:
            return _abstain()
        if analysis.asked in ("report", "summary", "screen", "open"):
            return _of_several(analysis, found)
        chosen = newest(found, when.history)
        if analysis.asked == "yesno" and (agrees := _agrees(analysis.text, chosen[0])) is not None:
            return _Plan(tuple(chosen), composed.yes_or_no(agrees, chosen[0]))
        if any(is_instruction(p.text) for p in chosen):
            return _Plan(tuple(chosen), composed.lines(chosen))
        return _Plan(tuple(chosen))

    async def _generate(self, plan: _Plan, asked: str) -> AsyncIterator[str]:
        lines, tokens = [], 0
        for passage in plan.evidence:
            seen = passage.main
            line = memory_line(seen.kind, clock(seen.start), passage.text, seen.speaker)
            tokens += self._generator.count(line)
            if lines and tokens > _MEMORY_TOKENS:
                break
            lines.append(line)
        prompt = Prompt(tuple(lines), asked)
        async with aclosing(self._generator.stream(prompt, plan.max_tokens)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                yield piece

    def _verified(self, text: str, plan: _Plan, analysis: Analysis) -> bool:
        evidence = "\n".join(f"{p.main.speaker or ''} {p.text} {clock(p.main.start)}" for p in plan.evidence)
        values = [v for p in plan.evidence for v in p.values]
        return stands(text, evidence, analysis, values)

    async def _cite(self, plan: _Plan, retriever: Retriever) -> tuple[Citation, ...]:
        if plan.abstained:
            return ()
        cited: dict[str, Citation] = {}
        for passage in plan.evidence:
            for source in reversed(passage.sources):
                found = await retriever.located(source)
                cited.setdefault(found.observation.id, _citation(found))
        return tuple(cited.values())


async def _of_present(scope: Scope, retriever: Retriever) -> _Plan:
    seen = await retriever.present(scope, _PRESENT)
    if not seen:
        return _abstain("I don't see anything right now.")
    passages = tuple(Passage(s.observation.text, (s,)) for s in seen)
    return _Plan(passages, composed.present([s.observation for s in seen]))


async def _of_sight(
    analysis: Analysis, when: TimeReference, scope: Scope, retriever: Retriever, matcher: Matcher
) -> _Plan:
    seen = await retriever.sightings(analysis, when, scope, matcher)
    if not seen:
        found = await retriever.find(analysis, when, scope, matcher)
        spoken = analysis.text.lower().startswith(("was there", "were there", "is there", "are there"))
        seen = [p for p in found if p.main.kind == "screen_text" or spoken]
        if seen and seen[0].main.kind != "screen_text":
            return _Plan((seen[0],), composed.yes_or_no(True, seen[0]))
    if not seen:
        return _abstain(composed.no_sighting(analysis.noun_phrase))
    return _Plan((seen[0],), composed.sighting(analysis.noun_phrase, seen[0].main))


async def _of_time(
    analysis: Analysis,
    when: TimeReference,
    scope: Scope,
    retriever: Retriever,
    near: Nearness,
    found: list[Passage],
) -> _Plan:
    """When, how long ago, how often: from the times of what was found, never from the model."""
    if analysis.asked == "when":
        if not any(w in analysis.text.lower().split() for w in ("did", "was", "were", "have", "has")):
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
        return _Plan(tuple(apart[:6]), composed.count(apart))
    if analysis.asked == "elapsed":
        return _Plan((best[-1],), composed.elapsed(best[-1], scope.wall_now))
    chosen = best[-1] if when.recent else best[0]
    return _Plan((chosen,), composed.moment(chosen))


async def _of_span(analysis: Analysis, when: TimeReference, scope: Scope, retriever: Retriever) -> _Plan:
    """What happened, was said or was shown in a span of time."""
    kinds = {"report": ("speech",), "screen": ("screen_text",)}.get(analysis.asked, ("speech", "screen_text", "vision"))
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
        return _Plan(passages, composed.lines(passages))
    return _Plan(passages, max_tokens=_MAX_LONG_ANSWER)


def _of_several(analysis: Analysis, found: list[Passage]) -> _Plan:
    if analysis.speaker:
        found = [p for p in found if any(_said_by(s, analysis.speaker) for s in p.sources)]
    if not found:
        return _abstain()
    chosen = sorted(found[:_LINES], key=lambda p: p.at)
    if analysis.asked == "screen":
        shown = [p for p in found if p.main.kind == "screen_text"]
        return _Plan((shown or found)[:1] and tuple((shown or found)[:1]), composed.quote((shown or found)[0]))
    if any(is_instruction(p.text) for p in chosen):
        return _Plan(tuple(chosen), composed.lines(chosen))
    return _Plan(tuple(chosen), max_tokens=_MAX_LONG_ANSWER)


def _said_by(source: Source, name: str) -> bool:
    seen = source.observation
    if seen.speaker:
        return seen.speaker.lower() == name.lower() or name.lower() in seen.text.lower()
    return name.lower() in seen.text.lower()


def _spread(sources: Sequence[Source], limit: int) -> list[Source]:
    """At most so many, over the whole span; what was said before what was seen."""
    said = [s for s in sources if s.observation.kind != "vision" and len(s.observation.text.split()) > 2]
    kept = said if len(said) >= limit else [*said, *[s for s in sources if s not in said][: limit - len(said)]]
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


def _abstain(text: str = composed.NOTHING) -> _Plan:
    return _Plan((), text, abstained=True)


def _method(plan: _Plan) -> Method:
    if plan.abstained:
        return "abstained"
    return "generated" if plan.text is None else "quoted"


def _citation(source: Source) -> Citation:
    seen = source.observation
    return Citation(
        moment_id=source.moment_id,
        stream_id=seen.stream_id,
        start=seen.start,
        end=seen.end,
        kind=seen.kind,
        quote=seen.text if len(seen.text) <= _QUOTE else seen.text[: _QUOTE - 1] + "…",
        keyframe=f"/v1/moments/{source.moment_id}/keyframe" if source.keyframe else None,
    )


def _snapshot_at(snapshot: Snapshot, at: float | None) -> Snapshot:
    """The snapshot at the time the question was asked."""
    return snapshot if at is None else replace(snapshot, stream_time=at)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
