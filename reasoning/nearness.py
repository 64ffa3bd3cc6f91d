"""How near two words are in meaning, for the words no list knows.

The input embeddings of the sentence encoder, one row a word, read in place from its weights: no
encoder runs and only the rows that are asked for come into memory. Cosines of centred rows part
"bike" and "bicycle" (0.77) from "cat" and "dog" (0.44), or "garden" and "office" (0.14).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Nearness = Callable[[str, str], float]

_ROWS = "embeddings.word_embeddings.weight"
_SAMPLE = 61  # every so many-th row makes the centre


def unknown(a: str, b: str) -> float:
    """Knows no words: only lists and stems decide."""
    return 0.0


class WordVectors:
    """`folder` holds vocab.txt and model.safetensors (float32) of a BERT-like encoder."""

    def __init__(self, folder: Path) -> None:
        lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self._row = {word: n for n, word in enumerate(lines) if word.isalpha()}
        path = folder / "model.safetensors"
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size))
        entry = next(v for k, v in header.items() if k.endswith(_ROWS))
        self._table: npt.NDArray[np.float32] = np.memmap(
            path,
            np.float32,
            "r",
            offset=8 + size + entry["data_offsets"][0],
            shape=tuple(entry["shape"]),
        )
        self._centre = np.asarray(self._table[::_SAMPLE]).mean(axis=0)

    def __call__(self, a: str, b: str) -> float:
        """Cosine of two lower-case words, [-1, 1]; 0 where one of them is not known whole."""
        if a not in self._row or b not in self._row:
            return 0.0
        u, v = (self._table[self._row[w]] - self._centre for w in (a, b))
        return float(u @ v / (np.linalg.norm(u) * np.linalg.norm(v)))
