"""Sources: where audio and frames come from, in the order of stream time.

A source yields `AudioChunk` and `Frame`. `RecordingSource` decodes a file with PyAV, in constant
memory; a live source implements the same `Source`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from perception.decoding import Decoder, Probe, probe
from perception.records import SAMPLE_RATE, Audio, Image

CHUNK_SECONDS = 0.5  # of audio; also how far decoding runs ahead of whoever reads


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Samples from `start` on: 16 kHz mono float32 in [-1, 1]."""

    start: float
    samples: Audio

    @property
    def end(self) -> float:
        """When the samples end."""
        return self.start + len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: uint8 RGB, upright, at most 960 px on its long side."""

    time: float
    image: Image


class Source(Protocol):
    """Audio and frames of one stream, in the order of stream time."""

    @property
    def seconds(self) -> float | None:
        """In all, where known."""
        ...

    def __aiter__(self) -> AsyncGenerator[AudioChunk | Frame, None]: ...


@dataclass
class RecordingSource:
    """A recording on disk. What is wrong with the file is said when it is constructed.

    Raises:
        SourceError: one of its kinds, at construction.
    """

    path: str | os.PathLike[str]
    speed: Literal["max", "1x"] = "max"
    frames_per_second: float = 4.0
    probe: Probe = field(init=False)

    def __post_init__(self) -> None:
        self.probe = probe(Path(self.path))

    @property
    def seconds(self) -> float | None:
        """Its length, where the container says."""
        return self.probe.seconds

    @property
    def has_audio(self) -> bool:
        """Whether it has a sound track that decodes."""
        return self.probe.has_audio

    @property
    def has_video(self) -> bool:
        """Whether it has a video track that decodes."""
        return self.probe.has_video

    async def __aiter__(self) -> AsyncGenerator[AudioChunk | Frame, None]:
        items = self._decode()
        began = asyncio.get_running_loop().time()
        try:
            while batch := await asyncio.to_thread(_take, items):
                for item in batch:
                    if self.speed == "1x":
                        at = item.end if isinstance(item, AudioChunk) else item.time
                        wait = began + at - asyncio.get_running_loop().time()
                        if wait > 0:
                            await asyncio.sleep(wait)
                    yield item
        finally:
            items.close()

    def _decode(self) -> _Items:
        return _Items(self)


class _Items(Iterator[AudioChunk | Frame]):
    """The decoder's output as chunks and frames; after `close`, which waits for the item that a thread
    is at, there are none."""

    def __init__(self, source: RecordingSource) -> None:
        self._decoder = Decoder(
            Path(source.path), source.probe, source.frames_per_second, CHUNK_SECONDS
        )
        self._inner = iter(self._decoder)
        self._taking = threading.Lock()
        self._closed = False

    def __next__(self) -> AudioChunk | Frame:
        with self._taking:
            if self._closed:
                raise StopIteration
            kind, time, array = next(self._inner)
        return Frame(time, array) if kind == "frame" else AudioChunk(time, array)

    def close(self) -> None:
        with self._taking:  # cancelling who waits for a thread does not end the thread
            self._closed = True
            self._decoder.close()


def _take(items: Iterator[AudioChunk | Frame]) -> list[AudioChunk | Frame]:
    """The next few items, up to and with the next piece of audio; few thread switches that way."""
    batch: list[AudioChunk | Frame] = []
    for item in items:
        batch.append(item)
        if isinstance(item, AudioChunk) or len(batch) >= 4:
            break
    return batch
