"""A live source: what comes over WebRTC, as the audio and frames that perception takes.

Nothing waits for perception: tracks are always drained. Video keeps one frame, the latest; audio
is resampled to 16 kHz mono and queued, and never dropped unless the queue's bound is reached.
Audio has no gaps: packets that were lost, and a microphone that fell silent, become silence, so
that stream time is wall-clock time and an utterance ends even when the network does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict, dataclass
from typing import Any

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from perception.decoding import upright
from perception.records import SAMPLE_RATE, Audio
from perception.sources import AudioChunk, Frame

log = logging.getLogger("lookback.live")

CHUNK = 512  # samples, 32 ms: one window of voice detection
LONGEST_QUEUE = 120 * SAMPLE_RATE  # samples; beyond it audio is lost, and counted
# Packets come late in bursts: only what is missing for longer than this is filled with silence.
PATIENCE = 0.4
AHEAD = 1.0  # seconds that audio may be ahead of the clock
QUIET = 0.01  # of full scale
STEP = 0.1  # seconds between two looks at whether audio is missing


@dataclass(slots=True)
class Received:
    """What came in. Seconds of audio; frames."""

    audio: float = 0.0
    filled: float = 0.0  # silence put where audio was missing
    lost_audio: float = 0.0  # audio that found the queue full
    frames: int = 0
    dropped_frames: int = 0  # due to be looked at, but perception was busy
    perceived_frames: int = 0


class LiveSource:
    """Feed it with `listen` and `watch` (tasks, one a track); `close` ends it.

    Args:
        now: stream time, seconds; it goes on whether or not anything comes in.
    """

    seconds: float | None = None

    def __init__(self, now: Callable[[], float], frames_per_second: float = 4.0) -> None:
        self._now = now
        self._period = 1.0 / frames_per_second
        self._audio: deque[Audio] = deque()
        self._queued = 0  # samples in `_audio`
        self._head = 0.0  # stream time of the first of them
        self._tail: float | None = None  # stream time up to which audio is queued
        self._frame: tuple[float, Any] | None = None  # the latest, undecided
        self._next_frame = 0.0
        self._something = asyncio.Event()
        self._closed = False
        self.received = Received()
        self.heard_from = time.monotonic()  # when media last came

    def counted(self) -> dict[str, float]:
        """What came in and what was lost, for the stream's progress."""
        return {name: round(value, 3) for name, value in asdict(self.received).items()}

    def close(self) -> None:
        """No more comes; what is queued is still given."""
        self._closed = True
        self._something.set()

    async def listen(self, track: MediaStreamTrack) -> None:
        """Drain an audio track until it ends."""
        resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        filling = asyncio.create_task(self._keep_up())
        try:
            while True:
                frame: Any = await track.recv()
                frame.pts = None
                pieces = [out.to_ndarray()[0] for out in resampler.resample(frame)]
                self.hear(np.concatenate(pieces) if pieces else np.zeros(0, np.float32))
        except MediaStreamError:
            log.info("an audio track ended")
        finally:
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)

    async def watch(self, track: MediaStreamTrack) -> None:
        """Drain a video track until it ends. Only frames that are taken are converted."""
        try:
            while True:
                self.see(await track.recv())
        except MediaStreamError:
            log.info("a video track ended")

    def hear(self, samples: Audio) -> None:
        """Audio that has just come: float32 mono at 16 kHz."""
        self.heard_from = time.monotonic()
        self.received.audio += len(samples) / SAMPLE_RATE
        now = self._now()
        if self._tail is None:
            self._tail = self._head = max(0.0, now - len(samples) / SAMPLE_RATE)
        self._fill(now - len(samples) / SAMPLE_RATE - PATIENCE)
        # A sender's clock that runs fast, or packets that came after silence had taken their
        # place: time is made up for where nothing is said.
        if self._tail - now < AHEAD or float(np.abs(samples).max(initial=0.0)) > QUIET:
            self._queue(samples)

    def see(self, frame: Any) -> None:
        """A picture (`av.VideoFrame`) that has just come."""
        self.heard_from = time.monotonic()
        self.received.frames += 1
        now = self._now()
        if now < self._next_frame:
            return
        if self._frame is not None:
            if now - self._frame[0] < self._period:
                return
            self.received.dropped_frames += 1
        self._frame = (now, frame)
        self._something.set()

    async def __aiter__(self) -> AsyncGenerator[AudioChunk | Frame, None]:
        while True:
            while chunk := self._chunk():
                yield chunk
            taken, self._frame = self._frame, None
            if taken is not None:
                at, picture = taken
                self._next_frame = max(self._next_frame + self._period, at + self._period / 2)
                self.received.perceived_frames += 1
                yield Frame(round(at, 3), await asyncio.to_thread(upright, picture))
                continue
            if self._closed:
                return
            self._something.clear()
            if not self._due():
                await self._something.wait()

    def _chunk(self) -> AudioChunk | None:
        """The next chunk; at the end, what is left."""
        if not self._due():
            return None
        count = min(CHUNK, self._queued)
        start, taken = self._head, []
        while count > 0:
            piece = self._audio.popleft()
            if len(piece) > count:
                self._audio.appendleft(piece[count:])
                piece = piece[:count]
            taken.append(piece)
            count -= len(piece)
            self._queued -= len(piece)
        samples = np.concatenate(taken)
        self._head = start + len(samples) / SAMPLE_RATE
        return AudioChunk(start, samples)

    def _due(self) -> bool:
        return self._queued >= CHUNK or (self._closed and self._queued > 0)

    async def _keep_up(self) -> None:
        """While audio is missing, silence takes its place."""
        while True:
            await asyncio.sleep(STEP)
            if self._tail is not None:
                self._fill(self._now() - PATIENCE)

    def _fill(self, until: float) -> None:
        assert self._tail is not None
        missing = int((until - self._tail) * SAMPLE_RATE)
        missing = min(missing, LONGEST_QUEUE - self._queued)
        # Below a chunk it is jitter, or a sender's clock that runs a little slow.
        if missing >= 2 * CHUNK:
            self.received.filled += missing / SAMPLE_RATE
            self._queue(np.zeros(missing, np.float32))

    def _queue(self, samples: Audio) -> None:
        assert self._tail is not None
        room = LONGEST_QUEUE - self._queued
        kept = samples[: max(0, room)]
        self.received.lost_audio += (len(samples) - len(kept)) / SAMPLE_RATE
        if len(kept):
            self._audio.append(np.ascontiguousarray(kept, np.float32))
            self._queued += len(kept)
            self._tail += len(kept) / SAMPLE_RATE
        if self._due():
            self._something.set()
