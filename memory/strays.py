"""Moments that no episode holds, though later ones of their stream are in one.

A moment that comes late, or whose episode made way to one of an archive, is noted in memory until
consolidation takes it in. What was noted when the process ended is found again from the tables, once
after opening, a span of one stream at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from memory.compress import EPSILON, place_of
from memory.episode_rows import LOWEST
from memory.tables import Tables, quote, select

SPAN = 6 * 3600.0  # seconds of a stream that one look reads: some three thousand moments


class Strays:
    """`streams` gives the ids to look through, `reached` up to where a stream belongs to episodes."""

    def __init__(
        self,
        tables: Tables,
        streams: Callable[[], Iterable[str]],
        reached: Callable[[str], float],
    ) -> None:
        self._tables = tables
        self._streams = streams
        self._reached = reached
        self._left: list[tuple[str, float]] | None = None  # streams, and from where on

    def look(self) -> tuple[str, set[float]] | None:
        """A stream, and where those of one span start, perhaps none; None: all has been looked
        through."""
        if self._left is None:
            self._left = [(stream_id, 0.0) for stream_id in self._streams()]
        if not self._left:
            return None
        stream_id, begin = self._left[-1]
        reached = self._reached(stream_id)
        if reached == -math.inf:
            self._left.pop()
            return stream_id, set()
        end = min(begin + SPAN, reached + EPSILON)
        where = f"stream_id = {quote(stream_id)} AND start >= {begin!r} AND start < {end!r}"
        ids = {row["id"] for row in select(self._tables.moments, where, ["id"])}
        left = self._unheld(stream_id, begin, end, ids)
        # Only now: a look that fails is made again.
        self._left[-1:] = [(stream_id, end)] if end <= reached else []
        return stream_id, left

    def _unheld(self, stream_id: str, begin: float, end: float, ids: set[str]) -> set[float]:
        where = (
            f"stream_id = {quote(stream_id)} AND {LOWEST} "
            f"AND start < {end!r} AND `end` >= {begin - EPSILON!r}"
        )
        rows = select(self._tables.episodes, where, ["start", "end", "alone", "children"])
        held = {id for row in rows for id in row["children"]}
        alone = [row for row in rows if row["alone"]]
        left = {place_of(id) for id in ids - held}
        return {at for at in left if not any(r["start"] <= at < r["end"] for r in alone)}
