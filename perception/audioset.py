"""Sounds beyond speech and music: a classifier of AudioSet's 527 labels, by default the Audio
Spectrogram Transformer (Gong et al. 2021, arXiv 2104.01778; labels: Gemmeke et al. 2017,
doi 10.1109/ICASSP.2017.7952261).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from perception.checkpoints import device_of, dtype_of, folder_of, load_whole, loading
from perception.errors import ModelUnusable
from perception.records import SAMPLE_RATE, Audio
from perception.sounds import SoundSpan

DEFAULT = "MIT/ast-finetuned-audioset-10-10-0.4593"
PIECE = 10.0  # seconds that the model was trained on
SHORTEST = 0.1  # seconds
LIKELY = 0.3  # labels below are not heard
MOST = 3  # labels of one piece: AudioSet names a bark five times over, from the animal downwards
BATCH = 16
# What the stream pipeline knows by another name.
KNOWN_AS: Mapping[str, str] = {
    "Speech": "speech",
    "Male speech, man speaking": "speech",
    "Female speech, woman speaking": "speech",
    "Child speech, kid speaking": "speech",
    "Conversation": "speech",
    "Narration, monologue": "speech",
    "Speech synthesizer": "speech",
    "Music": "music",
    "Singing": "singing",
}
# Where and how it sounds, not what does.
UNHEARD = frozenset(
    {
        "Silence",
        "Inside, small room",
        "Inside, large room or hall",
        "Inside, public space",
        "Outside, urban or manmade",
        "Outside, rural or natural",
        "Reverberation",
        "Echo",
        "Noise",
        "Environmental noise",
        "Static",
        "Mains hum",
        "Distortion",
        "Sidetone",
        "Cacophony",
        "White noise",
        "Pink noise",
        "Throbbing",
        "Vibration",
        "Television",
        "Radio",
        "Field recording",
        "Sound effect",
    }
)


class AudioSetListener:
    """A `transformers` audio classifier: bf16 on a GPU, float32 on the CPU. A `Listener`.

    Args:
        network: on its device; its configuration names the labels.
        extractor: the checkpoint's own, from audio to the network's input.
    """

    def __init__(
        self, network: Any, extractor: Any, *, likely: float = LIKELY, batch: int = BATCH
    ) -> None:
        self.network = network.eval()
        self._extractor = extractor
        self._likely, self._batch = likely, batch
        names = [network.config.id2label[at] for at in range(network.config.num_labels)]
        self._labels = [KNOWN_AS.get(name, name.lower()) for name in names]
        self._heard = np.array([name not in UNHEARD for name in names], np.bool_)

    @classmethod
    def load(cls, model: str = DEFAULT, *, device: str | None = None) -> AudioSetListener:
        """From a hub id (`owner/name@revision`) or a folder. Raises ModelUnusable."""
        from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

        where = device_of(device)
        network = load_whole(AutoModelForAudioClassification, model, dtype=dtype_of(where))
        with loading(model):
            extractors: Any = AutoFeatureExtractor  # its methods have no types
            extractor = extractors.from_pretrained(folder_of(model))
            if extractor.sampling_rate != SAMPLE_RATE:
                raise ModelUnusable(model, f"it takes {extractor.sampling_rate} Hz, not 16000 Hz")
            return cls(network.to(where), extractor)

    def listen(self, windows: Sequence[Audio]) -> list[tuple[SoundSpan, ...]]:
        """The spans heard in each window of audio, labels in lower case; a label that goes on from
        one piece of a window to the next is one span."""
        pieces = [
            (at, start / SAMPLE_RATE, audio[start : start + round(PIECE * SAMPLE_RATE)])
            for at, audio in enumerate(windows)
            for start in range(0, len(audio), round(PIECE * SAMPLE_RATE))
        ]
        pieces = [p for p in pieces if len(p[2]) >= SHORTEST * SAMPLE_RATE and np.any(p[2])]
        found: list[list[SoundSpan]] = [[] for _ in windows]
        for first in range(0, len(pieces), self._batch):
            chunk = pieces[first : first + self._batch]
            likelihoods = self._classify([audio for _, _, audio in chunk])
            for (at, start, audio), row in zip(chunk, likelihoods, strict=True):
                end = start + len(audio) / SAMPLE_RATE
                found[at] += [SoundSpan(label, start, end, p) for label, p in self._likeliest(row)]
        return [tuple(_joined(spans)) for spans in found]

    def _likeliest(self, row: npt.NDArray[np.float32]) -> list[tuple[str, float]]:
        best: dict[str, float] = {}
        for at in np.argsort(-row, kind="stable"):
            if row[at] < self._likely or len(best) == MOST:
                break
            if self._heard[at]:
                best.setdefault(self._labels[at], float(row[at]))
        return list(best.items())

    def _classify(self, audios: list[Audio]) -> npt.NDArray[np.float32]:
        """Pieces x labels, each in [0, 1]: several may be heard at once."""
        import torch

        inputs = self._extractor(audios, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        values = inputs["input_values"].to(self.network.device, self.network.dtype)
        with torch.inference_mode():
            likelihoods: npt.NDArray[np.float32] = (
                torch.sigmoid(self.network(values).logits.float()).cpu().numpy()
            )
        return likelihoods


def _joined(spans: Iterable[SoundSpan]) -> list[SoundSpan]:
    """In order of time; spans of one label that meet are one, as sure as the surest."""
    joined: list[SoundSpan] = []
    for span in sorted(spans, key=lambda s: (s.label, s.start)):
        last = joined[-1] if joined else None
        if last is not None and last.label == span.label and span.start <= last.end:
            score = max(last.score, span.score)
            joined[-1] = SoundSpan(span.label, last.start, span.end, score)
        else:
            joined.append(span)
    return sorted(joined, key=lambda s: (s.start, -s.score))
