"""The agent's voice as a WebRTC track: sentences are queued, and can be silenced at once.

48 kHz mono in packets of 20 ms, the clock that of the wall. While nothing is said the track sends
silence, so that the other side's clock and jitter buffer stay settled.
"""

from __future__ import annotations

import asyncio
import fractions
import time
from collections import deque
from collections.abc import Callable

import av
import numpy as np
import numpy.typing as npt
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from reasoning.speaker import RATE, Speech

PACKET = 960  # samples, 20 ms
FADE = 240  # samples, 5 ms: a voice cut in the middle of a wave would click
LONGEST = 120 * RATE  # samples that may wait to be said; more is refused

Samples = npt.NDArray[np.int16]


class VoiceTrack(MediaStreamTrack):
    """`on_finished` is called when the last sentence queued has been sent."""

    kind = "audio"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._sounds: deque[Samples] = deque()
        self._unsaid = 0  # samples of all that waits
        self._beginning: float | None = None
        self._samples_sent = 0  # samples
        self.on_finished: Callable[[], None] = _nothing

    @property
    def speaking(self) -> bool:
        return self._unsaid > 0

    def say(self, speech: Speech) -> None:
        """Queue speech (at 48 kHz) after what is being said."""
        if speech.rate != RATE:
            raise ValueError(f"the track takes {RATE} Hz, not {speech.rate}")
        sound = speech.samples
        if self._unsaid + len(sound) <= LONGEST:
            self._sounds.append(sound)
            self._unsaid += len(sound)

    def silence(self) -> None:
        """Fall silent with the next packet."""
        packet = self._take(FADE)
        self._sounds.clear()
        self._unsaid = 0
        if len(packet):
            faded = (packet * np.linspace(1, 0, len(packet))).astype(np.int16)
            self._sounds.append(faded)
            self._unsaid = len(faded)

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, when they are due."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._beginning is None:
            self._beginning = self._clock()
        late = self._clock() - self._beginning - self._samples_sent / RATE
        if late > 1.0:  # the process stood still: what is due by now would come all at once
            self._beginning += late
        elif late < 0:
            await asyncio.sleep(-late)
        was_speaking = self.speaking
        sound = self._take(PACKET)
        packet = np.zeros((1, PACKET), np.int16)
        packet[0, : len(sound)] = sound
        frame = av.AudioFrame.from_ndarray(packet, format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, self._samples_sent
        frame.time_base = fractions.Fraction(1, RATE)
        self._samples_sent += PACKET
        if was_speaking and not self.speaking:
            self.on_finished()
        return frame

    def _take(self, count: int) -> Samples:
        taken: list[Samples] = []
        while count > 0 and self._sounds:
            head = self._sounds.popleft()
            taken.append(head[:count])
            if len(head) > count:
                self._sounds.appendleft(head[count:])
            count -= len(taken[-1])
            self._unsaid -= len(taken[-1])
        return np.concatenate(taken) if taken else np.zeros(0, np.int16)


def _nothing() -> None:
    return
