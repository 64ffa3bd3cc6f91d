"""The long-term tier of a store: what `Store` asks of episodes, budget, ledger and pins.

Open `consolidate.py` for how episodes come about, `holding.py` for how memory keeps to its bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from memory.compress import EPSILON
from memory.consolidate import Consolidation
from memory.embedder import Embedder
from memory.episode_rows import EPISODES, PINS, in_order
from memory.errors import MomentNotFound
from memory.giving import Giving
from memory.holding import Holding, budget_bytes
from memory.ledger import Ledger
from memory.levels import Levels
from memory.maintenance import Maintenance
from memory.outliving import Outliving
from memory.place import Place
from memory.records import Episode, Hit, Query, Quote
from memory.remember import Remembering
from memory.resting import Resting
from memory.rewritten import as_told
from memory.rows import rows_with
from memory.search import Searcher
from memory.tables import Tables, any_of, quote, select
from memory.vectors import Vectorizer
from perception.records import Moment

Row = dict[str, Any]

SLICE = 0.1  # seconds after which upkeep looks elsewhere; one piece of work may be longer
SHARE = 0.1  # of the time, at most, goes into this tier
SETTLE = 0.5  # seconds between looks
COLUMNS = [name for name in EPISODES.names if name != "vector"]


@dataclass(frozen=True, slots=True)
class Budget:
    """Megabytes (10^6 bytes); None: without bound."""

    per_hour: float | None = 10.0
    total: float | None = None


class Overtaken(Exception):  # noqa: N818  # nothing has failed: the piece of work begins anew
    """What a piece of work was made from has changed since."""


class LongTerm:
    """`idle`, `run`, `pin` and `reload` by one thread at a time, none while rows are forgotten; the
    rest from any. `on_writer` runs a change between two commits."""

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
        on_writer: Callable[[Callable[[], Any]], Any],
    ) -> None:
        self._tables = tables
        self._remembering = remembering
        self._ledger = ledger
        self._maintenance = maintenance
        self._seal = seal
        self._on_writer = on_writer
        self._undone = 0
        self._knowledge = searcher.knowledge
        self._outliving = Outliving(tables, searcher)
        vectorizer = Vectorizer(embedder)
        self.consolidation = Consolidation(
            tables, vectorizer, lambda: remembering.streams, self._take_written, self._commit
        )
        self.holding = Holding(
            tables,
            place,
            remembering,
            ledger,
            Giving(tables, place.media, ledger, self._commit_hour, self._rows_went),
            Levels(tables, ledger, self._knowledge, self._commit_hour, self._rows_went),
            self.consolidation.reached,
            budget_bytes(budget.per_hour),
            budget_bytes(budget.total),
            on_writer,
        )
        self.resting = Resting(tables, vectorizer, self.reload)
        self._rest_until = 0.0
        self.behind = True  # more may be due than was done so far
        self.seconds = 0.0
        self.longest = 0.0  # seconds of one piece of work: what a commit may have waited

    def idle(self) -> None:
        """A slice of what is due, if this tier has not had its share of the time."""
        began = time.monotonic()
        if began < self._rest_until:
            return
        while (due := self._piece()) and time.monotonic() - began < SLICE:
            pass
        self.behind = due
        took = time.monotonic() - began
        self._rest_until = began + max(SETTLE, took / SHARE)

    def run(self) -> None:
        """All that is due, at once."""
        while self._piece():
            pass
        self.behind = False

    def pin(self, moment_ids: Sequence[str], pinned: bool) -> None:
        """Keep these moments whole whatever the budget says, or no longer. Raises MomentNotFound."""
        where = any_of("id", moment_ids)
        rows = select(self._tables.moments, where, ["id", "stream_id", "start"])
        unknown = set(moment_ids) - {row["id"] for row in rows}
        if unknown:
            raise MomentNotFound(f"no moment {min(unknown)[:200]!r} is remembered")

        def change() -> None:
            if pinned:
                merge = self._tables.pins.merge_insert("id").when_not_matched_insert_all()
                merge.execute(pa.Table.from_pylist(rows, PINS))
            else:
                self._tables.pins.delete(where)
            self._seal()
            # What is being weighed was weighed before this.
            for row in rows:
                self._remembering.note_written(row["stream_id"], {row["start"]})

        self._on_writer(change)

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
        """The stream's episodes of a level that overlap [start, end], in order; where those are no
        more, of the one above that stands for them."""
        of_level = f"(level = {int(level)} OR (level > {int(level)} AND alone))"
        clauses = [f"stream_id = {quote(stream_id)}", of_level]
        if start is not None:
            clauses.append(f"`end` >= {float(start)!r}")
        if end is not None:
            clauses.append(f"start <= {float(end)!r}")
        rows = select(self._tables.episodes, " AND ".join(clauses), COLUMNS)
        corrections = self._knowledge.corrections(stream_id)
        return [as_told(row, corrections) for row in in_order(rows)]

    def showing(self, stream_id: str, keyframes: Collection[str]) -> dict[str, str]:
        """By keyframe, the stream's first moment that shows it."""
        found: dict[str, str] = {}
        columns = ["id", "stream_id", "start", "keyframe"]
        rows = rows_with(self._tables.moments, keyframes, columns, column="keyframe")
        for row in sorted(rows, key=lambda row: float(row["start"])):
            if row["stream_id"] == stream_id:
                found.setdefault(row["keyframe"], row["id"])
        return found

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

    def stray(self, stream_id: str, starts: set[float]) -> None:
        """Moments start there that belong to no episode, though later ones do."""
        self._remembering.note_written(stream_id, starts)

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
        self._undone = self._remembering.undone
        try:
            done = self.consolidation.slice() or self.holding.slice()
        except Overtaken:
            done = True
        took = time.perf_counter() - began
        self.seconds += took
        self.longest = max(self.longest, took)
        return done

    def _commit(self, change: Callable[[], None], after: Callable[[], None] | None = None) -> None:
        """Make a change that rests on what this piece of work has read, durably, all of it or none.
        Raises `Overtaken` where a part of that was of a commit that failed, and went."""

        def whole() -> None:
            self._remembering.undo()
            if self._remembering.undone != self._undone:
                raise Overtaken
            versions = [(table, table.version) for table in self._tables.all()]
            try:
                change()
                self._seal()
            except BaseException:
                for table, version in versions:
                    if table.version != version:
                        table.restore(version)
                raise
            if after is not None:
                after()

        self._on_writer(whole)

    def _commit_hour(
        self,
        stream_id: str,
        start: float,
        end: float,
        change: Callable[[], None],
        after: Callable[[], None],
    ) -> None:
        """As `_commit`, where no moment was written meanwhile from `start` to `end`."""

        def unless_written() -> None:
            if self._remembering.writing(stream_id, start, end):
                raise Overtaken
            change()

        self._commit(unless_written, after)

    def _take_written(self) -> dict[str, set[float]]:
        written = self._remembering.take_written()
        for stream_id, starts in written.items():
            self.holding.touched(stream_id, starts)
        return written

    def _rows_went(self) -> None:
        self._remembering.forgotten()
        self._maintenance.thinned()

    def reload(self) -> None:
        """Rows of this tier came or went other than by its own work."""
        self.consolidation.reload()
        self._ledger.reload()
        self.holding.reload()
        self._outliving.reload()


def _with(moment: Moment | None, stream_id: str, start: float, kept: Sequence[Quote]) -> Moment:
    quoted = tuple(quote.observation for quote in kept)
    if moment is None:
        return Moment(stream_id, start, max(seen.end for seen in quoted), quoted)
    seen = sorted((*moment.observations, *quoted), key=lambda o: (o.start, o.kind, o.id))
    return replace(moment, observations=tuple(seen))
