"""Rows by what a column of theirs holds, however many, and rows put in the place of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa
from lancedb.table import LanceTable

from memory.tables import any_of, select

LOOKUP = 500  # values in one filter


def filters(column: str, values: Iterable[str]) -> Iterator[str]:
    """Filters that together let every row through whose column is one of the values."""
    rest = iter(values)
    while chunk := list(islice(rest, LOOKUP)):
        yield any_of(column, chunk)


def rows_with(
    table: LanceTable,
    values: Iterable[str],
    columns: Sequence[str] | None = None,
    column: str = "id",
) -> Iterator[dict[str, Any]]:
    """Every row whose column is one of the values, in no promised order."""
    for where in filters(column, values):
        yield from select(table, where, columns)


def delete_rows(table: LanceTable, values: Iterable[str], column: str = "id") -> None:
    """Delete every row whose column is one of the values."""
    for where in filters(column, sorted(values)):
        table.delete(where)


def put(table: LanceTable, rows: pa.Table) -> None:
    """Write the rows, in the place of those of the same ids."""
    table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)


def replace_rows(table: LanceTable, rows: pa.Table) -> None:
    """Write those of the rows whose ids are there."""
    table.merge_insert("id").when_matched_update_all().execute(rows)
