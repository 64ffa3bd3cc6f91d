"""The parts with their calls timed, for /metrics: in front of them at the gateway, or inside."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from memory.embedder import Embedder, Vectors
from perception.perceiver import Look, Perceiver
from perception.recognizer import Effort, Transcript
from perception.records import Audio, Image
from perception.sounds import SoundSpan
from reasoning.records import Answer, Question, Replace, Token
from reasoning.speaker import Speech
from serve import metrics
from serve.services import ReasoningService, Services, Talking


def measured(services: Services) -> Services:
    """The same services; what their callers wait for is counted. Memory's routes count for it."""
    talking = services.talking
    return replace(
        services,
        perception=MeasuredPerceiver(services.perception),
        reasoning=MeasuredReasoning(services.reasoning),
        talking=None if talking is None else MeasuredTalking(talking),
    )


class MeasuredPerceiver:
    """A perceiver, timed."""

    def __init__(self, inner: Perceiver) -> None:
        self._inner = inner

    async def recognize(self, audio: Audio, effort: Effort = "full") -> Transcript:
        with metrics.stage(f"recognise_{effort}"):
            return await self._inner.recognize(audio, effort)

    async def listen(self, audio: Audio) -> tuple[SoundSpan, ...]:
        with metrics.stage("listen"):
            return await self._inner.listen(audio)

    async def look(self, image: Image, read: bool) -> Look:
        with metrics.stage("look_and_read" if read else "look"):
            return await self._inner.look(image, read)


class MeasuredReasoning:
    """Counts answers, asked and spoken alike, and how long they took."""

    def __init__(self, inner: ReasoningService) -> None:
        self._inner = inner

    async def answer(self, question: Question) -> AsyncGenerator[Token | Replace | Answer, None]:
        async with aclosing(self._inner.answer(question)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    metrics.ANSWERS.labels(piece.method).inc()
                    if piece.failure is not None:
                        why = "silent" if piece.silent else "failed"
                        metrics.WITHOUT_MODEL.labels(why).inc()
                    metrics.LATENCY.labels("first_token").observe(
                        piece.timings.first_token_ms / 1000
                    )
                    metrics.LATENCY.labels("answer").observe(piece.timings.total_ms / 1000)
                yield piece


class MeasuredTalking:
    """Preparing and speaking, timed."""

    def __init__(self, inner: Talking) -> None:
        self._inner = inner

    async def prepare(self, question: Question) -> None:
        with metrics.stage("prepare"):
            await self._inner.prepare(question)

    async def speak(self, text: str) -> Speech:
        with metrics.stage("speak"):
            return await self._inner.speak(text)


class MeasuredEmbedder:
    """An embedder in a deployment, timed."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def dimension(self) -> int:
        return self._inner.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        with metrics.work("embed"):
            return self._inner.embed(texts)
