"""Text in frames: PP-OCR through RapidOCR, cleaned and put in reading order."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Protocol

import numpy as np

from perception.records import Image

Box = tuple[float, float, float, float]  # left, top, right, bottom; shares of width and height


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text read, its confidence in [0, 1] and where it stands."""

    text: str
    confidence: float
    box: Box


class Reader(Protocol):
    """Blocking."""

    def read(self, images: Sequence[Image]) -> list[tuple[TextLine, ...]]:
        """The believable lines of each image (uint8 RGB), in reading order."""
        ...


class PaddleReader:
    """PP-OCR detection and recognition on onnxruntime.

    Args:
        detect_side: long side in pixels at which text is looked for; lines are then read at full
            size. Finding costs four fifths of the time and grows with the square of this.
        cpu_threads: cores of each call.
    """

    def __init__(self, *, detect_side: int = 736, cpu_threads: int = 1) -> None:
        from rapidocr import RapidOCR

        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        self._engine: Any = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.use_cls": False,  # frames are upright already
                "Global.text_score": 0.5,
                "Det.limit_side_len": detect_side,
                "Det.limit_type": "max",
                "EngineConfig.onnxruntime.intra_op_num_threads": cpu_threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def read(self, images: Sequence[Image]) -> list[tuple[TextLine, ...]]:
        """The believable lines of each image (uint8 RGB), in reading order."""
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> tuple[TextLine, ...]:
        found = self._engine(np.ascontiguousarray(image[..., ::-1]))
        if found.txts is None or found.boxes is None:
            return ()
        height, width = image.shape[:2]
        lines = [
            TextLine(_tidy(text), float(score), _box(corners, width, height))
            for text, score, corners in zip(found.txts, found.scores, found.boxes, strict=True)
        ]
        return reading_order([line for line in lines if legible(line)])


class FixedReader:
    """The fake: reads the given lines in every image whose mean is above `brightness`."""

    def __init__(self, lines: Sequence[str] = (), brightness: float = 200.0) -> None:
        self._lines, self._brightness = tuple(lines), brightness

    def read(self, images: Sequence[Image]) -> list[tuple[TextLine, ...]]:
        """The given lines, for every bright image."""
        lines = tuple(
            TextLine(text, 0.99, (0.1, 0.1 * i, 0.9, 0.1 * i + 0.05))
            for i, text in enumerate(self._lines)
        )
        return [lines if image.mean() > self._brightness else () for image in images]


def legible(line: TextLine) -> bool:
    """Whether a line is text rather than texture: long and sure enough, the shorter the surer."""
    letters = len(re.findall(r"[^\W_]", line.text))
    if letters < 2:
        return False
    floor = 0.9 if letters < 4 else 0.7 if letters < 8 else 0.6
    return line.confidence >= floor


def reading_order(lines: Sequence[TextLine]) -> tuple[TextLine, ...]:
    """From the top down, and from the left where lines stand beside each other."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda line: line.box[1] + line.box[3]):
        middle, height = (line.box[1] + line.box[3]) / 2, line.box[3] - line.box[1]
        if rows:
            last = rows[-1][-1]
            same = abs(middle - (last.box[1] + last.box[3]) / 2) < 0.5 * min(
                height, last.box[3] - last.box[1]
            )
            if same:
                rows[-1].append(line)
                continue
        rows.append([line])
    return tuple(line for row in rows for line in sorted(row, key=lambda line: line.box[0]))


def as_text(lines: Sequence[TextLine]) -> str:
    """A reading as one text: its lines joined by " / "."""
    return " / ".join(line.text for line in lines)


def alike(one: str, other: str) -> bool:
    """Whether two readings are of the same text, but for single misread letters.

    A digit that differs is a different text: a code or a time has changed.
    """
    if one == other:
        return True
    if re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return False
    return SequenceMatcher(None, one.lower(), other.lower(), autojunk=False).ratio() >= 0.9


def _tidy(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _box(corners: Any, width: int, height: int) -> Box:
    xs, ys = corners[:, 0] / width, corners[:, 1] / height
    return float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max())
