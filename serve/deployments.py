"""The three deployments: Perception (batched models), Memory (the one writer), Reasoning (answers).

Each wraps one object of its package and adds only what running beside the others needs: batches
across streams, threads, a health check, a flush on the way out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from ray import serve

from memory.errors import StoreLocked
from memory.records import (
    Correction,
    DeletionReceipt,
    Episode,
    Fact,
    GivenUp,
    Hit,
    Query,
    Quote,
    Selection,
    Snapshot,
    Stats,
    Uncaptioned,
    Unwritten,
)
from perception.failing import failing
from perception.recognizer import Effort, Transcript
from perception.records import Audio, Image, Moment, Observation, Stream
from reasoning.captions import GeneratorCaptioner
from reasoning.giving_way import GivingWay
from reasoning.records import Answer, Question, Replace, Token
from reasoning.rewriting import GeneratorRewriter
from reasoning.speaker import Speaker, Speech
from serve import gpus, metrics, scaling
from serve.errors import Unavailable
from serve.loading import load_agent, load_perceiver, load_pictures, load_speaker, open_store
from serve.pictures import RemoteEncoder
from serve.rehearsal import rehearse_store
from serve.remote import memory_of
from serve.reporting import Reporting, opened
from serve.services import InProcessMemory
from serve.settings import Settings
from serve.slots import Slots
from serve.trimming import keep_trimmed
from serve.urgency import Urgency
from serve.work import Work

if TYPE_CHECKING:
    from memory.store import Store
    from perception.pictures import PictureEncoder, Vectors

log = logging.getLogger("lookback.serve")

# How long a batch waits for company: frames of two streams share one call, a lone one pays 4 ms.
BATCH_WAIT = 0.004
SPEECH_WAIT = 0.05  # of recordings, which are not in a hurry

# Rank of a recognition: what was just said to an agent goes first. What is still being said takes
# its turn with the rest: behind recordings, which always have more, it would never come.
URGENCY: dict[Effort, int] = {"live": 0, "draft": 1, "full": 1}

# A memory that cannot write any more is found out soon: what it is to remember waits meanwhile.
MEMORY_CHECKED_EVERY = 5.0  # seconds
HANDOVER = 20.0  # seconds: as long as the replica before may take to shut down


@serve.deployment(name="Perception", max_ongoing_requests=64, graceful_shutdown_timeout_s=10)
class PerceptionDeployment(Reporting):
    """Recognises, listens and looks; keeps nothing between calls."""

    def __init__(self, plain: dict[str, Any]) -> None:
        settings = Settings(**plain)
        gpus.limit("Perception", settings.perception_gpu_gb)
        self._perceiver = load_perceiver(settings)
        self._recognising = Slots(settings.threads)
        self._speech_batch = settings.speech_batch
        together: Any = self._recognize_together  # Ray Serve's decorator adds to it
        together.set_max_batch_size(settings.speech_batch)
        self._pictures = load_pictures(settings)
        self._urgency = Urgency()
        self._perceiver.warm()
        self._perceiver.timed = metrics.work
        self._work = Work()
        keep_trimmed()

    async def recognize(self, audio: Audio, effort: Effort) -> Transcript:
        """One utterance a call: on the CPU the recogniser takes those of a batch one after the other,
        so each would wait for all. Those that somebody waits for an answer to go first. Recordings'
        share passes where the recogniser makes something of it."""
        if effort == "full" and self._speech_batch > 1:
            shared: Transcript = await self._recognize_together(audio)
            return shared
        live = self._urgency.waited_for() if effort != "full" else nullcontext()
        with live:
            async with self._recognising.taken(URGENCY[effort]):
                with self._work.call():
                    return await self._perceiver.recognize(audio, effort)

    @serve.batch(max_batch_size=1, batch_wait_timeout_s=SPEECH_WAIT, max_concurrent_batches=2)
    async def _recognize_together(self, audios: list[Audio]) -> list[Transcript]:
        async with self._recognising.taken(URGENCY["full"]):
            with self._work.call():
                return await self._perceiver.on(
                    "recognize", lambda: self._perceiver.recognize_batch(audios, "full")
                )

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=BATCH_WAIT, max_concurrent_batches=2)
    async def listen(self, audios: list[Audio]) -> list[Any]:
        with self._work.call():
            return await self._perceiver.on("listen", lambda: self._perceiver.listen_batch(audios))

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=BATCH_WAIT, max_concurrent_batches=2)
    async def look(self, calls: list[tuple[Image, bool]]) -> list[Any]:
        images, read = [call[0] for call in calls], [call[1] for call in calls]
        with self._work.call():
            return await self._perceiver.on(
                "look", lambda: self._perceiver.look_batch(images, read)
            )

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=BATCH_WAIT, max_concurrent_batches=1)
    async def encode_images(self, calls: list[list[Image]]) -> list[Vectors]:
        """One pass of the model over the pictures of all calls, when nobody waits for the GPU.
        Raises Unavailable."""
        images = [image for call in calls for image in call]
        await self._urgency.nobody()
        with self._work.call(), metrics.work("encode_pictures"), failing("encoding pictures"):
            rows = await asyncio.to_thread(self._encoder().encode_images, images)
        return np.split(rows, np.cumsum([len(call) for call in calls])[:-1])

    async def encode_texts(self, texts: list[str]) -> Vectors:
        with self._work.call(), metrics.work("encode_texts"), failing("encoding a query"):
            return await asyncio.to_thread(self._encoder().encode_texts, texts)

    def _encoder(self) -> PictureEncoder:
        if self._pictures is None:
            raise Unavailable("no picture_model is set")
        return self._pictures

    async def check_health(self) -> None:
        """Raises Stuck. Ray Serve asks, and restarts the replica."""
        self._work.check()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What `scaling.by_queue_and_lag` goes by. Ray Serve asks."""
        return {scaling.SLOWEST: self._work.slowest()}

    def __del__(self) -> None:  # as with Memory
        perceiver = getattr(self, "_perceiver", None)
        if perceiver is not None:
            perceiver.close()


