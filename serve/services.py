"""What the gateway needs of the rest, and its form in one process; `remote.py` has the other.

The gateway, the sessions and their tests know only these Protocols.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from prometheus_client.metrics_core import Metric

from memory.records import (
    Correction,
    DeletionReceipt,
    Episode,
    Fact,
    GivenUp,
    Hit,
    Memory,
    MemoryReader,
    Query,
    Selection,
    Snapshot,
    Stats,
    Uncaptioned,
    Unwritten,
)
from perception.records import Moment, Observation, Stream
from reasoning import Agent
from reasoning.records import Answer, Question, Replace, Token
from reasoning.speaker import Speaker, Speech
from serve import metrics
from serve.captioning import Captioning
from serve.idleness import Idleness
from serve.rewriting import Rewriting

if TYPE_CHECKING:
    from perception.perceiver import Perceiver


class MemoryService(MemoryReader, Protocol):
    """All of memory, awaitable."""

    async def remember(
        self, stream: Stream, moments: Sequence[Moment], keyframes: dict[str, bytes]
    ) -> int: ...
    async def moment(self, moment_id: str) -> Moment: ...
    async def keyframe(self, moment_id: str) -> bytes: ...
    async def pin(self, moment_ids: Sequence[str], pinned: bool = True) -> None: ...
    async def pinned(self, moment_ids: Sequence[str]) -> set[str]: ...
    async def showing(self, stream_id: str, keyframes: Collection[str]) -> dict[str, str]: ...
    async def forget(self, what: Selection) -> DeletionReceipt: ...
    async def rows(self, stream_id: str) -> dict[str, bytes]: ...
    async def add_rows(self, stream_id: str, tables: dict[str, bytes]) -> int: ...
    async def stats(self) -> Stats: ...


class ReasoningService(Protocol):
    """Questions in, answers out, piece by piece."""

    def answer(self, question: Question) -> AsyncGenerator[Token | Replace | Answer, None]:
        """The answer as it is generated, the whole Answer last. Closing it cancels generation."""
        ...


class Talking(Protocol):
    """What a conversation needs beside answers."""

    async def prepare(self, question: Question) -> None:
        """Have ready what answering this question, or one that begins like it, will need."""
        ...

    async def speak(self, text: str) -> Speech:
        """One sentence as sound."""
        ...


async def measured_here() -> list[Metric]:
    """The parts work in this process."""
    return metrics.worked()


@dataclass(frozen=True, slots=True)
class Services:
    """The three parts behind the gateway. `healthy` says which of them answer; `worked` gives what
    they measured of their own work. Without `talking`, answers are neither prepared nor spoken;
    without `captioning`, which starts it over these services, keyframes are not captioned; without
    `rewriting`, episodes keep their extracts."""

    perception: Perceiver
    memory: MemoryService
    reasoning: ReasoningService
    healthy: Callable[[], Any]  # async () -> dict[name, bool]
    talking: Talking | None = None
    worked: Callable[[], Awaitable[list[Metric]]] = measured_here
    captioning: Callable[[Callable[[], float]], Captioning] | None = None  # given perception's lag
    rewriting: Callable[[Idleness], Rewriting] | None = None


class InProcessMemory:
    """A local store behind the awaitable Protocol: each call runs in a thread."""

    def __init__(self, open_store: Callable[[], Memory]) -> None:
        self._open = open_store
        self._opening = threading.Lock()
        self._opened: Memory | None = None

    def _store(self) -> Memory:
        with self._opening:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    async def _call(self, method: str, *arguments: Any) -> Any:
        return await asyncio.to_thread(lambda: getattr(self._store(), method)(*arguments))

    async def remember(
        self, stream: Stream, moments: Sequence[Moment], keyframes: dict[str, bytes]
    ) -> int:
        return int(await self._call("remember", stream, moments, keyframes))

    async def search(self, query: Query) -> list[Hit]:
        return list(await self._call("search", query))

    async def neighbours(
        self, observations: Sequence[Observation], seconds: float, version: int | None = None
    ) -> list[list[Observation]]:
        return list(await self._call("neighbours", observations, seconds, version))

    async def streams(self, version: int | None = None) -> list[Stream]:
        return list(await self._call("streams", version))

    async def timeline(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        version: int | None = None,
    ) -> list[Moment]:
        return list(await self._call("timeline", stream_id, start, end, version))

    async def episodes(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        level: int = 1,
    ) -> list[Episode]:
        return list(await self._call("episodes", stream_id, start, end, level))

    async def dropped(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        text: str = "",
    ) -> list[GivenUp]:
        return list(await self._call("dropped", stream_id, start, end, text))

    async def pin(self, moment_ids: Sequence[str], pinned: bool = True) -> None:
        await self._call("pin", list(moment_ids), pinned)

    async def pinned(self, moment_ids: Sequence[str]) -> set[str]:
        return set(await self._call("pinned", list(moment_ids)))

    async def showing(self, stream_id: str, keyframes: Collection[str]) -> dict[str, str]:
        return dict(await self._call("showing", stream_id, list(keyframes)))

    async def moment(self, moment_id: str) -> Moment:
        found: Moment = await self._call("moment", moment_id)
        return found

    async def keyframe(self, moment_id: str) -> bytes:
        return bytes(await self._call("keyframe", moment_id))

    async def forget(self, what: Selection) -> DeletionReceipt:
        receipt: DeletionReceipt = await self._call("forget", what)
        return receipt

    async def facts(
        self,
        subject: str | None = None,
        stream_id: str | None = None,
        at: float | None = None,
        history: bool = False,
    ) -> list[Fact]:
        return list(await self._call("facts", subject, stream_id, at, history))

    async def corrections(self, stream_id: str | None = None) -> list[Correction]:
        return list(await self._call("corrections", stream_id))

    async def snapshot(self, stream_id: str | None = None) -> Snapshot:
        taken: Snapshot = await self._call("snapshot", stream_id)
        return taken

    async def rows(self, stream_id: str) -> dict[str, bytes]:
        return dict(await self._call("rows", stream_id))

    async def add_rows(self, stream_id: str, tables: dict[str, bytes]) -> int:
        return int(await self._call("add_rows", stream_id, tables))

    async def uncaptioned(self, limit: int) -> list[Uncaptioned]:
        return list(await self._call("uncaptioned", limit))

    async def caption(self, moment_id: str, keyframe: str, text: str) -> bool:
        return bool(await self._call("caption", moment_id, keyframe, text))

    async def unwritten(self, writer: str) -> Unwritten | None:
        found: Unwritten | None = await self._call("unwritten", writer)
        return found

    async def rewrite(self, episode_id: str, material: str, writer: str, text: str | None) -> bool:
        return bool(await self._call("rewrite", episode_id, material, writer, text))

    async def stats(self) -> Stats:
        counted: Stats = await self._call("stats")
        return counted


class InProcessReasoning:
    """An agent made on first use: a search or a timeline loads no language model."""

    def __init__(self, make: Callable[[], Agent]) -> None:
        self._make = make
        self._agent: Agent | None = None

    async def answer(self, question: Question) -> AsyncGenerator[Token | Replace | Answer, None]:
        if self._agent is None:
            self._agent = await asyncio.to_thread(self._make)
        async for piece in self._agent.answer(question):
            yield piece


class InProcessTalking:
    """An agent and a speaker in this process."""

    def __init__(self, agent: Agent, speaker: Speaker) -> None:
        self._agent, self._speaker = agent, speaker

    async def prepare(self, question: Question) -> None:
        await self._agent.prepare(question)

    async def speak(self, text: str) -> Speech:
        return await asyncio.to_thread(self._speaker.speak, text)
