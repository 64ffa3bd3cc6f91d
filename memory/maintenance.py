"""Upkeep of the tables: merge small fragments, bring indexes up to date, drop old versions.

Compaction runs beside the writer: Lance commits it between two commits of rows, and what it moves is
the same before and after. Only making it durable takes the writer's thread. Readers go on with the
version that they have open, whose files stay for `RETENTION` seconds after a newer one.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import numpy as np
from lancedb.index import BTree
from lancedb.table import LanceTable

from memory.place import Place
from memory.tables import Tables

FRAGMENTS = 12  # per table; more of them slow every read
TOO_MANY = 40  # in all tables; then upkeep runs even if it has had its share of the time
STALE_ROWS = 1_000  # a look-up by id scans the rows that its index has not seen
RETENTION = 120.0  # seconds that a superseded version's files stay, for reads under way
PRUNE_EVERY = 60.0  # seconds
SHARE = 0.1  # of the time, at most, goes into upkeep
SETTLE = 1.0  # seconds between looks
SETTLED_AFTER = 6  # compactions, at most; the second or third finds nothing to do
FRAGMENT_BITS = 32  # of a row's id: in which fragment it is; the rest, at which place of it

SCALAR = {
    "streams": ("id",),
    "moments": ("id", "stream_id", "start"),
    "observations": ("id", "moment_id", "stream_id", "start"),
    "episodes": ("id", "stream_id"),
    "ledger": ("id",),
    "pins": ("id",),
    "facts": ("id",),
    "corrections": ("id",),
    "pictures": ("id", "digest"),
}


class Maintenance:
    """`seal` makes the tables' present versions durable; old ones go only after it. It is called by
    `on_writer`, between two commits. `idle` and `run` beside the writer, `purge` on its thread."""

    def __init__(
        self,
        tables: Tables,
        place: Place,
        seal: Callable[[], None],
        on_writer: Callable[[Callable[[], Any]], Any],
    ) -> None:
        self.tables = tables
        self._place = place
        self._seal = seal
        self._on_writer = on_writer
        self._pruned = time.monotonic()
        self._look_again = self._rest_until = 0.0
        self._thinned: list[LanceTable] = []  # rows of them were given up since they were compacted
        self.runs = 0
        self.seconds = 0.0

    def stats(self) -> dict[str, Any]:
        return {"maintenance_runs": self.runs, "maintenance_seconds": round(self.seconds, 3)}

    def idle(self) -> None:
        """Do what is due, if upkeep has not had its share of the time."""
        now = time.monotonic()
        if now < self._look_again or (now < self._rest_until and self._fragments() <= TOO_MANY):
            return
        self._look_again = now + SETTLE
        overdue = [t for t in self.tables.all() if fragments(t) > FRAGMENTS]
        observations = self.tables.observations
        if unindexed_rows(observations) > STALE_ROWS and observations not in overdue:
            overdue.append(observations)
        overdue += [table for table in self._thinned if table not in overdue]
        # One table at a time: commits that came meanwhile go between.
        late = now - self._pruned
        prune = late > PRUNE_EVERY and (not overdue or late > 2 * PRUNE_EVERY)
        if overdue or prune:
            self.run([] if prune else [max(overdue, key=fragments)], prune)
            self._rest_until = time.monotonic() + (time.monotonic() - now) / SHARE

    def thinned(self) -> None:
        """Rows were given up: the files that hold them are due to be written anew."""
        tables = self.tables
        self._thinned = [tables.moments, tables.observations, tables.episodes, tables.ledger]
        self._thinned.append(tables.pictures)

    def run(self, overdue: list[LanceTable], prune: bool) -> None:
        """Compact those tables and bring their indexes up to date; with `prune`, drop the old
        versions of all."""
        began = time.monotonic()
        for table in overdue:
            self._compact(table)
        self._thinned = [table for table in self._thinned if table not in overdue]
        if prune:
            for table in self.tables.all():
                self._prune(table)
            self._pruned = time.monotonic()
        self._on_writer(self._seal)
        self.runs += 1
        self.seconds += time.monotonic() - began

    def _fragments(self) -> int:
        return sum(fragments(table) for table in self.tables.all())

    def create_indexes(self, replace: bool = False) -> None:
        """Those that are missing; with `replace`, all of them anew, without a gap for readers."""
        for table in self.tables.all():
            present = {column for index in table.list_indices() for column in index.columns}
            for column in SCALAR[table.name]:
                if replace or column not in present:
                    table.create_index(column, config=BTree(), replace=replace)

    def purge(self) -> None:
        """Leave no byte of a deleted row in any file: rewrite, index anew, drop every old version.

        Lance leaves fragments of which little was deleted as they are, with a list of the rows to
        skip: every row of those is written anew.
        """
        for table in self.tables.all():
            thinned = self._thinned_fragments(table)
            if thinned:
                spans = [
                    f"(_rowid >= {n << FRAGMENT_BITS} AND _rowid < {n + 1 << FRAGMENT_BITS})"
                    for n in thinned
                ]
                table.update(where=" OR ".join(spans), values_sql={"id": "id"})
        self.create_indexes(replace=True)
        self._drop_versions(0.0)

    def _compact(self, table: LanceTable) -> LanceTable:
        """By another handle, which is returned: of two commits by one handle at once, it may show
        the earlier, and that would be sealed."""
        own = self.tables.db.open_table(table.name)
        own.optimize()
        self._on_writer(table.checkout_latest)
        return cast(LanceTable, own)

    def _prune(self, table: LanceTable) -> None:
        """Drop what is older than `RETENTION`. The sealed version must not be: a crash goes back to
        it. Where the table rests, it is the newest; else it is as young as the last commit."""
        own = self._compact(table)
        version = own.version

        def at_rest() -> bool:
            if table.version != version:
                return False
            self._seal()
            _drop(table, RETENTION)
            return True

        if not self._on_writer(at_rest):
            own.checkout_latest()  # type: ignore[no-untyped-call]  # LanceDB has no annotation there
            _drop(own, RETENTION)
            self._on_writer(table.checkout_latest)

    def _thinned_fragments(self, table: LanceTable) -> list[int]:
        """Those with rows that are deleted and still in the file."""
        names = self._place.names_beneath(table.name, "_deletions")
        listed = {int(name.partition("-")[0]) for name in names}
        if not listed:
            return []
        placed = table.search().with_row_id(True).select(["id"]).to_arrow()["_rowid"].to_numpy()
        return sorted(listed & set(np.unique(placed >> FRAGMENT_BITS).tolist()))

    def _drop_versions(self, age: float) -> None:
        """On the writer's thread. What is dropped with must not be a new version itself: a crash
        would go back from that to the sealed one, of which some files are gone. So the tables are
        brought to where there is nothing left to compact, and sealed there, before."""
        for table in self.tables.all():
            _settle(table)
        self._seal()
        for table in self.tables.all():
            _drop(table, age)
        self._seal()


def _settle(table: LanceTable) -> None:
    """Compact until there is nothing left to do."""
    version = -1
    for _ in range(SETTLED_AFTER):
        if table.version == version:
            break
        version = table.version
        table.optimize()


def _drop(table: LanceTable, age: float) -> None:
    with warnings.catch_warnings():  # that only the newest version stays is the purpose
        warnings.filterwarnings("ignore", "optimize\\(cleanup_older_than=0\\)")
        table.optimize(cleanup_older_than=timedelta(seconds=age), delete_unverified=age == 0)


def fragments(table: LanceTable) -> int:
    """How many pieces the table's rows lie in."""
    stats: Any = table.stats()
    return int(stats["fragment_stats"]["num_fragments"])


def unindexed_rows(observations: LanceTable) -> int:
    """Rows that the index of ids has not taken in yet; they are found all the same, by a scan."""
    indexed = {name: i for i in observations.list_indices() for name in i.columns}
    index = indexed.get("id")
    return observations.count_rows() if index is None else int(index.num_unindexed_rows or 0)
