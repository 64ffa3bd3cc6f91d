"""Answers a question from memory: understand, retrieve, decide, generate, verify, cite.

Whether there is an answer is decided by rules over the evidence before the language model runs;
what it writes is checked against that evidence after, but for answers from pictures, which words
cannot check. Times, counts and sightings are written by code. What is remembered is data: no memory can change what happens here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from memory.asof import AsOf
from memory.records import MemoryReader, Snapshot
from reasoning import composed
from reasoning.analysis import Analysis, analyse
from reasoning.errors import GenerationFailed, ModelSilent, QuestionRefused
from reasoning.evidence import Source
from reasoning.followup import resolve
from reasoning.gate import Gate
from reasoning.generator import Generator
from reasoning.judging import Judge
from reasoning.looking import Keyframes, Looking, unseen, wanted
from reasoning.nearness import Nearness, unknown
from reasoning.plan import decide
from reasoning.planned import Plan
from reasoning.prompt import Prompt, memory_line
from reasoning.records import (
    Answer,
    Citation,
    Question,
    Replace,
    Timings,
    Token,
    keyframe_url,
)
from reasoning.retrieval import Retriever
from reasoning.timeparse import clock, parse
from reasoning.verify import adds, stands
from reasoning.wording import agreeing, direct, opening, rest_of_when

log = logging.getLogger("lookback.reasoning")

MAX_QUESTION = 2000  # characters
_QUOTE = 200  # characters
# Where cores are short, or an endpoint far, the model may need ten seconds for its first word. Longer
# than two and a person asks again; the evidence is known by then, so it is told instead.
FIRST_TOKEN = 2.0  # seconds
LIVE_FRAMES = 4

Method = Literal["generated", "quoted", "abstained"]


_Key = tuple[str, str | None, float | None, datetime | None, int | None]


@dataclass(frozen=True, slots=True)
class _Decided:
    """What a question is answered from, and the memory that was decided over."""

    plan: Plan
    analysis: Analysis
    retriever: Retriever
    snapshot: Snapshot


@dataclass(slots=True)
class _Told:
    """What an answer came to be: from which plan, and why without the model."""

    plan: Plan
    text: str = ""
    failure: GenerationFailed | None = None

    @property
    def silent(self) -> bool:
        return isinstance(self.failure, ModelSilent)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A question being prepared: its text, and of what it is asked."""

    question: _Key
    deciding: asyncio.Future[_Decided]
    evaluating: asyncio.Future[None]


