"""Faces: how many are in a frame (CenterFace, arXiv 1911.03599, MIT). Counted, never recognised."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

import models
from perception.records import Image

logger = logging.getLogger(__name__)
STRIDE = 4  # of the model's output
MULTIPLE = 32  # of its input's sides


class FaceCounter(Protocol):
    """Blocking. None: faces cannot be counted here."""

    def count(self, images: Sequence[Image]) -> list[int | None]:
        """How many faces each image (uint8 RGB) shows."""
        ...


class CenterFaceCounter:
    """CenterFace through OpenCV's DNN module, which takes its fixed-shape ONNX file at any size.

    Args:
        long_side: pixels that the image is brought down to; a face needs about 10 of them.
        threshold: on the heat map, [0, 1].
    """

    def __init__(self, *, long_side: int = 480, threshold: float = 0.5) -> None:
        self._net: Any = cv2.dnn.readNetFromONNX(str(models.locate("centerface")))
        self._long_side, self._threshold = long_side, threshold
        self._lock = threading.Lock()

    def count(self, images: Sequence[Image]) -> list[int | None]:
        """How many faces each image (uint8 RGB) shows."""
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> int:
        scale = min(1.0, self._long_side / max(image.shape[:2]))
        height, width = (
            max(MULTIPLE, round(side * scale / MULTIPLE) * MULTIPLE) for side in image.shape[:2]
        )
        blob = cv2.dnn.blobFromImage(image, 1.0, (width, height), (0, 0, 0), False, False)
        with self._lock:  # a network holds its input between the two calls
            self._net.setInput(blob)
            heat, size, _offsets, _landmarks = self._net.forward(["537", "538", "539", "540"])
        return len(_faces(heat[0, 0], size[0], self._threshold))


class NoFaces:
    """Stands in where the optional model is absent: says so once and counts nothing."""

    def __init__(self, why: str = "") -> None:
        if why:
            logger.warning("faces are not counted: %s", why)

    def count(self, images: Sequence[Image]) -> list[int | None]:
        """How many faces each image (uint8 RGB) shows."""
        return [None] * len(images)


def face_counter() -> FaceCounter:
    """CenterFace where it is installed."""
    try:
        return CenterFaceCounter()
    except models.ModelMissing as error:
        return NoFaces(str(error))


def _faces(
    heat: npt.NDArray[np.float32], size: npt.NDArray[np.float32], threshold: float
) -> list[tuple[float, float, float, float]]:
    """Boxes (left, top, right, bottom; input pixels) of the heat map's peaks, overlaps removed."""
    boxes: list[tuple[float, float, float, float]] = []
    rows, columns = np.nonzero(heat > threshold)
    for at in np.argsort(-heat[rows, columns]):
        row, column = int(rows[at]), int(columns[at])
        height = float(np.exp(size[0, row, column])) * STRIDE
        width = float(np.exp(size[1, row, column])) * STRIDE
        x, y = (column + 0.5) * STRIDE, (row + 0.5) * STRIDE
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        if all(_overlap(box, other) < 0.3 for other in boxes):
            boxes.append(box)
    return boxes


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (areas - width * height)
