"""Each part's work done once before the first stream comes, on material made here.

What a library loads, and what memory it takes at its first use, is then there at the start: the first
stream is perceived and remembered as fast as any, and a server's size at rest says what it will need.
"""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

from perception.records import SAMPLE_RATE, Moment, Observation, Stream

SECONDS = 3


def rehearse_store() -> None:
    """Remember, search and forget in a store of no account. About half a second."""
    from memory.embedder import HashEmbedder
    from memory.records import Query, Selection
    from memory.store import Store

    heard = tuple(Observation("rehearsal", "speech", at, at + 1.0, f"line {at}") for at in range(9))
    with (
        tempfile.TemporaryDirectory(prefix="lookback-") as folder,
        Store(Path(folder), HashEmbedder()) as store,
    ):
        store.remember(_stream(), [Moment("rehearsal", 0.0, 10.0, heard)], {})
        store.search(Query("which line was it?"))
        store.forget(Selection(stream_id="rehearsal"))


def rehearse_pipeline() -> None:
    """Take a recording of noise through decoding, voice detection and cutting. About a second."""
    # On a thread of its own: the caller's may have an event loop already.
    with ThreadPoolExecutor(1, thread_name_prefix="rehearsal") as thread:
        thread.submit(lambda: asyncio.run(_perceive_noise())).result()


async def _perceive_noise() -> None:
    from perception.perceiver import LocalPerceiver
    from perception.pipeline import StreamPipeline
    from perception.sources import RecordingSource

    with tempfile.TemporaryDirectory(prefix="lookback-") as folder:
        recording = Path(folder) / "noise.mp4"
        _write_noise(recording)
        async for _ in StreamPipeline(_stream(), LocalPerceiver.fake()).run(
            RecordingSource(recording)
        ):
            pass


def _stream() -> Stream:
    return Stream("rehearsal", datetime.now(UTC))


def _write_noise(path: Path) -> None:
    import av

    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        video = container.add_stream("h264", rate=4)
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for second in range(SECONDS):
            for _ in range(4):
                picture = random.integers(0, 255, (180, 320, 3), np.uint8)
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            noise = random.normal(0, 0.05, (1, SAMPLE_RATE)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, second * SAMPLE_RATE
            frame.time_base = Fraction(1, SAMPLE_RATE)
            container.mux(sound.encode(frame))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
