"""Speed of replay: each stage alone, then the whole pipeline, against the recording's own length.

    python -m bench replay RECORDING.mp4

The control is the same work one stage after another, which is how a script would do it: the sum
of the stages. The pipeline overlaps them.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.table import report
from perception.perceiver import LocalPerceiver
from perception.pipeline import Progress, StreamPipeline
from perception.recognizer import Effort
from perception.records import Audio, Image, Stream
from perception.sources import RecordingSource


class Timed:
    """A Perceiver that counts calls and the seconds each kind took, one call at a time."""

    def __init__(self, inner: LocalPerceiver) -> None:
        self._inner = inner
        self.calls: dict[str, int] = defaultdict(int)
        self.seconds: dict[str, float] = defaultdict(float)

    async def _time(self, stage: str, call: Callable[[], Awaitable[Any]]) -> Any:
        began = time.perf_counter()
        try:
            return await call()
        finally:
            self.calls[stage] += 1
            self.seconds[stage] += time.perf_counter() - began

    async def recognize(self, audio: Audio, effort: Effort = "full") -> Any:
        return await self._time("speech recognition", lambda: self._inner.recognize(audio, effort))

    async def listen(self, audio: Audio) -> Any:
        return await self._time("sound classes", lambda: self._inner.listen(audio))

    async def look(self, image: Image, read: bool) -> Any:
        stage = "tags, faces and text" if read else "tags and faces"
        return await self._time(stage, lambda: self._inner.look(image, read))


class OneAtATime(Timed):
    """The control: nothing overlaps."""

    def __init__(self, inner: LocalPerceiver) -> None:
        super().__init__(inner)
        self._turn = asyncio.Lock()

    async def _time(self, stage: str, call: Callable[[], Awaitable[Any]]) -> Any:
        async with self._turn:
            return await super()._time(stage, call)


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench replay`."""
    parser = argparse.ArgumentParser(prog="bench replay", description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    report("replay", asyncio.run(_measure(given.recording)), given.json)


async def _measure(recording: Path) -> list[dict[str, Any]]:
    began = time.perf_counter()
    await _decode(recording)
    decode = time.perf_counter() - began
    perceiver = await asyncio.to_thread(LocalPerceiver.load)
    serial, timed = OneAtATime(perceiver), Timed(perceiver)
    seconds, alone = await _run(recording, serial)
    _, together = await _run(recording, timed)
    rows = [_row("decode and resample", 1, decode, seconds)]
    rows += [_row(name, serial.calls[name], serial.seconds[name], seconds) for name in serial.calls]
    rows += [
        _row("control: one stage after another", 1, alone, seconds),
        _row("pipeline", 1, together, seconds),
    ]
    return rows


def _row(stage: str, calls: int, seconds: float, of: float) -> dict[str, Any]:
    speed = round(of / seconds, 1) if seconds else None
    return {"stage": stage, "calls": calls, "seconds": round(seconds, 2), "x_real_time": speed}


async def _decode(recording: Path) -> None:
    async for _ in RecordingSource(recording):
        pass


async def _run(recording: Path, perceiver: Timed) -> tuple[float, float]:
    """Length of the recording and wall seconds it took."""
    began, reached = time.perf_counter(), 0.0
    pipeline = StreamPipeline(Stream("bench", datetime.now(UTC)), perceiver)
    async for event in pipeline.run(RecordingSource(recording)):
        if isinstance(event, Progress):
            reached = max(reached, event.stream_time)
    return reached, time.perf_counter() - began
