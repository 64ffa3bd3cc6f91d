"""Growing arrays: rows are appended at the end, in place, at a constant cost each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FIRST_ROWS = 1024
GROWTH = 1.5  # of the room when it runs out; the mean waste is a sixth


class Column:
    """An array [n, *width] of one type. `view` is valid until the next `extend`."""

    def __init__(self, dtype: npt.DTypeLike, *width: int) -> None:
        self._room: npt.NDArray[Any] = np.zeros((FIRST_ROWS, *width), dtype)
        self._rows = 0

    def extend(self, rows: npt.ArrayLike) -> None:
        added = np.asarray(rows, self._room.dtype)
        end = self._rows + len(added)
        if end > len(self._room):
            room = max(end, int(len(self._room) * GROWTH))
            grown = np.zeros((room, *self._room.shape[1:]), self._room.dtype)
            grown[: self._rows] = self.view
            self._room = grown
        self._room[self._rows : end] = added
        self._rows = end

    @property
    def view(self) -> npt.NDArray[Any]:
        return self._room[: self._rows]

    def __len__(self) -> int:
        return self._rows


class Codes:
    """Strings numbered in the order they first came."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self.names: list[str] = []

    def add(self, name: str) -> int:
        code = self._codes.setdefault(name, len(self.names))
        if code == len(self.names):
            self.names.append(name)
        return code

    def get(self, name: str) -> int:
        """-1 for a string that never came."""
        return self._codes.get(name, -1)