@serve.deployment(
    name="Memory",
    max_ongoing_requests=32,
    graceful_shutdown_timeout_s=HANDOVER,
    health_check_period_s=MEMORY_CHECKED_EVERY,
)
class MemoryDeployment(Reporting):
    """The store, and the only process that writes to it. `perception` encodes its pictures."""

    def __init__(self, plain: dict[str, Any], perception: Any = None) -> None:
        self._store = _opened(Settings(**plain), perception)
        rehearse_store()
        keep_trimmed()
        self._memory = InProcessMemory(lambda: self._store)

    async def remember(
        self, stream: Stream, moments: Sequence[Moment], keyframes: dict[str, bytes]
    ) -> int:
        with metrics.work("remember"):
            return await self._memory.remember(stream, moments, keyframes)

    async def search(self, query: Query) -> list[Hit]:
        with metrics.work("search"):
            return await self._memory.search(query)

    async def neighbours(
        self, observations: Sequence[Observation], seconds: float, version: int | None
    ) -> list[list[Observation]]:
        return await self._memory.neighbours(observations, seconds, version)

    async def streams(self, version: int | None) -> list[Stream]:
        return await self._memory.streams(version)

    async def timeline(
        self, stream_id: str, start: float | None, end: float | None, version: int | None
    ) -> list[Moment]:
        return await self._memory.timeline(stream_id, start, end, version)

    async def episodes(
        self, stream_id: str, start: float | None, end: float | None, level: int
    ) -> list[Episode]:
        return await self._memory.episodes(stream_id, start, end, level)

    async def dropped(
        self, stream_id: str, start: float | None, end: float | None, text: str
    ) -> list[GivenUp]:
        return await self._memory.dropped(stream_id, start, end, text)

    async def pin(self, moment_ids: Sequence[str], pinned: bool) -> None:
        await self._memory.pin(moment_ids, pinned)

    async def pinned(self, moment_ids: Sequence[str]) -> set[str]:
        return await self._memory.pinned(moment_ids)

    async def showing(self, stream_id: str, keyframes: Sequence[str]) -> dict[str, str]:
        return await self._memory.showing(stream_id, keyframes)

    async def moment(self, moment_id: str) -> Moment:
        return await self._memory.moment(moment_id)

    async def keyframe(self, moment_id: str) -> bytes:
        return await self._memory.keyframe(moment_id)

    async def forget(self, what: Selection) -> DeletionReceipt:
        return await self._memory.forget(what)

    async def facts(
        self, subject: str | None, stream_id: str | None, at: float | None, history: bool
    ) -> list[Fact]:
        return await self._memory.facts(subject, stream_id, at, history)

    async def corrections(self, stream_id: str | None) -> list[Correction]:
        return await self._memory.corrections(stream_id)

    async def snapshot(self, stream_id: str | None) -> Snapshot:
        return await self._memory.snapshot(stream_id)

    async def rows(self, stream_id: str) -> dict[str, bytes]:
        return await self._memory.rows(stream_id)

    async def add_rows(self, stream_id: str, tables: dict[str, bytes]) -> int:
        return await self._memory.add_rows(stream_id, tables)

    async def uncaptioned(self, limit: int) -> list[Uncaptioned]:
        return await self._memory.uncaptioned(limit)

    async def caption(self, moment_id: str, keyframe: str, text: str) -> bool:
        return await self._memory.caption(moment_id, keyframe, text)

    async def unwritten(self, writer: str) -> Unwritten | None:
        return await self._memory.unwritten(writer)

    async def rewrite(self, episode_id: str, material: str, writer: str, text: str | None) -> bool:
        return await self._memory.rewrite(episode_id, material, writer, text)

    async def stats(self) -> Stats:
        return await self._memory.stats()

    async def check_health(self) -> None:
        """Raises WriteFailed once nothing can be remembered any more. Ray Serve then restarts the
        replica, and opening the store anew takes it back to what is known to be on the disk."""
        self._store.check()

    def __del__(self) -> None:  # Ray Serve's graceful shutdown calls this before the process ends
        store = getattr(self, "_store", None)
        if store is not None:
            store.close()


