"""Whether two keyframes show the same: difference hashes (dHash: is each pixel of a small grey copy
brighter than its left neighbour?), 256 bits, compared by how many differ."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

SIDE = 16
ALIKE = 26  # bits of 256 that may differ: about what re-encoding and a little noise change

Hash = npt.NDArray[np.uint64]


def difference_hash(content: bytes) -> Hash | None:
    """uint64 [4] of an encoded picture; None for bytes that are none."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            small = picture.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX)
    except (UnidentifiedImageError, OSError, ValueError):
        return None
    grey = np.asarray(small, np.int16)
    brighter = grey[:, 1:] > grey[:, :-1] + 1  # flat areas would flip with every noise
    bits: Hash = np.packbits(brighter.ravel()).view(np.uint64)
    return bits


def alike(one: Hash, others: Hash) -> npt.NDArray[np.bool_]:
    """Which of the others (uint64 [n, 4]) show the same as the one."""
    differing = np.bitwise_count(others ^ one[None]).sum(axis=1, dtype=np.int32)
    same: npt.NDArray[np.bool_] = differing <= ALIKE
    return same
