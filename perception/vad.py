"""Voice activity: Silero's probabilities, streamed, and the utterances that endpointing makes of them.

Silero VAD v6 as shipped with faster-whisper; it takes windows of 512 samples with the 64 before,
and keeps a recurrent state, which is carried from chunk to chunk here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from perception.records import SAMPLE_RATE, Audio

WINDOW = 512  # samples, 32 ms
CONTEXT = 64  # samples
WINDOW_SECONDS = WINDOW / SAMPLE_RATE


class VoiceDetector(Protocol):
    """Stateful: one per stream."""

    def probabilities(self, windows: Audio) -> npt.NDArray[np.float32]:
        """Speech probability in [0, 1] of each consecutive window; `windows` is N x 512."""
        ...


class SileroDetector:
    """Silero VAD v6 on onnxruntime, one thread."""

    def __init__(self) -> None:
        from faster_whisper.vad import get_vad_model

        self._session: Any = get_vad_model().session
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(CONTEXT, np.float32)

    def probabilities(self, windows: Audio) -> npt.NDArray[np.float32]:
        """Speech probability of each window; `windows` is N x 512, following on the last."""
        before = np.concatenate([self._context[None], windows[:-1, -CONTEXT:]])
        joined = np.concatenate([before, windows], axis=1)
        output, self._h, self._c = self._session.run(
            None, {"input": joined, "h": self._h, "c": self._c}
        )
        self._context = windows[-1, -CONTEXT:].copy()
        return np.asarray(output, np.float32).reshape(-1)


class LoudnessDetector:
    """The fake: a window is speech when its root mean square is above `level`."""

    def __init__(self, level: float = 0.05) -> None:
        self._level = level

    def probabilities(self, windows: Audio) -> npt.NDArray[np.float32]:
        """Speech probability of each window; `windows` is N x 512, following on the last."""
        loud = np.sqrt(np.mean(np.square(windows), axis=1)) > self._level
        return np.asarray(loud, np.float32)


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """Endpointing, in seconds. Shorter silence answers sooner and cuts more people off."""

    threshold: float = 0.5  # speech begins at this probability
    release: float = 0.35  # and goes on down to this one
    silence: float = 0.6  # this much of it ends an utterance
    shortest: float = 0.16  # less voice than this is a click or a cough
    longest: float = 30.0  # what the recogniser takes at once
    split_within: float = 10.0  # a longer one is split at the quietest point of its last seconds
    lead: float = 0.5  # audio kept before the first voice: soft consonants are not voice yet
    tail: float = 0.3  # and after the last
    onset: float = 0.1  # this much voice before "the voice started" is said
    # In conversation: after so much silence what was said is given as a `Pause`, and whoever finds
    # it finished may end it with `Endpointer.end` after so much. 0: neither.
    pause: float = 0.0
    finished: float = 0.0


@dataclass(frozen=True, slots=True)
class Onset:
    """Somebody started to speak."""

    time: float


@dataclass(frozen=True, slots=True)
class Released:
    """The voice was too short to be an utterance."""

    time: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """Speech from `start` to `end`; `samples` also hold a little before and after."""

    start: float
    end: float
    samples: Audio
    decided: float  # stream time at which the end was known


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence after speech from `start` to `end`, which may go on. `samples` are what the
    utterance would hold if it ended here."""

    start: float
    end: float
    samples: Audio


VoiceEvent = Onset | Released | Utterance | Pause


