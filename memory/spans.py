"""Which rows a span of a stream, or a version of memory, takes; and rows in order of time."""

from __future__ import annotations

from typing import Any

from memory.tables import quote
from memory.tier import check_bounds
from perception.records import Observation

Row = dict[str, Any]


def overlapping(stream_id: str, start: float | None, end: float | None) -> str:
    """A filter: the rows of the stream that overlap [start, end]. Raises `InvalidRequest`."""
    check_bounds(start, end)
    clauses = [f"stream_id = {quote(stream_id)}"]
    if start is not None:
        clauses.append(f"`end` >= {float(start)!r}")
    if end is not None:
        clauses.append(f"start <= {float(end)!r}")
    return " AND ".join(clauses)


def near(one: Observation, other: Observation, seconds: float) -> bool:
    """Two observations of one stream that are so close, and not the same?"""
    apart = max(one.start - other.end, other.start - one.end)
    return one.stream_id == other.stream_id and one.id != other.id and apart <= seconds


def by_version(where: str, version: int | None) -> str:
    """The filter, of what was there at that version."""
    return where if version is None else f"({where}) AND version <= {version}"


def in_time(row: Row) -> tuple[float, str, str]:
    """What observations are sorted by."""
    return row["start"], row["kind"], row["id"]
