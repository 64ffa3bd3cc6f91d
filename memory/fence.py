"""Tables that ask whether they may still be written, just before each change to them.

A process that was stopped, or a machine that slept, goes on where it was: between two commits of one
change, or of a purge. By then another may hold the store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import lancedb
from lancedb.table import Table

CHANGES = frozenset(
    {
        "add",
        "add_columns",
        "alter_columns",
        "create_index",
        "delete",
        "drop_columns",
        "drop_index",
        "merge_insert",
        "optimize",
        "restore",
        "update",
    }
)


class FencedTable:
    """A table in every respect; `check` is called before what changes it, and raises to prevent it."""

    def __init__(self, table: Table, check: Callable[[], None]) -> None:
        self._table = table
        self._check = check

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._table, name)
        return _checked(found, self._check) if name in CHANGES else found


class FencedConnection:
    """A connection whose tables are fenced."""

    def __init__(self, db: lancedb.DBConnection, check: Callable[[], None]) -> None:
        self._db = db
        self._check = check

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def open_table(self, name: str) -> Any:
        return FencedTable(self._db.open_table(name), self._check)

    def create_table(self, name: str, *given: Any, **how: Any) -> Any:
        self._check()
        return FencedTable(self._db.create_table(name, *given, **how), self._check)

    def drop_table(self, name: str) -> None:
        self._check()
        self._db.drop_table(name)


def fenced(db: lancedb.DBConnection, check: Callable[[], None]) -> lancedb.DBConnection:
    """The same, asking `check` before each change."""
    return cast(lancedb.DBConnection, FencedConnection(db, check))


def _checked(change: Callable[..., Any], check: Callable[[], None]) -> Callable[..., Any]:
    def checked(*arguments: Any, **how: Any) -> Any:
        check()
        return change(*arguments, **how)

    return checked
