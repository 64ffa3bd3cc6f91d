"""The long-term tier of a store: what `Store` asks of episodes, in one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from memory.consolidate import Consolidation
from memory.embedder import Embedder
from memory.episode_rows import EPISODES, episode_of, in_order
from memory.records import Episode
from memory.remember import Remembering
from memory.resting import Resting
from memory.tables import Tables, quote, select
from memory.vectors import Vectorizer

Row = dict[str, Any]

SLICE = 0.1  # seconds after which a commit that waits goes first; one piece of work may be longer
SHARE = 0.1  # of the time, at most, goes into consolidation
COLUMNS = [name for name in EPISODES.names if name != "vector"]


class LongTerm:
    """`idle` and `run` on the writer's thread; the rest from any."""

    def __init__(
        self,
        tables: Tables,
        embedder: Embedder,
        remembering: Remembering,
        seal: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tables = tables
        self._clock = clock
        vectorizer = Vectorizer(embedder)
        self.consolidation = Consolidation(
            tables,
            vectorizer,
            lambda: remembering.streams,
            remembering.take_written,
            seal,
            clock,
        )
        self.resting = Resting(tables, vectorizer, self.consolidation.reload)
        self._rest_until = 0.0
        self.seconds = 0.0

    def idle(self) -> None:
        """A slice of what is due, if this tier has not had its share of the time."""
        began = self._clock()
        if began < self._rest_until:
            return
        while self._piece() and self._clock() - began < SLICE:
            pass
        took = self._clock() - began
        self._rest_until = began + took / SHARE

    def run(self) -> None:
        """All that is due, at once."""
        while self._piece():
            pass

    def episodes(
        self, stream_id: str, start: float | None, end: float | None, level: int
    ) -> list[Episode]:
        """The stream's episodes of a level that overlap [start, end], in order."""
        clauses = [f"stream_id = {quote(stream_id)}", f"level = {int(level)}"]
        if start is not None:
            clauses.append(f"`end` >= {float(start)!r}")
        if end is not None:
            clauses.append(f"start <= {float(end)!r}")
        rows = select(self._tables.episodes, " AND ".join(clauses), COLUMNS)
        return [episode_of(row) for row in in_order(rows)]

    def stats(self) -> dict[str, Any]:
        return {
            "episodes": self._tables.episodes.count_rows(),
            "consolidation_seconds": round(self.seconds, 3),
        }

    def _piece(self) -> bool:
        began = time.perf_counter()
        done = self.consolidation.slice()
        self.seconds += time.perf_counter() - began
        return done
