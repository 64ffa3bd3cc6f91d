"""Recordings being replayed: one at a time per stream, a few at once, each with its progress."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from perception.errors import PerceptionError, SourceError
from perception.records import Stream
from perception.sources import RecordingSource
from reasoning.gate import Gate
from serve import failures, metrics
from serve.errors import ReplayRunning
from serve.events import Broadcast
from serve.services import Services
from serve.session import StreamSession, Tally

log = logging.getLogger("lookback.serve")

REMEMBERED = 200  # finished replays whose outcome can still be asked for


@dataclass(slots=True)
class Replay:
    """One recording on its way into memory."""

    stream: Stream
    seconds: float | None
    name: str  # of the recording, as its sender calls it
    state: Literal["waiting", "running", "done", "failed", "stopped"] = "waiting"
    started: float = field(default_factory=time.monotonic)
    wall_seconds: float = 0.0
    error: dict[str, str] | None = None
    tally: Tally = field(default_factory=Tally)
    session: StreamSession | None = None  # while it runs: afterwards only what it did is kept
    task: asyncio.Task[None] | None = None

    def to_json(self) -> dict[str, Any]:
        """Progress: `eta` is seconds left at the speed so far, null until it is known."""
        tally = self.tally
        wall = self.wall_seconds or (time.monotonic() - self.started)
        eta = None
        if self.state == "running" and self.seconds and tally.stream_time > 0:
            eta = max(0.0, (self.seconds - tally.stream_time) * wall / tally.stream_time)
        return {
            "stream_id": self.stream.id,
            "state": self.state,
            "stream_time": round(tally.stream_time, 2),
            "seconds": self.seconds if self.seconds is not None else tally.stream_time,
            "wall_seconds": round(wall, 3),
            "eta": None if eta is None else round(eta, 1),
            "moments": tally.moments,
            "observations": tally.observations,
            "bytes": tally.bytes,
            "answers": tally.answers,
            "error": self.error,
        }


class Replays:
    """Starts replays and knows how far each is. `close` ends what still runs."""

    def __init__(self, services: Services, gate: Gate, events: Broadcast, at_once: int) -> None:
        self._services = services
        self._gate = gate
        self._events = events
        self._room = asyncio.Semaphore(at_once)
        self._replays: dict[str, Replay] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def running(self, stream_id: str) -> bool:
        replay = self._replays.get(stream_id)
        return replay is not None and replay.state in ("waiting", "running")

    def get(self, stream_id: str) -> Replay | None:
        return self._replays.get(stream_id)

    def open(self, path: Path, speed: Literal["max", "1x"]) -> RecordingSource:
        """The recording at `path`. Raises NotMedia and its kin from `perception.errors`. Blocking."""
        return RecordingSource(path, speed=speed)

    def start(self, stream: Stream, source: RecordingSource, path: Path, name: str) -> Replay:
        """Replay an opened recording; its file is deleted afterwards. What goes wrong names it."""
        if self.running(stream.id):
            raise ReplayRunning(stream.id)
        replay = Replay(stream, source.seconds, name)
        self._replays[stream.id] = replay
        self._forget_oldest()
        task = replay.task = asyncio.create_task(self._run(replay, source, path))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return replay

    async def stop(self, stream_id: str) -> Replay | None:
        """The replay, which goes no further; what it gave memory stays. None where there is none."""
        replay = self._replays.get(stream_id)
        if replay is not None and replay.task is not None:
            replay.task.cancel()
            await asyncio.gather(replay.task, return_exceptions=True)
        return replay

    def sessions(self) -> list[StreamSession]:
        """Those that are under way."""
        replays = self._replays.values()
        return [one.session for one in replays if one.session and one.state == "running"]

    def forget_answers(self) -> None:
        """Drop the answers that replays have given so far."""
        for replay in self._replays.values():
            replay.tally.answers.clear()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, replay: Replay, source: RecordingSource, path: Path) -> None:
        stream_id = replay.stream.id
        try:
            async with self._turn():
                replay.state, replay.started = "running", time.monotonic()
                replay.session = StreamSession(
                    replay.stream,
                    source,
                    self._services,
                    self._gate,
                    lambda kind, body: self._events.publish(stream_id, kind, body),
                )
                replay.tally = replay.session.tally
                await replay.session.run()
            replay.state = "done"
        except* PerceptionError as errors:
            self._fail(replay, "bad_recording", errors)
        except* Exception as errors:
            self._fail(replay, "failed", errors)
        finally:
            if replay.state in ("waiting", "running"):
                replay.state = "stopped"
            replay.wall_seconds = time.monotonic() - replay.started
            replay.session = replay.task = None
            await asyncio.to_thread(path.unlink, missing_ok=True)
            metrics.forget_stream(stream_id)
            self._events.publish(stream_id, "replayed", replay.to_json())

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        with metrics.waiting("replays"):
            await self._room.acquire()
        try:
            yield
        finally:
            self._room.release()

    def _fail(self, replay: Replay, code: str, errors: BaseExceptionGroup[Exception]) -> None:
        first: Any = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        log.error("replay of %s failed: %s", replay.stream.id, type(first).__name__)
        if isinstance(first, SourceError):
            first = first.named(replay.name)
        said = failures.known(first)[1]["error"]["message"]
        replay.state, replay.error = "failed", {"code": code, "message": said}

    def _forget_oldest(self) -> None:
        finished = [key for key in self._replays if not self.running(key)]
        for key in finished[: max(0, len(self._replays) - REMEMBERED)]:
            del self._replays[key]
