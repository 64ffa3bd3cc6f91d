"""Vectors at eight bits a number: the direction times what makes its largest number 127.

Every row is kept so from the start, not only old ones: search compares vectors at eight bits anyway,
so nothing is lost to it, and nothing has to be rewritten, or read in two ways, as rows age. (Text is
left to Lance, which packs it by itself: zstd on top of that took 1 to 2 % off a row.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Int8s = npt.NDArray[np.int8]

LARGEST = 127
_ROUNDED = np.float32(1e-6)  # below, a vector counts as none


def quantised(vectors: Floats) -> Int8s:
    """int8 [n, d] of float32 [n, d], whose length is not kept: it was 1. What `directions` gives
    comes back as it was."""
    peak = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), _ROUNDED)
    codes: Int8s = np.rint(vectors * (np.float32(LARGEST) / peak)).astype(np.int8)
    return codes


def lengths(codes: Int8s) -> Floats:
    """float32 [n]; of a vector of zeros, 1."""
    wide = codes.astype(np.int16)
    squares = np.einsum("ij,ij->i", wide, wide, dtype=np.int32)
    found: Floats = np.sqrt(np.maximum(squares, 1), dtype=np.float32)
    return found


def directions(codes: Int8s) -> Floats:
    """float32 [n, d], rows of unit length, of int8 [n, d]; their cosines are about 0.001 off."""
    return codes.astype(np.float32) / lengths(codes)[:, None]
