"""What the gateway needs of the rest, and its two forms: Ray Serve handles, or objects in this process.

The gateway, the sessions and their tests know only these Protocols.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from memory.records import (
    DeletionReceipt,
    Episode,
    GivenUp,
    Hit,
    Memory,
    MemoryReader,
    Query,
    Selection,
    Snapshot,
    Stats,
)
from perception.records import Moment, Observation, Stream
from reasoning import Agent
from reasoning.records import Answer, Question, Replace, Token
from reasoning.speaker import Speaker, Speech
from serve.errors import Busy, Unavailable

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

    from perception.perceiver import Perceiver

T = TypeVar("T")


class MemoryService(MemoryReader, Protocol):
    """All of memory, awaitable."""

    async def remember(
        self, stream: Stream, moments: Sequence[Moment], keyframes: dict[str, bytes]
    ) -> int: ...
    async def moment(self, moment_id: str) -> Moment: ...
    async def keyframe(self, moment_id: str) -> bytes: ...
    async def pin(self, moment_ids: Sequence[str], pinned: bool = True) -> None: ...
    async def forget(self, what: Selection) -> DeletionReceipt: ...
    async def stats(self) -> Stats: ...


class ReasoningService(Protocol):
    """Questions in, answers out, piece by piece."""

    def answer(self, question: Question) -> AsyncIterator[Token | Replace | Answer]:
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


@dataclass(frozen=True, slots=True)
class Services:
    """The three parts behind the gateway. `healthy` says which of them answer. Without `talking`,
    answers are neither prepared nor spoken."""

    perception: Perceiver
    memory: MemoryService
    reasoning: ReasoningService
    healthy: Callable[[], Any]  # async () -> dict[name, bool]
    talking: Talking | None = None


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

    async def neighbours(self, observation: Observation, seconds: float) -> list[Observation]:
        return list(await self._call("neighbours", observation, seconds))

    async def streams(self) -> list[Stream]:
        return list(await self._call("streams"))

    async def timeline(
        self, stream_id: str, start: float | None = None, end: float | None = None
    ) -> list[Moment]:
        return list(await self._call("timeline", stream_id, start, end))

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

    async def moment(self, moment_id: str) -> Moment:
        found: Moment = await self._call("moment", moment_id)
        return found

    async def keyframe(self, moment_id: str) -> bytes:
        return bytes(await self._call("keyframe", moment_id))

    async def forget(self, what: Selection) -> DeletionReceipt:
        receipt: DeletionReceipt = await self._call("forget", what)
        return receipt

    async def snapshot(self, stream_id: str | None = None) -> Snapshot:
        taken: Snapshot = await self._call("snapshot", stream_id)
        return taken

    async def stats(self) -> Stats:
        counted: Stats = await self._call("stats")
        return counted


class InProcessReasoning:
    """An agent made on first use: a search or a timeline loads no language model."""

    def __init__(self, make: Callable[[], Agent]) -> None:
        self._make = make
        self._agent: Agent | None = None

    async def answer(self, question: Question) -> AsyncIterator[Token | Replace | Answer]:
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


class RemoteMemory(InProcessMemory):
    """The Memory deployment: the same calls, through its handle."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle

    async def _call(self, method: str, *arguments: Any) -> Any:
        return await _answered("Memory", getattr(self._handle, method).remote(*arguments))


class RemotePerceiver:
    """The Perception deployment as a Perceiver."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle

    async def recognize(self, audio: Any, partial: bool = False) -> Any:
        return await _answered("Perception", self._handle.recognize.remote((audio, partial)))

    async def listen(self, audio: Any) -> Any:
        return await _answered("Perception", self._handle.listen.remote(audio))

    async def look(self, image: Any, read: bool) -> Any:
        return await _answered("Perception", self._handle.look.remote((image, read)))


class RemoteReasoning:
    """The Reasoning deployment: a stream of pieces, cancelled when it is closed."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle.options(stream=True)

    async def answer(self, question: Question) -> AsyncIterator[Token | Replace | Answer]:
        pieces: Any = self._handle.answer.remote(question)
        try:
            async for piece in pieces:
                yield piece
        except Exception as error:
            raise _ours("Reasoning", error) from error
        finally:
            pieces.cancel()


class RemoteTalking:
    """The Reasoning deployment, which also prepares and speaks."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle

    async def prepare(self, question: Question) -> None:
        await _answered("Reasoning", self._handle.prepare.remote(question))

    async def speak(self, text: str) -> Speech:
        said: Speech = await _answered("Reasoning", self._handle.speak.remote(text))
        return said


async def _answered(what: str, response: Any) -> Any:
    try:
        return await response
    except Exception as error:
        raise _ours(what, error) from error


def _ours(what: str, error: Exception) -> Exception:
    """Ray's wrapping of a failure taken off, so that a caller sees the error the part raised."""
    from ray.exceptions import RayError, RayTaskError
    from ray.serve.exceptions import BackPressureError, RayServeException

    if isinstance(error, BackPressureError):
        return Busy(what)
    if isinstance(error, RayTaskError):
        cause = error.cause
        return cause if isinstance(cause, Exception) else Unavailable(f"{what}: {error}")
    if isinstance(error, RayError | RayServeException):
        return Unavailable(f"{what} is not answering: it may be restarting")
    return error