@serve.deployment(name="Reasoning", max_ongoing_requests=4, graceful_shutdown_timeout_s=10)
class ReasoningDeployment(Reporting):
    """Answers questions from what Memory finds, token by token."""

    async def __init__(  # type: ignore[misc]  # Ray Serve awaits it
        self, plain: dict[str, Any], memory: Any, readers: Any = None
    ) -> None:
        settings = Settings(**plain)
        if settings.answer_backend != "endpoint":
            gpus.limit("Reasoning", settings.answer_gpu_gb)
        self._work = Work()
        self._agent, generator = load_agent(settings, memory_of(memory, readers))
        self._speaker: Callable[[], Speaker | None] = lru_cache(maxsize=1)(
            lambda: load_speaker(settings)
        )
        self._giving_way = GivingWay()
        self._captioner = GeneratorCaptioner(generator)
        self._rewriter = GeneratorRewriter(generator)
        self._urgency = Urgency()
        self._generator = generator
        await self._agent.warm()
        keep_trimmed()

    async def answer(self, question: Question) -> AsyncGenerator[Token | Replace | Answer, None]:
        with self._work.call() as went_on, self._answering():
            async for piece in self._agent.answer(question):
                went_on()
                yield piece

    async def prepare(self, question: Question) -> None:
        with self._work.call(), self._answering():
            await asyncio.gather(self._agent.prepare(question), asyncio.to_thread(self._speaker))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with self._urgency.waited_for(), self._giving_way.answering():
            yield

    async def caption(self, encoded: bytes) -> str | None:
        """What a picture shows; None where somebody waits, here or for another process of the GPU.
        Raises Unavailable."""
        if not self._generator.capabilities.sees:
            raise Unavailable("captions need an answering model that is shown pictures")
        if self._urgency.anybody():
            return None
        with self._work.call(), metrics.work("caption"):
            return await self._giving_way.unless_answering(lambda: self._captioner.caption(encoded))

    async def rewrite(self, quotes: Sequence[Quote]) -> str | None:
        """What an episode's quotes tell, in the model's words; empty where these do not stand, None
        where somebody waits, here or for another process of the GPU."""
        if self._urgency.anybody():
            return None
        with self._work.call(), metrics.work("rewrite"):
            return await self._giving_way.unless_answering(lambda: self._rewriter.rewrite(quotes))

    async def speak(self, text: str) -> Speech:
        """The voice is loaded for the first live question: most servers never speak."""
        speaker = await asyncio.to_thread(self._speaker)
        if speaker is None:
            raise Unavailable("the voice is off, or its weights are missing")
        with self._work.call(), metrics.work("speak"):
            return await asyncio.to_thread(speaker.speak, text)

    async def check_health(self) -> None:
        """Raises Stuck. Ray Serve asks, and restarts the replica."""
        self._work.check()

    def __del__(self) -> None:  # as with Memory
        generator = getattr(self, "_generator", None)
        if generator is not None:
            generator.close()


def _opened(settings: Settings, perception: Any) -> Store:
    """The store. The replica that this one replaces may still have it open while it shuts down."""
    pictures = None
    if settings.picture_model is not None and perception is not None:
        pictures = RemoteEncoder(perception, settings.picture_model)
    within = HANDOVER + MEMORY_CHECKED_EVERY
    return opened(lambda: open_store(settings, pictures=pictures), StoreLocked, within)
