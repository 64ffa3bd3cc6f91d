"""Where to look closer: squares around what stands out from its surroundings in one frame.

A table, a floor or a road is much the same colour all along a row of the picture. So a pixel stands
out when it has the usual colour of none of the rows about its own; what stands out and hangs
together, not as a line and not all over, is worth a look of its own. About a millisecond a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from perception.records import Image

LONG_SIDE = 120  # px of the thumbnail
NEARBY_ROWS = 3  # above and below: edges that are not quite level are no objects
CHANNELS = np.array(
    [0.8, 1.3, 1.3], np.float32
)  # shadows change lightness, things change colour as well
DISTANCE = 16.0  # in CIE L*a*b*, weighted so, from which a pixel stands out
CLUTTER = 0.3  # share of the picture that stands out from which nothing does
LEAST_AREA, MOST_AREA = 0.004, 0.5  # shares of the picture
LEAST_SIDE = 6  # thumbnail pixels
LONGEST = 4.0  # times as long as wide
FILLED = 0.35  # least share of its box
MARGIN = 1.5  # side of the square over the long side of what is in it
EDGE = 12  # grey levels of the Laplacian on the thumbnail, beyond noise and shading
PLAIN = 0.002  # share of the picture that is edges below which it shows nothing


@dataclass(frozen=True, slots=True)
class Square:
    """Pixels of the frame: the left and upper edge, and the side."""

    left: int
    top: int
    side: int

    def of(self, image: Image) -> Image:
        """The part of the image within it."""
        return image[self.top : self.top + self.side, self.left : self.left + self.side]


def squares(image: Image, most: int = 2) -> list[Square]:
    """Around what stands out most in the image (uint8 RGB), that first."""
    height, width = image.shape[:2]
    scale = max(height, width) / LONG_SIDE
    distance = _distances(_thumbnail(image))
    standing_out = (distance > DISTANCE).astype(np.uint8)
    if standing_out.mean() > CLUTTER:
        return []
    mask = cv2.morphologyEx(standing_out, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, parts, boxes, _ = cv2.connectedComponentsWithStats(mask)
    found: list[tuple[float, Square]] = []
    for part, box in enumerate(boxes.tolist()):
        borders = _borders(box, mask.shape)
        if part == 0 or borders > 2 or not _is_compact(box, mask.size):
            continue
        strength = float(distance[parts == part].sum()) / (2 if borders else 1)
        found.append((strength, _around(box, scale, height, width)))
    found.sort(key=lambda item: (-item[0], item[1].left, item[1].top))
    return [square for _, square in found[:most]]


def is_plain(image: Image) -> bool:
    """Whether hardly anything can be made out: a covered lens, an empty wall."""
    grey = cv2.cvtColor(_thumbnail(image), cv2.COLOR_RGB2GRAY)
    return bool(np.mean(np.abs(cv2.Laplacian(grey, cv2.CV_32F)) > EDGE) < PLAIN)


def _thumbnail(image: Image) -> Image:
    scale = LONG_SIDE / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _distances(thumbnail: Image) -> npt.NDArray[np.float32]:
    """Of each pixel, how far its colour is from the usual one of the nearest such row."""
    colours = cv2.cvtColor(thumbnail.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) * CHANNELS
    usual = np.median(colours, axis=1)
    rows = np.arange(len(usual))
    distances = [
        np.linalg.norm(colours - usual[np.clip(rows + by, 0, rows[-1]), None], axis=2)
        for by in range(-NEARBY_ROWS, NEARBY_ROWS + 1)
    ]
    return np.asarray(np.min(distances, axis=0), np.float32)


def _borders(box: list[int], shape: tuple[int, ...]) -> int:
    """How many borders of the picture the box (left, top, width, height, area) touches."""
    left, top, width, height, _ = box
    return sum((left == 0, top == 0, left + width == shape[1], top + height == shape[0]))


def _is_compact(box: list[int], picture: int) -> bool:
    _, _, width, height, area = box
    return (
        min(width, height) >= LEAST_SIDE
        and max(width, height) <= LONGEST * min(width, height)
        and area >= LEAST_AREA * picture
        and width * height <= MOST_AREA * picture
        and area >= FILLED * width * height
    )


def _around(box: list[int], scale: float, height: int, width: int) -> Square:
    left, top, across, down, _ = box
    side = min(MARGIN * max(across, down) * scale, height, width)
    x = (left + across / 2) * scale - side / 2
    y = (top + down / 2) * scale - side / 2
    return Square(
        int(np.clip(x, 0, width - side)), int(np.clip(y, 0, height - side)), max(1, int(side))
    )
