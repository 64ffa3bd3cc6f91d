"""Media and streams made for the tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

import models
from perception import SAMPLE_RATE, Audio, Image, Stream
from perception.sources import AudioChunk, Frame
from reasoning.speaker import PiperSpeaker

STREAM = Stream("test", datetime(2024, 1, 1, tzinfo=UTC))


class ListSource:
    """A source of given chunks and frames."""

    def __init__(self, items: list[AudioChunk | Frame]) -> None:
        self._items = items
        self.seconds: float | None = None

    async def __aiter__(self) -> AsyncGenerator[AudioChunk | Frame, None]:
        for item in self._items:
            yield item


def in_order(audio: Audio, pictures: list[tuple[float, Image]]) -> list[AudioChunk | Frame]:
    """Audio in half-second chunks, and pictures, as a source gives them."""
    step = SAMPLE_RATE // 2
    items: list[AudioChunk | Frame] = [
        AudioChunk(at / SAMPLE_RATE, audio[at : at + step]) for at in range(0, len(audio), step)
    ]
    items += [Frame(time, image) for time, image in pictures]
    return sorted(items, key=lambda i: i.start if isinstance(i, AudioChunk) else i.time)


def tone(seconds: float, level: float = 0.3) -> Audio:
    """What the loudness detector takes for a voice."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (level * np.sin(2 * np.pi * 220 * times)).astype(np.float32)


def silence(seconds: float) -> Audio:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def plain(level: int, width: int = 320, height: int = 180) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def texture(seed: int, width: int = 320, height: int = 180) -> Image:
    """A blotchy picture, each seed another."""
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    picture = Pictures.fromarray(coarse).resize((width, height), Pictures.Resampling.BICUBIC)
    return np.asarray(picture)


def slide(lines: list[str], width: int = 960, height: int = 540, size: int = 40) -> Image:
    """Dark letters on a light ground."""
    picture = Pictures.new("RGB", (width, height), (242, 240, 232))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    for row, line in enumerate(lines):
        pen.text((60, 60 + row * size * 2), line, (25, 28, 70), font)
    return np.asarray(picture)


def write(
    path: Path,
    *,
    video: Iterator[tuple[float, Image]] | None = None,
    audio: npt.NDArray[np.float32] | None = None,
    rate: int = SAMPLE_RATE,
    layout: str = "mono",
    codec: str = "mpeg4",
    audio_codec: str = "aac",
) -> Path:
    """A recording. `audio`: channels x samples; `video`: times and pictures."""
    container: Any
    with av.open(str(path), "w") as container:
        picture_track = sound_track = None
        pictures = list(video) if video is not None else []
        if pictures:
            picture_track = container.add_stream(codec, rate=30)
            picture_track.height, picture_track.width = pictures[0][1].shape[:2]
            picture_track.pix_fmt = "yuv420p"
            picture_track.codec_context.time_base = Fraction(1, 1000)
        if audio is not None:
            sound_track = container.add_stream(audio_codec, rate=rate, layout=layout)
        for time, image in pictures:
            assert picture_track is not None
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(picture_track.encode(frame))
        if picture_track is not None:
            container.mux(picture_track.encode(None))
        if sound_track is not None and audio is not None:
            for at in range(0, audio.shape[1], 1024):
                piece = np.ascontiguousarray(audio[:, at : at + 1024])
                sound = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
                sound.sample_rate, sound.pts = rate, at
                sound.time_base = Fraction(1, rate)
                container.mux(sound_track.encode(sound))
            container.mux(sound_track.encode(None))
    return path


@pytest.fixture(scope="session")
def speak() -> Callable[[str], Audio]:
    """`speak("text")` is that sentence in Piper's voice, 16 kHz: the same sound every time."""
    voice = PiperSpeaker(models.locate("piper-joe"), varied=False)

    def say(text: str) -> Audio:
        spoken = voice.speak(text)
        samples = spoken.samples[:: spoken.rate // SAMPLE_RATE]
        return np.asarray(samples / np.float32(2**15), np.float32)

    return say


@pytest.fixture
def recording(tmp_path: Path) -> Callable[..., Path]:
    """`recording("name.mp4", video=..., audio=...)` writes one and gives its path."""

    def make(name: str, **parts: Any) -> Path:
        return write(tmp_path / name, **parts)

    return make
