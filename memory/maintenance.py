"""Upkeep of the tables: merge small fragments, bring indexes up to date, drop old versions.

It runs on the writer's thread between commits. Readers go on with the version that they have open,
whose files stay for `RETENTION` seconds after a newer one.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from lancedb.index import FTS, BTree
from lancedb.table import LanceTable

from memory.tables import Tables

FRAGMENTS = 12  # per table; more of them slow every read
TOO_MANY = 40  # in all tables; then upkeep runs even if it has had its share of the time
STALE_ROWS = 1_000  # full-text search scans the rows that its index has not seen
RETENTION = 120.0  # seconds that a superseded version's files stay, for reads under way
PRUNE_EVERY = 60.0  # seconds
SHARE = 0.1  # of the time, at most, goes into upkeep
SETTLE = 1.0  # seconds between looks
SETTLED_AFTER = 6  # compactions, at most; the second or third finds nothing to do

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
# No stop words are removed: "the who", "to be or not": what a user types must be findable.
FULL_TEXT = FTS(with_position=False, remove_stop_words=False)


class Maintenance:
    """`seal` makes the tables' present versions durable; old ones go only after it."""

    def __init__(self, tables: Tables, seal: Callable[[], None]) -> None:
        self.tables = tables
        self._seal = seal
        self._pruned = time.monotonic()
        self._look_again = self._rest_until = 0.0
        self._thinned: list[LanceTable] = []  # rows of them were given up since they were compacted
        self.runs = 0
        self.seconds = 0.0

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
        """Compact and index those tables; with `prune`, drop the old versions of all."""
        began = time.monotonic()
        for table in overdue:
            table.optimize()
        self._thinned = [table for table in self._thinned if table not in overdue]
        if self.tables.observations in overdue:
            self.create_indexes()
        if prune:
            self._drop_versions(RETENTION)
            self._pruned = time.monotonic()
        else:
            self._seal()
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
            if table is self.tables.observations:
                if replace or "search_text" not in present:
                    table.create_index("search_text", config=FULL_TEXT, replace=replace)
                # Search scans vectors in memory; stores made earlier have an index of them here.
                if "vector" in present:
                    table.drop_index("vector_idx")

    def purge(self) -> None:
        """Leave no byte of a deleted row in any file: rewrite, index anew, drop every old version.

        Lance leaves fragments of which little was deleted as they are, with a list of the rows to
        skip. Where such a list is still there after compaction, every row is written anew.
        """
        for table in self.tables.all():
            table.optimize()
        self._drop_versions(0.0)
        for table in self.tables.all():
            if _has_deletions(table):
                table.update(values_sql={"id": "id"})
        self.create_indexes(replace=True)
        self._drop_versions(0.0)

    def _drop_versions(self, age: float) -> None:
        """What is dropped with must not be a new version itself: a crash would go back from that
        to the sealed one, of which some files are gone. So the tables are brought to where there
        is nothing left to compact, and sealed there, before."""
        for table in self.tables.all():
            for _ in range(SETTLED_AFTER):
                version = table.version
                table.optimize()
                if table.version == version:
                    break
        self._seal()
        for table in self.tables.all():
            with warnings.catch_warnings():  # that only the newest version stays is the purpose
                warnings.filterwarnings("ignore", "optimize\\(cleanup_older_than=0\\)")
                table.optimize(
                    cleanup_older_than=timedelta(seconds=age), delete_unverified=age == 0
                )
        self._seal()


def fragments(table: LanceTable) -> int:
    """How many pieces the table's rows lie in."""
    stats: Any = table.stats()
    return int(stats["fragment_stats"]["num_fragments"])


def unindexed_rows(observations: LanceTable) -> int:
    """Rows that the full-text index has not taken in yet; they are found all the same, by a scan."""
    indexed = {name: i for i in observations.list_indices() for name in i.columns}
    index = indexed.get("search_text")
    return observations.count_rows() if index is None else int(index.num_unindexed_rows or 0)


def _has_deletions(table: LanceTable) -> bool:
    folder = Path(table.uri.removeprefix("file://")) / "_deletions"
    return folder.is_dir() and any(folder.iterdir())
