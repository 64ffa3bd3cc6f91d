"""One stream while it is perceived: pipeline → memory, and its spoken questions → answers.

Perception never waits for an answer: answers are tasks of their own, given from memory as it was
when the question began.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from perception.pipeline import Heard, MomentCut, Progress, Seen, StreamPipeline, VoiceEnded
from perception.records import Moment, Observation, Stream
from perception.sources import Source
from reasoning.gate import Gate
from reasoning.records import Answer, Question, Replace
from serve import metrics
from serve.api import moment_json, observation_json
from serve.patient import WaitingPerceiver, patiently
from serve.services import Services

ANSWERS_AT_ONCE = 2  # of one stream's spoken questions
SILENCES = 64  # ends of speech remembered until their utterances are recognised

# Bytes of one observation's vector: what a moment weighs beside its text and keyframe.
VECTOR_BYTES = 384


@dataclass(slots=True)
class Tally:
    """What a session has done so far. `bytes` is text, vectors and keyframes of its moments."""

    stream_time: float = 0.0
    moments: int = 0
    observations: int = 0
    bytes: int = 0
    lag: float = 0.0
    dropped_frames: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list)


class StreamSession:
    """Runs one stream to its end. `publish(kind, body)` is told everything as it happens."""

    def __init__(
        self,
        stream: Stream,
        source: Source,
        services: Services,
        gate: Gate,
        publish: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.stream = stream
        self.tally = Tally()
        self._source = source
        self._services = services
        self._gate = gate
        self._publish = publish
        self._answering = asyncio.Semaphore(ANSWERS_AT_ONCE)
        # Ends of speech in stream time, and when (perf_counter) the recording was read so far.
        self._silences: deque[tuple[float, float]] = deque(maxlen=SILENCES)

    async def run(self) -> Tally:
        """Perceive until the source ends, and answer what was asked on the way."""
        pipeline = StreamPipeline(
            self.stream,
            WaitingPerceiver(self._services.perception),
            role_of=lambda text: self._gate.judge(text).role,
        )
        run = aclosing(pipeline.run(self._source))
        async with asyncio.TaskGroup() as answering, run as events:
            async for event in events:
                match event:
                    case MomentCut(moment, keyframe):
                        await patiently(partial(self._remember, moment, keyframe))
                    case VoiceEnded(ended):
                        self._silences.append((ended, time.perf_counter()))
                    case Heard(observation, _) if observation.role == "question":
                        self._perceived(observation)
                        since = self._silent_since(observation.end)
                        answering.create_task(self._answer(observation, since))
                    case Heard(observation, _) | Seen(observation):
                        self._perceived(observation)
                    case Progress(stream_time, lag, dropped):
                        self._progress(stream_time, lag, dropped)
        return self.tally

    async def _remember(self, moment: Moment, keyframe: bytes | None) -> None:
        keyframes = {moment.keyframe: keyframe} if moment.keyframe and keyframe else {}
        # The stream has come as far as the moment, whatever the clock of its source says.
        seconds = max(self.tally.stream_time, moment.end)
        self.stream = replace(self.stream, seconds=seconds)
        with metrics.stage("remember"):
            await self._services.memory.remember(self.stream, [moment], keyframes)
        self.tally.moments += 1
        self.tally.observations += len(moment.observations)
        self.tally.bytes += len(moment.text.encode()) + VECTOR_BYTES * len(moment.observations)
        self.tally.bytes += len(keyframe or b"")
        self._publish("moment", moment_json(moment))

    def _perceived(self, observation: Observation) -> None:
        self._publish("observation", observation_json(observation))

    def _progress(self, stream_time: float, lag: float, dropped: int) -> None:
        self.tally.stream_time = stream_time
        self.tally.lag, self.tally.dropped_frames = lag, dropped
        metrics.LAG.labels(self.stream.id).set(lag)
        metrics.DROPPED_FRAMES.labels(self.stream.id).set(dropped)
        self._publish("progress", {"stream_time": stream_time, "lag": lag, "dropped": dropped})

    def _silent_since(self, end: float) -> float:
        """When (perf_counter) the speech that ends then had been read."""
        now = time.perf_counter()
        return next((at for ended, at in self._silences if ended >= end - 0.01), now)

    async def _answer(self, heard: Observation, since: float) -> None:
        """`since`: when (perf_counter) the question had been spoken."""
        began = time.perf_counter()
        judgement = self._gate.judge(heard.text)
        gate_ms = (time.perf_counter() - began) * 1000
        question = Question(
            text=judgement.question,
            stream_id=self.stream.id,
            at=heard.start,
            trigger="spoken",
            utterance={"text": heard.text, "start": heard.start, "end": heard.end},
        )
        self._publish("state", {"state": "thinking", "question": question.text})
        try:
            async with self._answering:
                # A recording asks faster than anybody would: its questions wait their turn.
                answer, first = await patiently(lambda: self._generate(question))
        except Exception as error:  # noqa: BLE001 - an answer that fails must not stop perception
            metrics.FAILED_ANSWERS.inc()
            self._publish("state", {"state": "failed", "message": str(error)})
            return
        timings = replace(
            answer.timings,
            gate_ms=round(gate_ms, 2),
            first_token_ms=round((first - since) * 1000, 1),
            total_ms=round((time.perf_counter() - since) * 1000, 1),
        )
        body = replace(answer, timings=timings).to_json()
        self.tally.answers.append(body)
        self._publish("answer", body)
        self._publish("state", {"state": "listening"})

    async def _generate(self, question: Question) -> tuple[Answer, float]:
        """The answer, and when (perf_counter) its first words came."""
        first: float | None = None
        async for piece in self._services.reasoning.answer(question):
            first = time.perf_counter() if first is None else first
            if isinstance(piece, Answer):
                return piece, first
            self._publish("token", {"text": piece.text, "replace": isinstance(piece, Replace)})
        raise RuntimeError("the answer ended before it was whole")
