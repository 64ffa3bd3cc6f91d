"""Forgetting by age: moments that ended longer ago than is kept go for good, as if asked for.

It runs beside the writer, not more often than makes a difference: forgetting
rewrites what it touches.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from memory.episode_rows import LOWEST
from memory.records import DeletionReceipt, Selection
from memory.tables import Tables, quote, select, stream_of

LOOKS = 50  # in the time that is kept: how late a moment may go, as a share of it
LATEST = 3600.0  # seconds between two looks, at most
AT_ONCE = 5_000  # moments in one deletion


def _now() -> datetime:
    return datetime.now(UTC)


class Retention:
    """`forget` is the store's; `clock` gives the time of day that ages are counted from. Age wins
    over everything that keeps a moment otherwise."""

    def __init__(
        self,
        tables: Tables,
        forget: Callable[[Selection], DeletionReceipt],
        kept_for: timedelta | None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._tables = tables
        self._forget = forget
        self._kept_for = kept_for
        self._clock = clock
        self._next = 0.0  # monotonic
        self._moments = self._observations = self._streams = 0

    def idle(self) -> None:
        """Forget what is due, if it was not looked for just now."""
        if self._kept_for is None or time.monotonic() < self._next:
            return
        more = self.run()
        pause = min(LATEST, self._kept_for.total_seconds() / LOOKS)
        self._next = time.monotonic() + (0.0 if more else pause)

    def run(self) -> bool:
        """Forget what is older than is kept; whether there was more than goes at once."""
        if self._kept_for is None:
            return False
        kept_from = self._clock() - self._kept_for
        due: list[str] = []
        empty: list[str] = []
        for stream in map(stream_of, select(self._tables.streams, None)):
            seconds = (kept_from - stream.wall_start).total_seconds()
            if seconds < 0:
                continue
            of_stream = f"stream_id = {quote(stream.id)}"
            where = f"{of_stream} AND `end` <= {seconds!r}"
            due += [row["id"] for row in select(self._tables.moments, where, ["id"])]
            due += self._outlived(stream.id, seconds)
            if stream.seconds <= seconds and not self._tables.moments.count_rows(of_stream):
                empty.append(stream.id)
        due = list(dict.fromkeys(due))
        if due:
            self._count(self._forget(Selection(moment_ids=tuple(due[:AT_ONCE]))))
        for stream_id in empty:
            self._count(self._forget(Selection(stream_id=stream_id)))
        return len(due) > AT_ONCE

    def _outlived(self, stream_id: str, seconds: float) -> list[str]:
        """Moments that were given up, of which something is kept that ended by then."""
        where = f"stream_id = {quote(stream_id)} AND start <= {seconds!r}"
        quoting = f"{where} AND {LOWEST} AND outlived > 0"
        episodes = select(self._tables.episodes, quoting, ["quotes"])
        rows = [q for episode in episodes for q in episode["quotes"] if q["outlived"]]
        for table in (self._tables.facts, self._tables.corrections):
            rows += select(table, where, ["moment_id", "end"])
        return [row["moment_id"] for row in rows if row["end"] <= seconds]

    def stats(self) -> dict[str, Any]:
        """What went by age since the store was opened."""
        if self._kept_for is None:
            return {}
        return {
            "retention_days": self._kept_for / timedelta(days=1),
            "expired_moments": self._moments,
            "expired_observations": self._observations,
            "expired_streams": self._streams,
        }

    def _count(self, receipt: DeletionReceipt) -> None:
        self._moments += receipt.moments
        self._observations += receipt.observations
        self._streams += receipt.streams
