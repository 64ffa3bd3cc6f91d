"""What the tests of the store write with: a deterministic embedder, and moments made to measure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from perception.records import Moment, Observation, Stream

BEGAN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class HashEmbedder:
    """Unit vectors drawn from a hash of each text: equal texts are equal, others unrelated."""

    name = "hash"
    dimension = 384

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.texts.extend(texts)
        rows = []
        for text in texts:
            seed = int.from_bytes(hashlib.blake2s(text.encode(), digest_size=8).digest(), "big")
            rows.append(np.random.default_rng(seed).standard_normal(384))
        vectors = np.array(rows, dtype=np.float32).reshape(-1, 384)
        unit: npt.NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def stream(stream_id: str = "cam", seconds: float = 0.0) -> Stream:
    return Stream(stream_id, BEGAN, "yard.mp4", seconds)


def said(stream_id: str, start: float, text: str, seconds: float = 1.0) -> Observation:
    return Observation(stream_id, "speech", start, start + seconds, text, speaker="Ivo")


def moment(
    number: int, stream_id: str = "cam", count: int = 3, keyframe: str | None = None
) -> Moment:
    """The moment from 5 x number seconds on, with an observation every second."""
    start = number * 5.0
    observations = tuple(
        said(stream_id, start + at, f"crate {number} has part {at}", 0.9) for at in range(count)
    )
    return Moment(stream_id, start, start + 5.0, observations, keyframe)


def picture(name: str) -> tuple[str, bytes]:
    content = b"\xff\xd8\xff" + name.encode() * 50
    return hashlib.sha256(content).hexdigest(), content
