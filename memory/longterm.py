"""The long-term tier of a store: what `Store` asks of episodes, budget, ledger and pins.

Open `consolidate.py` for how episodes come about, `holding.py` for how memory keeps to its bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from memory.consolidate import Consolidation
from memory.embedder import Embedder
from memory.episode_rows import EPISODES, PINS, episode_of, in_order
from memory.errors import MomentNotFound
from memory.giving import Giving
from memory.holding import Holding, budget_bytes
from memory.ledger import Ledger
from memory.maintenance import Maintenance
from memory.outliving import Outliving
from memory.place import Place
from memory.records import Episode, Hit, Query, Quote
from memory.remember import Remembering
from memory.resting import Resting
from memory.search import Searcher
from memory.tables import Tables, any_of, quote, select
from memory.vectors import Vectorizer
from perception.records import Moment

Row = dict[str, Any]

SLICE = 0.1  # seconds after which a commit that waits goes first; one piece of work may be longer
SHARE = 0.1  # of the time, at most, goes into this tier
SETTLE = 0.5  # seconds between looks
COLUMNS = [name for name in EPISODES.names if name != "vector"]
EPSILON = 0.0005  # half the grain of ids


@dataclass(frozen=True, slots=True)
class Budget:
    """Megabytes (10^6 bytes); None: without bound."""

    per_hour: float | None = 10.0
    total: float | None = None


class LongTerm:
    """`idle`, `run` and `pin` on the writer's thread; the rest from any."""

    def __init__(
        self,
        tables: Tables,
        place: Place,
        embedder: Embedder,
        remembering: Remembering,
        ledger: Ledger,
        maintenance: Maintenance,
        searcher: Searcher,
        seal: Callable[[], None],
        budget: Budget,
    ) -> None:
        self._tables = tables
        self._remembering = remembering
        self._ledger = ledger
        self._maintenance = maintenance
        self._seal = seal
        self._outliving = Outliving(tables, searcher)
        vectorizer = Vectorizer(embedder)
        self.consolidation = Consolidation(
            tables, vectorizer, lambda: remembering.streams, self._take_written, seal
        )
        self.holding = Holding(
            tables,
            place,
            remembering,
            ledger,
            Giving(tables, place.media, ledger, seal, self._rows_went),
            self.consolidation.reached,
            budget_bytes(budget.per_hour),
            budget_bytes(budget.total),
        )
        self.resting = Resting(tables, vectorizer, self.reload)
        self._rest_until = 0.0
        self.seconds = 0.0
        self.longest = 0.0  # seconds of one piece of work: what a commit may have waited

    def idle(self) -> None:
        """A slice of what is due, if this tier has not had its share of the time."""
        began = time.monotonic()
        if began < self._rest_until:
            return
        while self._piece() and time.monotonic() - began < SLICE:
            pass
        took = time.monotonic() - began
        self._rest_until = began + max(SETTLE, took / SHARE)

    def run(self) -> None:
        """All that is due, at once."""
        while self._piece():
            pass

    def pin(self, moment_ids: Sequence[str], pinned: bool) -> None:
        """Keep these moments whole whatever the budget says, or no longer. Raises MomentNotFound."""
        where = any_of("id", moment_ids)
        rows = select(self._tables.moments, where, ["id", "stream_id", "start"])
        unknown = set(moment_ids) - {row["id"] for row in rows}
        if unknown:
            raise MomentNotFound(f"no moment {min(unknown)[:200]!r} is remembered")
        if pinned:
            merge = self._tables.pins.merge_insert("id").when_not_matched_insert_all()
            merge.execute(pa.Table.from_pylist(rows, PINS))
        else:
            self._tables.pins.delete(where)
        self._seal()
        for row in rows:
            self.holding.touched(row["stream_id"], {row["start"]})

    def pinned(self, moment_ids: Sequence[str]) -> set[str]:
        """Those of the moments that are pinned."""
        if not moment_ids:
            return set()
        rows = select(self._tables.pins, any_of("id", moment_ids), ["id"])
        return {row["id"] for row in rows}

    def search(self, query: Query) -> list[Hit]:
        """What episodes quote of observations that were given up."""
        return self._outliving.search(query)

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

    def with_quotes(self, moment_id: str, moment: Moment | None) -> Moment | None:
        """The moment with what an episode kept of the observations it lost; one that was given up
        whole is made of that alone. None where there is nothing."""
        stream_id, _, place = moment_id.rpartition(":")
        if not stream_id or not place.isdigit():
            return moment
        start = int(place) / 1000
        kept = [
            q
            for episode in self.episodes(stream_id, start - EPSILON, start + EPSILON, 1)
            for q in episode.quotes
            if q.outlived and q.moment_id == moment_id
        ]
        if not kept:
            return moment
        return _with(moment, stream_id, start, kept)

    def stats(self) -> dict[str, Any]:
        return {
            "episodes": self._tables.episodes.count_rows(),
            "pins": self._tables.pins.count_rows(),
            "consolidation_seconds": round(self.seconds, 3),
            "longest_slice_seconds": round(self.longest, 3),
            "budget_bytes_per_hour": self.holding.per_hour,
            "budget_bytes": self.holding.total,
            **self._ledger.stats(),
        }

    def _piece(self) -> bool:
        began = time.perf_counter()
        done = self.consolidation.slice() or self.holding.slice()
        took = time.perf_counter() - began
        self.seconds += took
        self.longest = max(self.longest, took)
        return done

    def _take_written(self) -> dict[str, set[float]]:
        written = self._remembering.take_written()
        for stream_id, starts in written.items():
            self.holding.touched(stream_id, starts)
        return written

    def _rows_went(self) -> None:
        self._remembering.forgotten()
        self._maintenance.thinned()

    def reload(self) -> None:
        """Rows of this tier came or went other than by its own work. On the writer's thread."""
        self.consolidation.reload()
        self._ledger.reload()
        self.holding.reload()


def _with(moment: Moment | None, stream_id: str, start: float, kept: Sequence[Quote]) -> Moment:
    quoted = tuple(quote.observation for quote in kept)
    if moment is None:
        return Moment(stream_id, start, max(seen.end for seen in quoted), quoted)
    seen = sorted((*moment.observations, *quoted), key=lambda o: (o.start, o.kind, o.id))
    return replace(moment, observations=tuple(seen))
