"""What the tests of pictures share: keyframes of one colour, and a fake model that knows colours."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from memory.encoding import PictureEncoder
from memory.store import Store
from perception import keyframes
from perception.pictures import ColourEncoder
from perception.records import Image
from tests.memory.storing import HashEmbedder, moment, stream

COLOURS = {"red": (200, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 200)}


def shown(colour: str, seed: int = 0) -> tuple[str, bytes]:
    """A keyframe of that colour: its digest and its bytes."""
    noise = np.random.default_rng(seed).integers(0, 24, (36, 64, 3))
    encoded = keyframes.encode((np.array(COLOURS[colour]) + noise).astype(np.uint8))
    return keyframes.name_of(encoded), encoded


def remember(store: Store, colours: Sequence[str], name: str = "cam") -> list[str]:
    """A moment for each colour, and speech that tells nothing of it; the keyframes."""
    pictures = [shown(colour, seed) for seed, colour in enumerate(colours)]
    moments = [moment(at, name, 1, digest) for at, (digest, _) in enumerate(pictures)]
    store.remember(stream(name, 5.0 * len(colours)), moments, dict(pictures))
    return [digest for digest, _ in pictures]


def opened(path: Path, encoder: PictureEncoder | None = None, **more: Any) -> Store:
    return Store(path, HashEmbedder(), pictures=encoder, **more)


class Counting(ColourEncoder):
    """Also counts what it was given, and waits where a test says so."""

    def __init__(self, model_id: str = "colours", dimension: int = 32) -> None:
        self.model_id, self.dimension = model_id, dimension
        self.given = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.began = threading.Event()
        self.broken = False

    def encode_images(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        self.began.set()
        assert self.go_on.wait(20)
        if self.broken:
            raise RuntimeError("the model is away")
        self.given += len(images)
        return super().encode_images(images)

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if self.broken:
            raise RuntimeError("the model is away")
        return super().encode_texts(texts)


def vectors_held(store: Store) -> list[str]:
    return sorted(store.tables.pictures.search().to_arrow()["digest"].to_pylist())


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG of that size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 9) + b"IDAT" + b"\0" * 13
