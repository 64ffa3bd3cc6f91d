"""The last frames of a live stream: what a model that sees is shown of now.

They pass by on their way to perception. The newest is always there, the others are a second apart
from one another; they are encoded when a question needs them, once each.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator

from PIL import Image as Pictures

from perception.sources import AudioChunk, Frame, Source
from reasoning import records

APART = 1.0  # seconds
QUALITY = 90  # of JPEG: 5 ms a frame, a sixth of what WebP takes


class RecentFrames:
    """A source that keeps its last `count` frames."""

    def __init__(self, source: Source, count: int) -> None:
        self._source = source
        self._count = count
        self._kept: list[Frame] = []
        self._encoded: dict[float, bytes] = {}

    @property
    def seconds(self) -> float | None:
        return self._source.seconds

    async def __aiter__(self) -> AsyncGenerator[AudioChunk | Frame, None]:
        async for item in self._source:
            if isinstance(item, Frame):
                self._keep(item)
            yield item

    async def frames(self) -> tuple[records.Frame, ...]:
        """The last frames as JPEG, the newest last."""
        kept = tuple(self._kept)
        if not kept:
            return ()
        missing = [frame for frame in kept if frame.time not in self._encoded]
        encoded = await asyncio.gather(*(asyncio.to_thread(_encode, frame) for frame in missing))
        known = {f.time: self._encoded[f.time] for f in kept if f.time in self._encoded}
        known |= {frame.time: jpeg for frame, jpeg in zip(missing, encoded, strict=True)}
        self._encoded = known
        return tuple(records.Frame(frame.time, known[frame.time]) for frame in kept)

    def _keep(self, frame: Frame) -> None:
        if self._count == 0:
            return
        newest_stands_for_its_second = (
            len(self._kept) > 1 and self._kept[-1].time - self._kept[-2].time < APART
        )
        if newest_stands_for_its_second:
            self._kept[-1] = frame
        else:
            self._kept = [*self._kept, frame][-self._count :]


def _encode(frame: Frame) -> bytes:
    written = io.BytesIO()
    Pictures.fromarray(frame.image).save(written, "JPEG", quality=QUALITY)
    return written.getvalue()
