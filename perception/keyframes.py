"""Keyframes: the picture a moment is remembered by, small enough to keep weeks of them."""

from __future__ import annotations

import hashlib
import io

import cv2
import numpy as np
from PIL import Image as Pictures

from perception.records import Image

LARGEST = 40_000  # bytes
LONG_SIDE = 960  # px, with text to be read in it
LONG_SIDE_PLAIN = 640  # px, without
QUALITIES = (70, 55, 40, 25)


def encode(image: Image, *, text: bool = False) -> bytes:
    """The image as WebP of at most 40 kB; larger when it holds text, so that it stays legible."""
    long_side = LONG_SIDE if text else LONG_SIDE_PLAIN
    while True:
        scale = min(1.0, long_side / max(image.shape[:2]))
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        picture = Pictures.fromarray(np.ascontiguousarray(small))
        for quality in QUALITIES:
            buffer = io.BytesIO()
            picture.save(buffer, "WEBP", quality=quality, method=2)
            if buffer.tell() <= LARGEST:
                return buffer.getvalue()
        long_side = long_side * 3 // 4


def name_of(encoded: bytes) -> str:
    """SHA-256 of the bytes, in hex: the keyframe's name in the media store."""
    return hashlib.sha256(encoded).hexdigest()
