"""The vector of each observation: its text's embedding, or for tagged frames the mixture of tags.

A frame's vector is the sum of its labels' text embeddings weighted by their probabilities, at unit
length (ConSE, arXiv 1312.5650), so that words find pictures in one space.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from memory.embedder import Embedder
from memory.tables import DIMENSIONS
from perception.records import Observation

Vectors = npt.NDArray[np.float32]

LABELS_CACHED = 4096  # 6 MB; a tagger's vocabulary is about a thousand labels


class Vectorizer:
    """Safe to use from many threads."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._labels: OrderedDict[str, Vectors] = OrderedDict()
        self._guard = threading.Lock()

    def vectors(self, observations: Sequence[Observation]) -> Vectors:
        """float32 [n, 384], rows of unit length; one call of the embedder at most."""
        labels = {tag.label for o in observations if o.kind == "vision" for tag in o.tags}
        with self._guard:
            known = {label: self._labels[label] for label in labels if label in self._labels}
        unknown = sorted(labels - known.keys())
        tagged = [o.kind == "vision" and bool(o.tags) for o in observations]
        texts = [o.text for o, mixed in zip(observations, tagged, strict=True) if not mixed]
        embedded = self._embed(unknown + texts)
        known.update(zip(unknown, embedded, strict=False))
        self._remember({label: known[label] for label in unknown})
        rest = iter(embedded[len(unknown) :])
        rows = [
            _mixture(o, known) if mixed else next(rest)
            for o, mixed in zip(observations, tagged, strict=True)
        ]
        return np.stack(rows) if rows else np.empty((0, DIMENSIONS), np.float32)

    def _embed(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.empty((0, DIMENSIONS), np.float32)
        return np.asarray(self._embedder.embed(texts), dtype=np.float32)

    def _remember(self, fresh: dict[str, Vectors]) -> None:
        with self._guard:
            self._labels.update(fresh)
            while len(self._labels) > LABELS_CACHED:
                self._labels.popitem(last=False)


def _mixture(observation: Observation, labels: dict[str, Vectors]) -> Vectors:
    mixture = np.zeros(DIMENSIONS, np.float32)
    for tag in observation.tags:
        mixture += np.float32(tag.probability) * labels[tag.label]
    length = float(np.linalg.norm(mixture))
    return mixture / np.float32(length) if length > 0 else labels[observation.tags[0].label]
