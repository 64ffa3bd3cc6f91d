"""Keys and values of several requests at once: one row each, of a buffer that is allocated once.

A row keeps what it held when its request ends, so a prompt that begins in the same way goes on
from there; where another row holds the beginning, it is copied. Attention sees the rows as they
lie: a new key is written into its place, nothing is concatenated, no row is padded or moved. How
far each row reaches is told by the attention mask. Only layers that attend to everything before
can be kept so; a model with sliding windows or a recurrent state is refused at loading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers.cache_utils import Cache, CacheLayerMixin

STEP = 64  # lengths that attention sees are rounded up to this: fewer shapes, aligned masks

Held = npt.NDArray[np.int64]


@dataclass(slots=True)
class Row:
    """What a row holds: one number for each position, alike where the content is."""

    index: int
    held: Held = field(default_factory=lambda: np.empty(0, np.int64))
    busy: bool = False
    used: int = 0  # when it was last taken, in requests

    def shares(self, wanted: Held) -> int:
        """How many positions at the beginning are alike."""
        shortest = min(len(self.held), len(wanted))
        differs = np.flatnonzero(self.held[:shortest] != wanted[:shortest])
        return int(differs[0]) if len(differs) else shortest


@dataclass(slots=True)
class _Window:
    """Which rows the next pass of the model writes, and where."""

    first: int = 0
    rows: int = 1
    start: int = 0  # of one row: where its new positions begin
    reach: int = 0  # what attention sees of each row
    at: torch.Tensor | None = None  # of many: the place of each one's new position
    each: torch.Tensor | None = None


class _Layer(CacheLayerMixin):  # type: ignore[no-untyped-call]  # its hook for subclasses is untyped
    """One layer's keys and values, rows x heads x capacity x width."""

    is_sliding = False
    supports_early_init = False

    def __init__(self, shape: tuple[int, int, int, int], like: torch.Tensor, window: _Window):
        super().__init__()  # type: ignore[no-untyped-call]  # transformers' own
        # Zeros: what was never written is masked, and a mask does not hide what is not a number.
        self.keys: torch.Tensor = torch.zeros(shape, dtype=like.dtype, device=like.device)
        self.values: torch.Tensor = torch.zeros_like(self.keys)
        self.is_initialized = True
        self._window = window

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Allocated from the start."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        seen = self._window
        rows = slice(seen.first, seen.first + seen.rows)
        if seen.at is None:
            new = slice(seen.start, seen.reach)
            self.keys[rows, :, new] = key_states
            self.values[rows, :, new] = value_states
        else:
            self.keys[seen.each, :, seen.at] = key_states[:, :, 0]
            self.values[seen.each, :, seen.at] = value_states[:, :, 0]
        return self.keys[rows, :, : seen.reach], self.values[rows, :, : seen.reach]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._window.reach, 0

    def get_seq_length(self) -> int:
        return self._window.start

    def get_max_length(self) -> int:
        return int(self.keys.shape[2])


class Rows:
    """The buffer of all layers. `like`: any weight of the language model (dtype and device)."""

    def __init__(
        self, rows: int, capacity: int, layers: int, heads: int, width: int, like: torch.Tensor
    ) -> None:
        # In a pass over many rows those that have nothing to add write to the last place.
        self.capacity = -(-(capacity + 1) // STEP) * STEP
        self.rows = [Row(index) for index in range(rows)]
        self._window = _Window()
        shape = (rows, heads, self.capacity, width)
        self._layers = [_Layer(shape, like, self._window) for _ in range(layers)]
        self.cache = Cache(layers=list(self._layers))
        self._each = torch.arange(rows, device=like.device)
        self._reached = torch.arange(self.capacity, device=like.device)
        self._taken = 0

    @property
    def bytes(self) -> int:
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in self._layers)

    def take(self, wanted: Held) -> tuple[Row, int] | None:
        """A free row, holding as much of the beginning of `wanted` as is there; how much, less than
        all of it. None where every row is busy."""
        free = [row for row in self.rows if not row.busy]
        if not free:
            return None
        source = max(self.rows, key=lambda row: row.shares(wanted))
        shared = min(source.shares(wanted), len(wanted) - 1)
        row = min(free, key=lambda row: (row.used, row.index))
        # Going on where the beginning lies costs no copy, but gives up what else the row holds:
        # that may be the prompt another question has been prepared with.
        if not source.busy and len(source.held) - shared <= STEP:
            row = source
        if row is not source and shared:
            for layer in self._layers:
                for kept in (layer.keys, layer.values):
                    kept[row.index, :, :shared] = kept[source.index, :, :shared]
        self._taken += 1
        row.held, row.busy, row.used = wanted[:shared].copy(), True, self._taken
        return row, shared

    def one(self, row: Row, start: int, end: int) -> Cache:
        """The cache for a pass over positions `start` to `end` of one row."""
        window = self._window
        window.first, window.rows, window.start, window.reach = row.index, 1, start, end
        window.at = window.each = None
        return self.cache

    def all(self, lengths: dict[int, int]) -> tuple[Cache, torch.Tensor, int]:
        """The cache for a pass that adds one position to each row of `lengths` (row to length); the
        mask, rows x reach; and how many rows that pass has: all up to the last one named."""
        count = max(lengths) + 1
        reach = min(-(-(max(lengths.values()) + 1) // STEP) * STEP, self.capacity)
        idle = self.capacity - 1
        at = torch.tensor(
            [lengths.get(row, idle) for row in range(count)], device=self._each.device
        )
        window = self._window
        window.first, window.rows, window.start, window.reach = 0, count, reach - 1, reach
        window.at, window.each = at, self._each[:count]
        return self.cache, self._reached[None, :reach] <= at[:, None], count

    def forget(self) -> None:
        """No row holds anything that a prompt could go on from."""
        for row in self.rows:
            if not row.busy:
                row.held = np.empty(0, np.int64)
