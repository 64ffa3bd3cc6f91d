"""The rows of one stream out of every table, and back into tables that nothing else fills."""

from __future__ import annotations

import io
from collections.abc import Callable

import lancedb
import pyarrow as pa
import pyarrow.parquet as pq

from memory.errors import ArchiveRefused
from memory.tables import Tables, quote

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
    tables: Tables, stream_id: str, given: dict[str, bytes], seal: Callable[[], None]
) -> int:
    """Take in the rows of the tables that `remember` does not fill; how many. On the writer's thread.
    Raises `ArchiveRefused` before anything is written."""
    known = {table.name: table for table in tables.all()}
    ready: list[tuple[str, pa.Table]] = []
    for name in sorted(given.keys() - REMEMBERED):
        rows = pq.read_table(io.BytesIO(given[name]))
        if not len(rows):
            continue
        if name not in known:
            raise ArchiveRefused(f"the archive has a table {name!r} that this version cannot read")
        schema = known[name].schema
        if set(rows.schema.names) != set(schema.names) or "stream_id" not in rows.schema.names:
            raise ArchiveRefused(f"the archive's table {name!r} has other columns than this store")
        if set(rows["stream_id"].to_pylist()) != {stream_id}:
            raise ArchiveRefused(f"the archive's table {name!r} has rows of another stream")
        ready.append((name, rows.select(schema.names).cast(schema)))
    for name, rows in ready:
        key = "id" if "id" in rows.schema.names else "stream_id"
        known[name].merge_insert(key).when_not_matched_insert_all().execute(rows)
    if ready:
        seal()
    return sum(len(rows) for _, rows in ready)
