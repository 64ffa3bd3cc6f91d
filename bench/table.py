"""How every bench reports: a table for people, and the same as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

WIDE = 160  # columns, where no terminal says how many


def report(title: str, rows: Sequence[Mapping[str, Any]], json_only: bool = False) -> None:
    """Print the rows as a table, then as one line of JSON; with `json_only`, standard output gets
    nothing but the JSON, and standard error the table.

    Columns are the keys of the rows, in the order they first come."""
    table(title, rows, to_stderr=json_only)
    print(json.dumps({"bench": title, "rows": [dict(row) for row in rows]}), flush=True)


def table(title: str, rows: Sequence[Mapping[str, Any]], to_stderr: bool) -> None:
    """Draw the table alone."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    drawn = Table(title=title)
    for at, column in enumerate(columns):
        drawn.add_column(column, justify="left" if at == 0 else "right")
    for row in rows:
        drawn.add_row(*(_cell(row.get(column)) for column in columns))
    Console(stderr=to_stderr, width=None if sys.stdout.isatty() else WIDE).print(drawn)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