class Endpointer:
    """Turns a stream of audio into utterances. Deterministic in the samples, however chunked."""

    def __init__(self, detector: VoiceDetector, settings: VoiceSettings | None = None) -> None:
        self._detector = detector
        self._settings = settings or VoiceSettings()
        self._pending: Audio = np.zeros(0, np.float32)
        self._kept: list[Audio] = []  # windows, the last `lead` seconds of them or the utterance
        self._levels: list[float] = []  # probability of each window in the utterance
        self._window = 0  # index of the next window
        self._first_kept = 0
        self._start: int | None = None  # windows
        self._last_voice = 0
        self._voiced = 0
        self._announced = False
        self._begins = 0.0

    def begin(self, time: float) -> None:
        """The first sample fed is that of stream time `time`, not 0."""
        self._begins = time

    @property
    def speaking(self) -> bool:
        """Whether somebody is speaking now."""
        return self._announced

    @property
    def pausing(self) -> bool:
        """Whether the utterance under way has just fallen silent."""
        return self._announced and self._window - self._last_voice >= 2

    def feed(self, samples: Audio) -> list[VoiceEvent]:
        """What the next samples bring (16 kHz mono float32)."""
        joined = np.concatenate([self._pending, samples])
        whole = len(joined) // WINDOW * WINDOW
        self._pending = joined[whole:]
        if not whole:
            return []
        windows = joined[:whole].reshape(-1, WINDOW)
        probabilities = self._detector.probabilities(windows)
        events: list[VoiceEvent] = []
        for window, probability in zip(windows, probabilities, strict=True):
            events.extend(self._step(window, float(probability)))
        return events

    def flush(self) -> list[VoiceEvent]:
        """What is left at the end of the stream."""
        if self._start is None:
            return []
        return list(self._finish(self._last_voice))

    def end(self) -> list[VoiceEvent]:
        """Ends the utterance if it has been silent for `finished`: it was a whole sentence."""
        silent = self._window - self._last_voice
        if self._start is None or not self._announced or not self._settings.finished:
            return []
        if silent < _windows(self._settings.finished):
            return []
        return list(self._finish(self._last_voice))

    def current(self) -> Audio:
        """What has been said so far of an utterance that goes on (empty when nobody speaks)."""
        return np.concatenate(self._kept) if self._announced else np.zeros(0, np.float32)

    def _step(self, window: Audio, probability: float) -> Iterable[VoiceEvent]:
        settings, index = self._settings, self._window
        self._kept.append(window)
        self._levels.append(probability)
        self._window += 1
        speech = probability >= settings.threshold
        if self._start is None:
            if speech:
                self._start, self._last_voice, self._voiced = index, index + 1, 1
            else:
                self._forget(_windows(settings.lead))
            return
        if speech or (probability >= settings.release and self._last_voice == index):
            self._last_voice = index + 1
            self._voiced += 1
        if not self._announced and self._voiced >= _windows(settings.onset):
            self._announced = True
            yield Onset(self._seconds(self._start))
        silent = self._window - self._last_voice
        if silent >= _windows(settings.silence):
            yield from self._finish(self._last_voice)
        elif settings.pause and self._announced and silent == _windows(settings.pause):
            said = self._utterance(self._last_voice, self._last_voice + _windows(settings.tail))
            yield Pause(said.start, said.end, said.samples)
        elif self._window - self._first_kept >= _windows(settings.longest):
            yield from self._split()

    def _finish(self, end: int) -> Iterable[VoiceEvent]:
        settings = self._settings
        assert self._start is not None
        if self._voiced >= _windows(settings.shortest):
            if not self._announced:
                yield Onset(self._seconds(self._start))
            yield self._utterance(end, end + _windows(settings.tail))
        elif self._announced:
            yield Released(self._seconds(self._window))
        self._start, self._announced = None, False
        self._forget(_windows(settings.lead))

    def _split(self) -> Iterable[VoiceEvent]:
        """Ends the utterance at its quietest window of the last seconds and goes on from there."""
        within = min(_windows(self._settings.split_within), len(self._levels) // 2)
        # Three windows at a time, so that one dip inside a word does not win over a pause.
        tail = np.convolve(self._levels[-within:], np.ones(3) / 3, mode="same")
        quietest = len(self._levels) - within + int(np.argmin(tail))
        cut = self._first_kept + quietest
        if not self._announced:
            yield Onset(self._seconds(self._start or 0))
        yield self._utterance(cut, cut)
        self._kept, self._levels = self._kept[quietest:], self._levels[quietest:]
        self._first_kept = self._start = cut
        self._last_voice = max(self._last_voice, cut)
        self._voiced = sum(level >= self._settings.threshold for level in self._levels)
        self._announced = True
        yield Onset(self._seconds(cut))

    def _utterance(self, end: int, keep_to: int) -> Utterance:
        assert self._start is not None
        samples = np.concatenate(self._kept[: max(1, keep_to - self._first_kept)])
        return Utterance(
            self._seconds(self._start),
            self._seconds(end),
            samples,
            self._seconds(self._window),
        )

    def _seconds(self, windows: int) -> float:
        """Stream time of the beginning of a window."""
        return round(self._begins + windows * WINDOW_SECONDS, 3)

    def _forget(self, keep: int) -> None:
        """Drops all but the last `keep` windows."""
        self._kept, self._levels = self._kept[-keep:], self._levels[-keep:]
        self._first_kept = self._window - len(self._kept)


def _windows(seconds: float) -> int:
    return max(1, round(seconds / WINDOW_SECONDS))
