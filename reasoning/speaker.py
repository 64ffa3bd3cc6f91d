"""Speech out: a sentence in, its sound out, at the rate a call takes it (48 kHz).

`PiperSpeaker` runs a Piper voice (VITS, arXiv 2106.06103) on the CPU, about ten times faster than
it is heard; `ToneSpeaker` is the fake.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reasoning.errors import ModelUnusable

RATE = 48_000
_PAUSE = 0.15  # seconds of silence after a sentence
_LOUDNESS = 0.9  # share of full scale, so that resampling does not clip


@dataclass(frozen=True, slots=True)
class Speech:
    """Mono sound: int16 samples at `rate` Hz."""

    samples: npt.NDArray[np.int16]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


class Speaker(Protocol):
    """Blocking; safe to call from many threads, which take turns."""

    def speak(self, text: str) -> Speech: ...


class PiperSpeaker:
    """A Piper voice: `path` is its .onnx, its .onnx.json beside it. Loads in about a second.

    `varied`: as a person, it never says a sentence twice alike (VITS samples the length of each
    phoneme and the sound itself). Without, the same sentence is the same sound.

    Raises:
        ModelUnusable: the files are there but no voice.
    """

    def __init__(self, path: Path, *, threads: int = 2, varied: bool = True) -> None:
        import onnxruntime
        from piper import PiperVoice, SynthesisConfig

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False  # it would keep the longest sentence's memory for good
        try:
            self._voice: Any = PiperVoice.load(path)
            # Piper takes every core and offers no setting.
            self._voice.session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own types are not public
            raise ModelUnusable(f"voice {path} does not load: {error}") from error
        noise = None if varied else 0.0  # None: as much as the voice was made for
        self._config = SynthesisConfig(volume=_LOUDNESS, noise_scale=noise, noise_w_scale=noise)
        self._turn = threading.Lock()

    def speak(self, text: str) -> Speech:
        with self._turn:
            pieces = [
                piece.audio_int16_array
                for piece in self._voice.synthesize(text, syn_config=self._config)
            ]
        rate = int(self._voice.config.sample_rate)
        silence = np.zeros(int(_PAUSE * rate), np.int16)
        return resampled(np.concatenate([*pieces, silence]).astype(np.int16), rate)


class ToneSpeaker:
    """A fake: hums 440 Hz, `per_character` seconds for each; keeps what it was told to say."""

    def __init__(self, per_character: float = 0.05, rate: int = RATE) -> None:
        self._per_character, self._rate = per_character, rate
        self.said: list[str] = []

    def speak(self, text: str) -> Speech:
        self.said.append(text)
        times = np.arange(int(len(text) * self._per_character * self._rate)) / self._rate
        return Speech((np.sin(2 * np.pi * 440 * times) * 12_000).astype(np.int16), self._rate)


def resampled(samples: npt.NDArray[np.int16], rate: int) -> Speech:
    """Sound of `rate` Hz at `RATE`."""
    import av

    resampler = av.AudioResampler("s16", "mono", RATE)
    frame: Any = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = rate
    outs = [*resampler.resample(frame), *resampler.resample(None)]
    return Speech(np.concatenate([out.to_ndarray()[0] for out in outs]).astype(np.int16), RATE)