class Agent:
    """`near` says how near two words are in meaning; without it only stems and lists decide.
    `clock` gives the seconds that timings are measured with. A model that has said nothing
    `first_token` seconds after it was asked is not waited for: the evidence is quoted, and the
    answer says why.
    With a `judge`, notes that hold other words than the question are read by the model too.
    With `keyframes`, a generator that sees is shown pictures, `live_frames` of them of now."""

    def __init__(
        self,
        memory: MemoryReader,
        generator: Generator,
        *,
        near: Nearness = unknown,
        clock: Callable[[], float] = time.monotonic,
        agent_name: str = "Lookback",
        first_token: float = FIRST_TOKEN,
        keyframes: Keyframes | None = None,
        live_frames: int = LIVE_FRAMES,
        judge: Judge | None = None,
    ) -> None:
        self._memory = memory
        self._generator = generator
        self._near = near
        self._clock = clock
        self._gate = Gate(agent_name, "push")
        self._name = agent_name
        self._first_token = first_token
        self._judge = judge
        self._prepared: _Prepared | None = None
        self._looking: Looking | None = None
        if keyframes is not None and generator.capabilities.sees:
            self._looking = Looking(keyframes, generator, live_frames)

    async def warm(self) -> None:
        """Evaluate what every prompt begins with."""
        await self._generator.warm()
        if self._judge is not None:
            await self._judge.warm()

    async def answer(self, question: Question) -> AsyncGenerator[Token | Replace | Answer, None]:
        """Tokens as they come, a Replace if they did not stand, then one Answer. Closing the
        iterator cancels generation. A model that fails is said to have. Raises QuestionRefused."""
        began = self._clock()
        asked, at = self._asked(question)
        gated = self._clock()
        decided = await self._decided(asked, question, at)
        retrieved = self._clock()

        first: float | None = None
        told = _Told(decided.plan)
        async with aclosing(self._tell(decided, asked, told)) as pieces:
            async for piece in pieces:
                first = first or self._clock()
                yield piece
        citations = await self._cite(told.plan, decided.retriever)
        ended = self._clock()
        yield Answer(
            question=question.text,
            answer=told.text,
            abstained=told.plan.abstained,
            citations=citations,
            snapshot=decided.snapshot,
            timings=Timings(
                gate_ms=_ms(gated - began),
                retrieval_ms=_ms(retrieved - gated),
                first_token_ms=_ms((first or ended) - began),
                total_ms=_ms(ended - began),
            ),
            trigger=question.trigger,
            method=_method(told.plan),
            utterance=question.utterance,
            failure=None if told.failure is None else str(told.failure),
            silent=told.silent,
        )

    async def _tell(
        self, decided: _Decided, asked: str, told: _Told
    ) -> AsyncGenerator[Token | Replace, None]:
        """The answer piece by piece; in `told` what it came to be."""
        plan = decided.plan
        if plan.text is not None:
            told.text = plan.text
            yield Token(plan.text)
            return
        begun = self._begun(plan, asked)
        said = False
        try:
            async with aclosing(self._in_time(plan, asked)) as pieces:
                async for piece in pieces:
                    if plan.guess and not told.text:
                        piece = composed.guessed(piece)  # noqa: PLW2901 - it is this piece
                    yield Token(piece, opening=not told.text and piece == begun)
                    told.text, said = told.text + piece, True
        except GenerationFailed as error:
            told.failure = error
            log.warning("an answer is given without the language model: %s", error)
        told.text = " ".join(told.text.split())
        if said and told.failure is None and told.text != begun:
            if self._stands(told.text.removeprefix(composed.GUESS), plan, decided.analysis):
                return
        left = plan.otherwise or plan
        told.text = left.text or composed.lines(left.evidence)
        told.plan = replace(left, text=told.text)
        if told.failure is not None and not told.silent:
            told.text = composed.without_model(told.text)
        elif told.silent and not self._generator.capabilities.gives_way:
            told.text = composed.without_first_word(told.text)
        yield Replace(told.text) if said else Token(told.text)

    async def prepare(self, question: Question) -> None:
        """Decide what this question will be answered from, and have the prompt's keys and values
        ready, in case it is asked just so. Another question's answer goes before it.
        Raises QuestionRefused."""
        asked, at = self._asked(question)
        await self._stop_preparing()
        deciding = asyncio.ensure_future(self._decide(asked, question, at))
        evaluating = asyncio.ensure_future(self._evaluate(deciding, asked))
        self._prepared = _Prepared(_asked_of(asked, question, at), deciding, evaluating)
        await asyncio.wait({evaluating})
        if not evaluating.cancelled():
            evaluating.result()

    async def _evaluate(self, deciding: asyncio.Future[_Decided], asked: str) -> None:
        plan = (await deciding).plan
        if plan.text is None and self._generator.capabilities.prepares:
            async with aclosing(self._generate(replace(plan, max_tokens=1), asked)) as pieces:
                async for _piece in pieces:
                    pass

    async def _decided(self, asked: str, question: Question, at: float | None) -> _Decided:
        """As prepared, where this very question was: the model then goes on from its prompt."""
        prepared = self._prepared
        if prepared is None or prepared.question != _asked_of(asked, question, at):
            await self._stop_preparing()
            return await self._decide(asked, question, at)
        self._prepared = None
        return await asyncio.shield(prepared.deciding)

    async def _stop_preparing(self) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            prepared.evaluating.cancel()
            prepared.deciding.cancel()
            await asyncio.gather(prepared.evaluating, prepared.deciding, return_exceptions=True)

    def _asked(self, question: Question) -> tuple[str, float | None]:
        """What is asked, on its own, and the stream time it is asked of."""
        text = question.text
        if len(text) > MAX_QUESTION:
            raise QuestionRefused(
                f"a question has at most {MAX_QUESTION} characters, this has {len(text)}"
            )
        if not text.strip():
            raise QuestionRefused("the question is empty")
        asked = direct(self._gate.judge(text).question)
        if question.follows is None:
            return asked, question.at
        whole = resolve(asked, question.follows)
        return whole.text, question.at if whole.before is None else whole.before

    async def _snapshot(self, question: Question) -> Snapshot:
        """What the answer is given from, whatever is remembered meanwhile."""
        present = await self._memory.snapshot(question.stream_id)
        version = present.version if question.version is None else question.version
        if version > present.version:
            raise QuestionRefused(f"memory is at version {present.version}, not yet at {version}")
        at = present.stream_time if question.at is None else question.at
        if version < present.version and question.at is None:
            then = await self._memory.streams(version)
            at = next((s.seconds for s in then if s.id == question.stream_id), None)
        return Snapshot(version, at)

    async def _decide(self, asked: str, question: Question, at: float | None) -> _Decided:
        snapshot = await self._snapshot(question)
        retriever = Retriever(AsOf(self._memory, snapshot.version, question.wall))
        clock_now = question.wall or datetime.now(UTC)
        scope = await retriever.scope(question.stream_id, at, clock_now, question.wall)
        when = parse(asked, scope.now, scope.wall_now)
        analysis = analyse(when.rest)
        plan = await decide(analysis, when, scope, retriever, self._near, self._name, self._judge)
        if self._looking is not None and wanted(analysis, when, plan):
            plan = await self._looking.look(plan, when, scope, retriever, question.frames)
        return _Decided(plan, analysis, retriever, snapshot)

    async def _in_time(self, plan: Plan, asked: str) -> AsyncGenerator[str, None]:
        """The model's answer, its wording repaired. Where its first word is late, what the evidence
        adds to the beginning; raises ModelSilent where that is nothing."""
        said = self._begun(plan, asked)
        if said:
            yield said
        late: float | None = self._first_token
        silent = False
        stop = ""  # a full stop waits for what may still follow
        async with aclosing(self._generate(plan, asked)) as pieces:
            while True:
                try:
                    piece = await asyncio.wait_for(anext(pieces), late)
                except StopAsyncIteration:
                    break
                except TimeoutError:
                    silent = True
                    break
                late = None
                piece = stop + agreeing(said, piece)
                said += piece
                stop = "." if piece.endswith(".") else ""
                if shown := piece.removesuffix("."):
                    yield shown
        if said.strip() and plan.whole_when:
            rest = rest_of_when(said, "\n".join(p.text for p in plan.evidence))
            if rest:
                silent = False
                yield rest
        if silent:
            raise ModelSilent(self._first_token)
        if stop:
            yield stop

    def _begun(self, plan: Plan, asked: str) -> str:
        """How the answer begins, where the question tells and the model can go on from it."""
        goes_on = self._generator.capabilities.continues and not plan.pictures and not plan.guess
        return opening(asked) if goes_on else ""

    def _prompt(self, plan: Plan, asked: str) -> Prompt:
        if plan.pictures:
            return Prompt(plan.notes, asked, pictures=plan.pictures)
        lines: list[str] = []
        tokens = 0
        for passage in plan.evidence:
            seen = passage.main
            line = memory_line(seen.kind, passage.text, seen.speaker)
            tokens += self._generator.count(line)
            if lines and tokens > self._generator.capabilities.text_tokens:
                break
            lines.append(line)
        return Prompt(tuple(lines), asked, self._begun(plan, asked))

    async def _generate(self, plan: Plan, asked: str) -> AsyncGenerator[str, None]:
        prompt = self._prompt(plan, asked)
        async with aclosing(self._generator.stream(prompt, plan.max_tokens)) as pieces:
            async for piece in pieces:
                yield piece

    def _stands(self, text: str, plan: Plan, analysis: Analysis) -> bool:
        if plan.pictures:  # what they show has no words to check it by
            return not unseen(text)
        evidence = "\n".join(
            f"{p.main.speaker or ''} {p.text} {clock(p.main.start)}" for p in plan.evidence
        )
        values = [v for p in plan.evidence for v in p.values]
        if plan.guess and not (analysis.alternatives or adds(text, analysis.text)):
            return False
        return stands(text, evidence, analysis, values)

    async def _cite(self, plan: Plan, retriever: Retriever) -> tuple[Citation, ...]:
        if plan.abstained:
            return ()
        cited: dict[str, Citation] = {}
        for passage in plan.evidence:
            for source in reversed(passage.sources):
                found = await retriever.located(source)
                cited.setdefault(found.observation.id, _citation(found))
        return tuple(cited.values())


def _asked_of(asked: str, question: Question, at: float | None) -> _Key:
    return asked, question.stream_id, at, question.wall, question.version


def _method(plan: Plan) -> Method:
    if plan.abstained:
        return "abstained"
    return "generated" if plan.text is None or plan.own_words else "quoted"


def _citation(source: Source) -> Citation:
    seen = source.observation
    return Citation(
        moment_id=source.moment_id,
        stream_id=seen.stream_id,
        start=seen.start,
        end=seen.end,
        kind="episode" if source.episode else seen.kind,
        quote=_shortened(source.text),
        heard=None if source.corrected is None else _shortened(seen.text),
        keyframe=keyframe_url(source.moment_id) if source.keyframe else None,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _QUOTE else text[: _QUOTE - 1] + "…"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
