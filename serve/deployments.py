"""The three deployments: Perception (batched models), Memory (the one writer), Reasoning (answers).

Each wraps one object of its package and adds only what running beside the others needs: batches
across streams, threads, a health check, a flush on the way out.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import lru_cache
from typing import Any

from ray import serve

from memory.records import DeletionReceipt, Episode, GivenUp, Hit, Query, Selection, Snapshot, Stats
from perception.records import Audio, Image, Moment, Observation, Stream
from reasoning.records import Answer, Question, Replace, Token
from reasoning.speaker import Speaker, Speech
from serve.errors import Unavailable
from serve.loading import load_agent, load_perceiver, load_speaker, open_store
from serve.services import InProcessMemory, RemoteMemory
from serve.settings import Settings
from serve.trimming import keep_trimmed

log = logging.getLogger("lookback.serve")

# How long a batch waits for company. Two streams that speak at once share one call; a lone one
# pays 4 ms.
BATCH_WAIT = 0.004

# The language model yields to perception when both want the cores; it is not starved: at nice 15
# its prompt took five times as long for nothing.
REASONING_NICE = 2


@serve.deployment(name="Perception", max_ongoing_requests=16, graceful_shutdown_timeout_s=10)
class PerceptionDeployment:
    """Recognises, listens and looks; keeps nothing between calls."""

    def __init__(self, plain: dict[str, Any]) -> None:
        self._perceiver = load_perceiver(Settings(**plain))
        self._perceiver.warm()
        keep_trimmed()

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=BATCH_WAIT, max_concurrent_batches=2)
    async def recognize(self, calls: list[tuple[Audio, bool]]) -> list[Any]:
        return list(await asyncio.to_thread(self._recognize, calls))

    def _recognize(self, calls: list[tuple[Audio, bool]]) -> list[Any]:
        """Partial and final utterances are two batches: a partial may be done more cheaply."""
        found: dict[int, Any] = {}
        for partial in (False, True):
            chosen = [index for index, call in enumerate(calls) if call[1] is partial]
            audios = [calls[index][0] for index in chosen]
            if audios:
                found.update(
                    zip(chosen, self._perceiver.recognize_batch(audios, partial), strict=True)
                )
        return [found[index] for index in range(len(calls))]

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=BATCH_WAIT, max_concurrent_batches=2)
    async def listen(self, audios: list[Audio]) -> list[Any]:
        return list(await asyncio.to_thread(self._perceiver.listen_batch, audios))

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=BATCH_WAIT, max_concurrent_batches=2)
    async def look(self, calls: list[tuple[Image, bool]]) -> list[Any]:
        images, read = [call[0] for call in calls], [call[1] for call in calls]
        return list(await asyncio.to_thread(self._perceiver.look_batch, images, read))

    async def ping(self) -> float:
        return time.time()


@serve.deployment(name="Memory", max_ongoing_requests=32, graceful_shutdown_timeout_s=20)
class MemoryDeployment:
    """The store, and the only process that writes to it."""

    def __init__(self, plain: dict[str, Any]) -> None:
        self._store = open_store(Settings(**plain))
        keep_trimmed()
        self._memory = InProcessMemory(lambda: self._store)

    async def remember(
        self, stream: Stream, moments: Sequence[Moment], keyframes: dict[str, bytes]
    ) -> int:
        return await self._memory.remember(stream, moments, keyframes)

    async def search(self, query: Query) -> list[Hit]:
        return await self._memory.search(query)

    async def neighbours(self, observation: Observation, seconds: float) -> list[Observation]:
        return await self._memory.neighbours(observation, seconds)

    async def streams(self) -> list[Stream]:
        return await self._memory.streams()

    async def timeline(
        self, stream_id: str, start: float | None, end: float | None
    ) -> list[Moment]:
        return await self._memory.timeline(stream_id, start, end)

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

    async def moment(self, moment_id: str) -> Moment:
        return await self._memory.moment(moment_id)

    async def keyframe(self, moment_id: str) -> bytes:
        return await self._memory.keyframe(moment_id)

    async def forget(self, what: Selection) -> DeletionReceipt:
        return await self._memory.forget(what)

    async def snapshot(self, stream_id: str | None) -> Snapshot:
        return await self._memory.snapshot(stream_id)

    async def stats(self) -> Stats:
        return await self._memory.stats()

    async def ping(self) -> float:
        return time.time()

    def __del__(self) -> None:  # Ray Serve's graceful shutdown calls this before the process ends
        store = getattr(self, "_store", None)
        if store is not None:
            store.close()


@serve.deployment(name="Reasoning", max_ongoing_requests=4, graceful_shutdown_timeout_s=10)
class ReasoningDeployment:
    """Answers questions from what Memory finds, token by token."""

    async def __init__(  # type: ignore[misc]  # Ray Serve awaits it
        self, plain: dict[str, Any], memory: Any
    ) -> None:
        os.nice(REASONING_NICE)
        settings = Settings(**plain)
        self._agent, generator = load_agent(settings, RemoteMemory(memory))
        self._speaker: Callable[[], Speaker | None] = lru_cache(maxsize=1)(
            lambda: load_speaker(settings)
        )
        await generator.warm()
        keep_trimmed()

    async def answer(self, question: Question) -> AsyncIterator[Token | Replace | Answer]:
        async for piece in self._agent.answer(question):
            yield piece

    async def prepare(self, question: Question) -> None:
        await asyncio.gather(self._agent.prepare(question), asyncio.to_thread(self._speaker))

    async def speak(self, text: str) -> Speech:
        """The voice is loaded for the first live question: most servers never speak."""
        speaker = await asyncio.to_thread(self._speaker)
        if speaker is None:
            raise Unavailable("the voice is off, or its weights are missing")
        return await asyncio.to_thread(speaker.speak, text)

    async def ping(self) -> float:
        return time.time()
