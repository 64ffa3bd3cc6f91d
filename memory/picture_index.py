"""The picture vectors of one model as search reads them, at eight bits a number."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from memory.columns import Column

Vectors = npt.NDArray[np.float32]

COMPARED_AT_ONCE = 8192  # rows; as float32 they fit the cache of a core's neighbours


class PictureIndex:
    """Safe to use from many threads. All rows have the dimension of the first: those of a model
    that was exchanged under the same id are dropped by the first that has another."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._at: dict[str, int] = {}
        self._digests: list[str] = []  # by row; "" where there is none
        self._free: list[int] = []
        self._numbers = Column(np.int8, 0)
        self._scale = Column(np.float32)

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, digest: object) -> bool:
        return digest in self._at

    def add(self, digests: Sequence[str], vectors: Vectors) -> None:
        """`vectors` float32 [n, dimension], unit rows, in the order of the digests."""
        if not digests:
            return
        peak = np.maximum(np.abs(vectors).max(axis=1), np.float32(1e-6))
        numbers = np.rint(vectors / peak[:, None] * 127).astype(np.int8)
        with self._guard:
            if self._numbers.view.shape[1] != vectors.shape[1]:
                self._at, self._digests, self._free = {}, [], []
                self._numbers = Column(np.int8, vectors.shape[1])
                self._scale = Column(np.float32)
            for digest, row, scale in zip(digests, numbers, peak / 127, strict=True):
                self._put(digest, row, scale)

    def _put(self, digest: str, row: npt.NDArray[np.int8], scale: np.float32) -> None:
        at = self._at.get(digest, -1)
        if at < 0 and self._free:
            at = self._free.pop()
        if at < 0:
            at = len(self._digests)
            self._digests.append(digest)
            self._numbers.extend(row[None])
            self._scale.extend([scale])
        self._numbers.view[at], self._scale.view[at] = row, scale
        self._digests[at] = digest
        self._at[digest] = at

    def drop(self, digests: Iterable[str]) -> None:
        """Drop the vectors of these keyframes; what was in them is gone at once."""
        with self._guard:
            for digest in digests:
                at = self._at.pop(digest, -1)
                if at >= 0:
                    self._digests[at] = ""
                    self._numbers.view[at] = 0
                    self._free.append(at)

    def digests(self) -> set[str]:
        """The keyframes that have a vector."""
        with self._guard:
            return set(self._at)

    def cosines(self, vector: Vectors) -> tuple[list[str], Vectors]:
        """Every keyframe, and the cosine of its vector with a unit vector: float32 [n]."""
        with self._guard:
            numbers, scale = self._numbers.view, self._scale.view
            if numbers.shape[1] != len(vector):
                return [], np.empty(0, np.float32)
            found = np.empty(len(numbers), np.float32)
            for first in range(0, len(numbers), COMPARED_AT_ONCE):
                part = slice(first, first + COMPARED_AT_ONCE)
                # On this thread alone, as `index.weighed` has it.
                found[part] = np.einsum("ij,j->i", numbers[part].astype(np.float32), vector)
            found *= scale
            held = np.array([bool(digest) for digest in self._digests], np.bool_)
            return [digest for digest in self._digests if digest], found[held]
