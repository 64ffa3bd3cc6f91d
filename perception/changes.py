"""What changed in the picture: scene boundaries, and which frames are worth a look or a reading.

Everything here works on a thumbnail of 192 x 108 grey values and costs a millisecond or two a frame,
so that models are only asked about pictures that are new. Deterministic in the frames.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from perception.records import Image

Grid = npt.NDArray[np.float32]  # one value a cell
COLUMNS, ROWS = 16, 9  # cells
CELL = 12  # thumbnail pixels on a side of a cell
EDGE_WIDTH = 480  # px at which fine edges, such as those of letters, are looked for


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """Thresholds on changes; shares of the picture in [0, 1], times in seconds."""

    cell_change: float = 7.0  # mean grey levels by which a cell counts as changed
    cell_motion: float = 3.0  # and by which it counts as moving, from one frame to the next
    cell_still: float = 0.5  # seconds without motion after which its content is there to be read
    cut_share: float = 0.6  # of cells changed since the last frame: a cut
    cut_share_with_histogram: float = 0.3  # fewer suffice when the histogram jumps as well
    histogram_jump: float = 0.3  # half the L1 distance of grey histograms
    drift_share: float = 0.65  # of cells changed since the scene began, once steady: a new scene
    steady_share: float = 0.06  # of cells changed since the last frame: the picture stands still
    shortest_scene: float = 0.5
    look_share: float = 0.1  # of cells changed since the last look: look again
    look_every: float = 1.0  # at most this often ...
    look_often: int = 3  # ... for so many looks in a scene, and then
    look_seldom: float = 3.0
    settle: float = 1.0  # a scene that never stands still is read after this time
    letter_edges: float = 0.07  # share of strong edges in a cell that may hold letters
    stroke_change: float = 28.0  # grey levels by which a pixel of the thumbnail counts as redrawn
    stroke_pixels: int = 4  # so many of them in a cell: a letter or digit is another
    read_every: float = 1.0  # at most this often
    calm: int = 2  # of the checks in the last `calm_within` may have motion in a picture at rest
    calm_within: float = 2.0
    # Where something moves all the time, as people do, what stands still for a moment is seldom
    # text: more cells are asked for, and each reading doubles the wait for the next.
    restless_cells: int = 3
    restless_cells_surely: int = 12  # so many are a new slide: read without that wait
    read_backoff: float = 8.0  # the longest wait; a scene left in peace for so long starts anew


@dataclass(frozen=True, slots=True)
class SceneCut:
    """The picture became another at `time`."""

    time: float


@dataclass(frozen=True, slots=True)
class LookAt:
    """A frame worth looking at, and reading where `read` is set. `since`: when its new content
    appeared. `sharpness`: variance of the Laplacian, grey levels squared."""

    time: float
    image: Image
    read: bool
    since: float
    sharpness: float


class ChangeDetector:
    """Watches the frames of one stream, in order."""

    def __init__(self, settings: ChangeSettings | None = None) -> None:
        self._settings = settings or ChangeSettings()
        self._last: Grid | None = None  # thumbnails
        self._scene: Grid | None = None
        self._looked: Grid | None = None
        self._read: list[Grid] = []  # what was read in this scene, and what it covered
        self._histogram: Grid | None = None
        self._scene_start = 0.0
        self._last_look = -1e9
        self._last_read = -1e9
        self._readings = 0
        self._looks = 0
        self._moved_at = np.zeros((ROWS, COLUMNS))  # when each cell last moved
        self._motion: deque[float] = deque()  # the times of late at which any did

    def watch(self, time: float, image: Image) -> list[SceneCut | LookAt]:
        """What the next frame (uint8 RGB) calls for; nothing, for most."""
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        size = (COLUMNS * CELL, ROWS * CELL)
        thumbnail = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        # A little blur: a hand-held picture that shakes by a pixel has not changed.
        thumbnail = np.asarray(cv2.GaussianBlur(thumbnail, (3, 3), 0), np.float32)
        events: list[SceneCut | LookAt] = []
        histogram = _histogram(thumbnail)
        moved = self._changed(thumbnail, self._last)
        self._note_motion(time, thumbnail)
        if self._is_cut(time, thumbnail, histogram, moved):
            events.append(SceneCut(time))
            self._begin_scene(time, thumbnail)
        look = self._worth(time, thumbnail, moved, image, grey)
        if look is not None:
            events.append(look)
        self._last, self._histogram = thumbnail, histogram
        return events

    def _note_motion(self, time: float, thumbnail: Grid) -> None:
        moving = self._changed(thumbnail, self._last, self._settings.cell_motion)
        if self._last is not None:
            moving |= self._rewritten(thumbnail, self._last)
        self._moved_at[moving] = time
        if moving.any():
            self._motion.append(time)
        while self._motion and self._motion[0] < time - self._settings.calm_within:
            self._motion.popleft()

    def _begin_scene(self, time: float, thumbnail: Grid) -> None:
        self._scene, self._scene_start = thumbnail, time
        self._looked, self._read, self._readings, self._looks = None, [], 0, 0
        self._last_read = -1e9

    def _is_cut(
        self, time: float, thumbnail: Grid, histogram: Grid, moved: npt.NDArray[np.bool_]
    ) -> bool:
        settings = self._settings
        if self._scene is None or self._histogram is None:
            return True
        if time - self._scene_start < settings.shortest_scene:
            return False
        share = float(moved.mean())
        jump = float(np.abs(histogram - self._histogram).sum()) / 2
        if share > settings.cut_share:
            return True
        if share > settings.cut_share_with_histogram and jump > settings.histogram_jump:
            return True
        drifted = float(self._changed(thumbnail, self._scene).mean()) > settings.drift_share
        return drifted and (share < settings.steady_share or time - self._scene_start > 4.0)

    def _worth(
        self,
        time: float,
        thumbnail: Grid,
        moved: npt.NDArray[np.bool_],
        image: Image,
        grey: npt.NDArray[np.uint8],
    ) -> LookAt | None:
        settings = self._settings
        read, since = self._worth_reading(time, thumbnail, moved, grey)
        wait = settings.look_every if self._looks < settings.look_often else settings.look_seldom
        due = time - self._last_look >= wait - 1e-6
        changed = self._looked is None or (
            float(self._changed(thumbnail, self._looked).mean()) > settings.look_share
        )
        first = self._looked is None and (time > self._scene_start or float(moved.mean()) < 0.06)
        if not read and not (changed and due and self._looked is not None) and not first:
            return None
        self._looked, self._last_look = thumbnail, time
        self._looks += 1
        if read:
            self._read = [*self._read[-5:], thumbnail]
            self._last_read = time
            self._readings += 1
        sharpness = float(cv2.Laplacian(_edges_at(grey), cv2.CV_32F).var())
        return LookAt(time, image, read, since, sharpness)

    def _worth_reading(
        self,
        time: float,
        thumbnail: Grid,
        moved: npt.NDArray[np.bool_],
        grey: npt.NDArray[np.uint8],
    ) -> tuple[bool, float]:
        """Whether to read this frame, and since when its new content has been there."""
        settings = self._settings
        if not self._read:
            still = time > self._scene_start and moved.mean() < settings.steady_share
            return still or time - self._scene_start >= settings.settle, self._scene_start
        fresh = time - self._moved_at >= settings.cell_still - 1e-6
        calm = len(self._motion) <= settings.calm
        for seen in self._read[-1:] if calm else self._read:
            fresh &= self._changed(thumbnail, seen) | self._rewritten(thumbnail, seen)
        if not fresh.any():
            return False, time
        fresh &= _may_hold_letters(grey, settings.letter_edges)
        letters = int(fresh.sum())
        if not letters:
            return False, time
        since = float(self._moved_at[fresh].max())
        if time - self._last_read > settings.read_backoff:
            self._readings = 1
        wait = settings.read_every
        if not calm and letters < settings.restless_cells_surely:
            if letters < settings.restless_cells:
                return False, time
            wait = min(settings.read_backoff, wait * 2**self._readings)
        return time - self._last_read >= wait, since

    def _rewritten(self, thumbnail: Grid, other: Grid) -> npt.NDArray[np.bool_]:
        """Cells of which a small part differs much, as when one digit becomes another."""
        redrawn = np.abs(thumbnail - other) > self._settings.stroke_change
        counts = redrawn.reshape(ROWS, CELL, COLUMNS, CELL).sum(axis=(1, 3))
        return np.asarray(counts >= self._settings.stroke_pixels)

    def _changed(
        self, thumbnail: Grid, other: Grid | None, by: float | None = None
    ) -> npt.NDArray[np.bool_]:
        """Which cells differ, a change of exposure of the whole picture aside."""
        if other is None:
            return np.ones((ROWS, COLUMNS), np.bool_)
        difference = thumbnail - other
        exposure = float(np.clip(np.median(difference), -12, 12))
        cells = np.abs(difference - exposure).reshape(ROWS, CELL, COLUMNS, CELL).mean(axis=(1, 3))
        return np.asarray(cells > (self._settings.cell_change if by is None else by))


def _histogram(thumbnail: Grid) -> Grid:
    counts, _ = np.histogram(thumbnail, bins=32, range=(0, 256))
    return (counts / thumbnail.size).astype(np.float32)


def _edges_at(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height = max(ROWS, round(grey.shape[0] * EDGE_WIDTH / grey.shape[1]))
    return np.asarray(cv2.resize(grey, (EDGE_WIDTH, height), interpolation=cv2.INTER_AREA))


def _may_hold_letters(grey: npt.NDArray[np.uint8], least: float) -> npt.NDArray[np.bool_]:
    """Cells with many strong edges on a fine scale: letters have them, limbs and furniture few."""
    small = _edges_at(grey)
    strong = (np.abs(cv2.Sobel(small, cv2.CV_16S, 1, 0)) > 120).astype(np.float32)
    return np.asarray(cv2.resize(strong, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA) > least)
