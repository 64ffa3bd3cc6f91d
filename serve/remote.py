"""The three parts through Ray Serve's handles: the form of `services.py` that a deployment uses."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from prometheus_client.metrics_core import Metric

from memory.records import Quote
from reasoning.records import Answer, Question, Replace, Token
from reasoning.speaker import Speech
from serve import metrics
from serve.errors import Busy, Unavailable
from serve.services import InProcessMemory

log = logging.getLogger("lookback.serve")

PING_TIMEOUT = 5.0  # seconds
# A ping waits behind what is at work. A part that answered something this many seconds ago is
# busy, not gone.
RECENT = 15.0


class Part:
    """A deployment as its callers know it. What it raises comes out as it was raised there."""

    def __init__(
        self,
        name: str,
        handle: Any,  # a DeploymentHandle
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._handle = handle
        self._streaming: Any = None
        self._clock = clock
        self._heard: float | None = None  # when it answered last
        self._calls = metrics.CALLS.labels(name.lower())

    async def call(self, method: str, *arguments: Any) -> Any:
        """What the method returns. Raises Busy, Unavailable, or what the method raised."""
        return await self._called(method, arguments)

    async def while_wanted(self, method: str, *arguments: Any) -> Any:
        """As `call`; cancelling it cancels the method as well."""
        return await self._called(method, arguments, lambda given: given.cancel())

    async def _called(
        self,
        method: str,
        arguments: Sequence[Any],
        cancelled: Callable[[Any], None] = lambda given: None,
    ) -> Any:
        with self._calls.track_inprogress():
            try:
                given: Any = getattr(self._handle, method).remote(*arguments)
                try:
                    result = await given
                except asyncio.CancelledError:
                    cancelled(given)
                    raise
            except Exception as error:
                raise ours(self.name, error) from error
        self._heard = self._clock()
        return result

    async def stream(self, method: str, *arguments: Any) -> AsyncGenerator[Any, None]:
        """The pieces the method yields; closing this cancels it. Raises as `call`."""
        if self._streaming is None:  # once: each such handle may bring a router of its own
            self._streaming = self._handle.options(stream=True)
        pieces: Any = getattr(self._streaming, method).remote(*arguments)
        with self._calls.track_inprogress():
            try:
                async for piece in pieces:
                    self._heard = self._clock()
                    yield piece
            except Exception as error:  # it has ended: to cancel it would raise this once more
                raise ours(self.name, error) from error
            except BaseException:
                pieces.cancel()
                raise

    async def alive(self) -> bool:
        """Whether it answers, and does not say that it is unwell."""
        try:
            await asyncio.wait_for(self.call("ping"), PING_TIMEOUT)
        except (TimeoutError, Busy):
            return self._heard is not None and self._clock() - self._heard < RECENT
        except Exception:  # noqa: BLE001 - whatever kept it from answering, it is not healthy
            return False
        return True

    async def worked(self) -> list[Metric]:
        """What it measured of its own work; nothing while it does not answer."""
        try:
            found: list[Metric] = await asyncio.wait_for(self.call("worked"), PING_TIMEOUT)
        except Exception:  # noqa: BLE001 - the other figures are wanted most when a part is away
            return []
        return found


class RemoteMemory(InProcessMemory):
    """The Memory deployment: the same calls, through its handle."""

    def __init__(self, part: Part) -> None:
        self._part = part

    async def _call(self, method: str, *arguments: Any) -> Any:
        return await self._part.call(method, *arguments)


# What a reader answers as well as the writer. A snapshot is the writer's: it names the newest.
READS = frozenset(
    "search neighbours streams timeline episodes showing dropped moment keyframe facts corrections "
    "rows".split()
)


class SharedMemory(RemoteMemory):
    """The Memory deployment for writes, the MemoryReader deployment for reads.

    Whoever wrote or took a snapshot here reads at least that version; where no reader has come so
    far in time, the writer answers."""

    def __init__(self, part: Part, readers: Part) -> None:
        super().__init__(part)
        self._readers = readers
        self._seen = 0

    async def _call(self, method: str, *arguments: Any) -> Any:
        if method in READS:
            try:
                return await self._readers.call("read", method, arguments, self._seen)
            except (Busy, Unavailable) as failure:
                log.warning("memory is read from its writer: %s", failure)
        result = await super()._call(method, *arguments)
        version = result if method == "remember" else getattr(result, "version", 0)
        self._seen = max(self._seen, int(version))
        return result


def memory_of(memory: Any, readers: Any = None) -> RemoteMemory:
    """Over the deployments' handles; without readers the writer does everything."""
    part = Part("Memory", memory)
    return RemoteMemory(part) if readers is None else SharedMemory(part, Part("Readers", readers))


class RemotePerceiver:
    """The Perception deployment as a Perceiver."""

    def __init__(self, part: Part) -> None:
        self._part = part

    async def recognize(self, audio: Any, effort: Any = "full") -> Any:
        return await self._part.call("recognize", audio, effort)

    async def listen(self, audio: Any) -> Any:
        return await self._part.call("listen", audio)

    async def look(self, image: Any, read: bool) -> Any:
        return await self._part.call("look", (image, read))


class RemoteReasoning:
    """The Reasoning deployment: a stream of pieces, cancelled when it is closed."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def answer(self, question: Question) -> AsyncGenerator[Token | Replace | Answer, None]:
        return self._part.stream("answer", question)


class RemoteCaptioner:
    """The Reasoning deployment, which describes pictures while nobody waits for it."""

    def __init__(self, part: Part) -> None:
        self._part = part

    async def caption(self, encoded: bytes) -> str | None:
        said: str | None = await self._part.call("caption", encoded)
        return said


class RemoteRewriter:
    """The Reasoning deployment, which puts episodes in words while nobody waits for it."""

    def __init__(self, part: Part) -> None:
        self._part = part

    async def rewrite(self, quotes: Sequence[Quote]) -> str | None:
        """Cancelling this ends it there, too."""
        said: str | None = await self._part.while_wanted("rewrite", quotes)
        return said


class RemoteTalking:
    """The Reasoning deployment, which also prepares and speaks."""

    def __init__(self, part: Part) -> None:
        self._part = part

    async def prepare(self, question: Question) -> None:
        await self._part.call("prepare", question)

    async def speak(self, text: str) -> Speech:
        said: Speech = await self._part.call("speak", text)
        return said


def ours(what: str, error: Exception) -> Exception:
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
