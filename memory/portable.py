"""The rows of one stream out of every table, and back into tables that nothing else fills."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lancedb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from memory.compress import place_of
from memory.errors import ArchiveRefused
from memory.tables import Tables, any_of, quote, select

Row = dict[str, Any]
SPAN = ["id", "level", "start", "end", "outlived", "children", "alone"]

# What `Store.remember` writes from moments; the rest is taken in as rows.
REMEMBERED = {"streams", "moments", "observations"}


def rows_of(db: lancedb.DBConnection, stream_id: str) -> dict[str, bytes]:
    """Parquet by table, of every table that has rows of streams."""
    found: dict[str, bytes] = {}
    for name in sorted(db.list_tables().tables):
        table = db.open_table(name)
        column = "id" if name == "streams" else "stream_id"
        if column not in table.schema.names or name == "meta":
            continue
        rows = table.search().where(f"{column} = {quote(stream_id)}").to_arrow()
        file = io.BytesIO()
        pq.write_table(rows, file, compression="zstd")
        found[name] = file.getvalue()
    return found


def add_rows(
    tables: Tables,
    stream_id: str,
    given: dict[str, bytes],
    seal: Callable[[], None],
    stray: Callable[[str, set[float]], None],
) -> int:
    """Take in the rows of the tables that `remember` does not fill; how many. On the writer's thread.
    `stray` is told where moments start that belonged to an episode, and belong to none after it.
    Raises `ArchiveRefused` before anything is written."""
    known = {table.name: table for table in tables.all()}
    ready: list[tuple[str, pa.Table]] = []
    for name in sorted(given.keys() - REMEMBERED):
        try:
            rows = pq.read_table(io.BytesIO(given[name]))
        except (pa.ArrowException, OSError) as error:
            raise ArchiveRefused(f"the archive's table {name!r} is no Parquet: {error}") from error
        if not len(rows):
            continue
        if name not in known:
            raise ArchiveRefused(f"the archive has a table {name!r} that this version cannot read")
        schema = known[name].schema
        rows = _with_absent(rows, schema)
        if set(rows.schema.names) != set(schema.names) or "stream_id" not in rows.schema.names:
            raise ArchiveRefused(f"the archive's table {name!r} has other columns than this store")
        if set(rows["stream_id"].to_pylist()) != {stream_id}:
            raise ArchiveRefused(f"the archive's table {name!r} has rows of another stream")
        try:
            ready.append((name, rows.select(schema.names).cast(schema)))
        except pa.ArrowException as error:
            raise ArchiveRefused(f"the archive's table {name!r} does not fit: {error}") from error
    for at, (name, rows) in enumerate(ready):
        if name == "episodes":
            chosen = _side_by_side(tables, stream_id, rows.select(SPAN).to_pylist())
            if chosen.removed:
                tables.episodes.delete(any_of("id", chosen.removed))
            stray(stream_id, chosen.strays)
            rows = rows.filter(pc.is_in(rows["id"], pa.array(chosen.taken, pa.string())))
        if name == "ledger":
            own = select(tables.ledger, f"stream_id = {quote(stream_id)}", ["id", "hour", "hours"])
            coming = rows.select(["id", "hour", "hours"]).to_pylist()
            rows = rows.filter(pa.array([not any(_twice(c, o) for o in own) for c in coming]))
        ready[at] = name, rows
        if not len(rows):
            continue
        key = "id" if "id" in rows.schema.names else "stream_id"
        known[name].merge_insert(key).when_not_matched_insert_all().execute(rows)
    if ready:
        seal()
    return sum(len(rows) for _, rows in ready)


def _with_absent(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """With the columns that may be empty and came after the archive was made."""
    for column in schema:
        if column.nullable and column.name not in rows.schema.names:
            rows = rows.append_column(column, pa.nulls(len(rows), column.type))
    return rows


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Ids of the episodes that are taken and of those that make way, and where moments start that
    none holds any more."""

    taken: list[str]
    removed: list[str]
    strays: set[float]


def _side_by_side(tables: Tables, stream_id: str, given: Sequence[Row]) -> _Chosen:
    """Of two episodes of the lowest level that overlap, the store's makes way, unless it quotes what
    the store has given up. Those above are made anew where any did."""
    there = select(tables.episodes, f"stream_id = {quote(stream_id)}", SPAN)
    alone = [row for row in there if row["alone"]]
    own = [row for row in there if not row["alone"]]
    # What stands alone makes way for nothing, and takes the place of nothing.
    given = [row for row in given if not any(_meet(row, one) for one in alone)]
    given = [row for row in given if not (row["alone"] and any(_meet(row, one) for one in own))]
    if not any(_overlap(one, other) for one in own for other in given):
        return _Chosen([row["id"] for row in given], [], set())
    held = [row for row in own if row["level"] == 1]
    coming = [row for row in given if row["level"] == 1]
    staying = [r for r in held if r["outlived"] or not any(_overlap(r, n) for n in coming)]
    kept = {row["id"] for row in staying}
    taken = [r for r in coming if r["id"] not in kept and not any(_overlap(r, s) for s in staying)]
    holding = {id for row in (*staying, *taken) for id in row["children"]}
    children = {id for row in (*held, *coming) for id in row["children"]}
    return _Chosen(
        taken=[row["id"] for row in taken],
        removed=sorted({row["id"] for row in own} - kept),
        strays={place_of(id) for id in children - holding},
    )


def _overlap(one: Row, other: Row) -> bool:
    """Two of a level, neither of which is the other, with what they hold in no clear order."""
    if one["level"] != other["level"] or one["id"] == other["id"] or one["alone"] or other["alone"]:
        return False
    first, last = ([place_of(row["children"][at]) for row in (one, other)] for at in (0, -1))
    return first[0] <= last[1] and first[1] <= last[0]


def _meet(one: Row, other: Row) -> bool:
    return bool(one["start"] < other["end"] and other["start"] < one["end"])


def _twice(one: Row, other: Row) -> bool:
    """Two rows of the ledger that account for one hour."""
    if one["id"] == other["id"]:
        return False
    ends = [row["hour"] + (row["hours"] or 1) for row in (one, other)]
    return bool(one["hour"] < ends[1] and other["hour"] < ends[0])
