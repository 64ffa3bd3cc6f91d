"""The LanceDB tables under a store: their columns, how they are opened, rows to records and back.

A moment's text is not a column: it is made of its observations, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import lancedb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from lancedb.table import LanceTable

from memory.quantised import Floats, Int8s, directions, quantised
from perception.records import Moment, Observation, Stream, Tag

DIMENSIONS = 384
TIME = pa.timestamp("us", tz="UTC")
Seal = Callable[[Mapping[str, int]], None]

STREAMS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("wall_start", TIME, nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
    ]
)
MOMENTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("stream_id", pa.string(), nullable=False),
        pa.field("start", pa.float64(), nullable=False),
        pa.field("end", pa.float64(), nullable=False),
        pa.field("keyframe", pa.string()),
    ]
)
OBSERVATIONS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("moment_id", pa.string(), nullable=False),
        pa.field("stream_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("start", pa.float64(), nullable=False),
        pa.field("end", pa.float64(), nullable=False),
        pa.field("wall", TIME, nullable=False),  # `start` on the wall clock
        pa.field("text", pa.string(), nullable=False),
        pa.field("speaker", pa.string()),
        pa.field("ref", pa.string()),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("language", pa.string()),
        pa.field(
            "tags", pa.list_(pa.struct([("label", pa.string()), ("probability", pa.float32())]))
        ),
        pa.field("vector", pa.list_(pa.int8(), DIMENSIONS), nullable=False),  # `quantised.py`
        # The version of memory that first held the row, however often it was rewritten since.
        pa.field("version", pa.int64(), nullable=False),
    ]
)
FACTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("stream_id", pa.string(), nullable=False),
        pa.field("moment_id", pa.string(), nullable=False),
        pa.field("observation_id", pa.string(), nullable=False),
        pa.field("start", pa.float64(), nullable=False),
        pa.field("end", pa.float64(), nullable=False),
        pa.field("wall", TIME, nullable=False),  # `start` on the wall clock
        pa.field("subject", pa.string(), nullable=False),
        pa.field("about", pa.string(), nullable=False),  # the subject's stems, a space around each
        pa.field("attribute", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),  # the sentence
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("shared", pa.bool_(), nullable=False),  # the same thing in every stream
    ]
)
CORRECTIONS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("stream_id", pa.string(), nullable=False),
        pa.field("moment_id", pa.string(), nullable=False),
        pa.field("observation_id", pa.string(), nullable=False),
        pa.field("start", pa.float64(), nullable=False),
        pa.field("end", pa.float64(), nullable=False),
        pa.field("wrong", pa.string(), nullable=False),
        pa.field("right", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("since", pa.float64(), nullable=False),
        pa.field("until", pa.float64(), nullable=False),
        pa.field("target", pa.string()),
        pa.field("heard_in", pa.string()),  # the observation that `wrong` was taken from
    ]
)
# What a picture model makes of a keyframe. Models differ in how many numbers they give, and a store
# may hold the vectors of several beside each other.
PICTURES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # model and digest
        pa.field("digest", pa.string(), nullable=False),  # SHA-256 of the keyframe
        pa.field("model", pa.string(), nullable=False),
        pa.field("dimension", pa.int32(), nullable=False),
        pa.field("vector", pa.list_(pa.float16()), nullable=False),  # unit length
    ]
)
OBSERVATION_COLUMNS = [name for name in OBSERVATIONS.names if name not in ("vector", "version")]
UNCOMMITTED = -1  # the version of a row that no commit has taken in yet

# Lance keeps decoded metadata and index pages in these caches; the defaults are gigabytes.
INDEX_CACHE_BYTES = 8 * 2**20
METADATA_CACHE_BYTES = 6 * 2**20


@dataclass(frozen=True, slots=True)
class Tables:
    """Open handles, safe to use from many threads; what one thread commits the others read next."""

    db: lancedb.DBConnection
    streams: LanceTable
    moments: LanceTable
    observations: LanceTable
    facts: LanceTable
    corrections: LanceTable
    episodes: LanceTable
    ledger: LanceTable
    pins: LanceTable
    pictures: LanceTable

    def all(self) -> tuple[LanceTable, ...]:
        return (
            self.streams,
            self.moments,
            self.observations,
            self.facts,
            self.corrections,
            self.episodes,
            self.ledger,
            self.pins,
            self.pictures,
        )


def connect(uri: str, storage_options: dict[str, str] | None = None) -> lancedb.DBConnection:
    """A folder's path, or an address with what its server asks for. Only our own commits are seen."""
    # Arrow's own pool keeps what it once needed, tens of megabytes after an hour of upkeep.
    pa.set_memory_pool(pa.system_memory_pool())
    session = lancedb.Session(
        index_cache_size_bytes=INDEX_CACHE_BYTES, metadata_cache_size_bytes=METADATA_CACHE_BYTES
    )
    return lancedb.connect(uri, storage_options=storage_options, session=session)


def open_tables(db: lancedb.DBConnection, seal: Seal | None = None) -> Tables:
    """Open the tables, creating or migrating them to the newest schema; `seal` makes them, as these
    versions, outlast a crash.

    Raises `StoreNewer`, before anything is written, when a newer Lookback wrote them.
    """
    from memory.migrations import migrate  # it reads the schemas above

    migrate(db, seal)
    return tables_of(db)


def tables_of(db: lancedb.DBConnection) -> Tables:
    """The tables as they are."""
    return Tables(
        db=db,
        streams=cast(LanceTable, db.open_table("streams")),
        moments=cast(LanceTable, db.open_table("moments")),
        observations=cast(LanceTable, db.open_table("observations")),
        episodes=cast(LanceTable, db.open_table("episodes")),
        ledger=cast(LanceTable, db.open_table("ledger")),
        pins=cast(LanceTable, db.open_table("pins")),
        pictures=cast(LanceTable, db.open_table("pictures")),
        facts=cast(LanceTable, db.open_table("facts")),
        corrections=cast(LanceTable, db.open_table("corrections")),
    )


def quote(value: str) -> str:
    """A string literal for a Lance filter: ids come from users, quotes and all."""
    return "'" + value.replace("'", "''") + "'"


def any_of(column: str, values: Iterable[str]) -> str:
    """A filter: the column is one of the values."""
    return f"{column} IN ({', '.join(quote(v) for v in values)})"


def select(
    table: LanceTable, where: str | None, columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Every row that matches, as dictionaries, in no promised order."""
    query = table.search()
    if where is not None:
        query = query.where(where)
    if columns is not None:
        query = query.select(list(columns))
    rows: list[dict[str, Any]] = query.to_arrow().to_pylist()
    return rows


def stream_row(stream: Stream) -> dict[str, Any]:
    """The row of a stream, its beginning in UTC."""
    return {
        "id": stream.id,
        "wall_start": stream.wall_start.astimezone(UTC),
        "source": stream.source,
        "seconds": stream.seconds,
    }


def stream_of(row: dict[str, Any]) -> Stream:
    """From a whole row."""
    return Stream(row["id"], row["wall_start"], row["source"], row["seconds"])


def moment_row(moment: Moment) -> dict[str, Any]:
    """The row of a moment, without its observations."""
    return {
        "id": moment.id,
        "stream_id": moment.stream_id,
        "start": moment.start,
        "end": moment.end,
        "keyframe": moment.keyframe,
    }


def moment_of(row: dict[str, Any], observations: Iterable[Observation]) -> Moment:
    """From a whole row and what the moment holds."""
    ordered = sorted(observations, key=lambda o: (o.start, o.kind, o.id))
    return Moment(row["stream_id"], row["start"], row["end"], tuple(ordered), row["keyframe"])


def observation_row(observation: Observation, moment_id: str, wall: datetime) -> dict[str, Any]:
    """Every column but the vector."""
    o = observation
    return {
        "id": o.id,
        "moment_id": moment_id,
        "stream_id": o.stream_id,
        "kind": o.kind,
        "role": o.role,
        "start": o.start,
        "end": o.end,
        "wall": wall + timedelta(seconds=o.start),
        "text": o.text,
        "speaker": o.speaker,
        "ref": o.ref,
        "confidence": o.confidence,
        "language": o.language,
        "tags": [{"label": t.label, "probability": t.probability} for t in o.tags],
        "version": UNCOMMITTED,
    }


def observation_of(row: dict[str, Any]) -> Observation:
    """From a row that holds `OBSERVATION_COLUMNS`."""
    return Observation(
        stream_id=row["stream_id"],
        kind=row["kind"],
        start=row["start"],
        end=row["end"],
        text=row["text"],
        speaker=row["speaker"],
        ref=row["ref"],
        role=row["role"],
        confidence=row["confidence"],
        language=row["language"],
        tags=tuple(Tag(t["label"], t["probability"]) for t in row["tags"] or ()),
    )


def observation_batch(rows: Sequence[dict[str, Any]], vectors: npt.NDArray[np.float32]) -> pa.Table:
    """Rows of `observation_row` and their vectors (float32 [n, 384]) as one Arrow table."""
    columns = OBSERVATIONS.remove(OBSERVATIONS.get_field_index("vector"))
    batch = pa.Table.from_pylist(list(rows), schema=columns)
    vector = vector_column(quantised(vectors))
    return batch.append_column(OBSERVATIONS.field("vector"), vector).select(OBSERVATIONS.names)


def vector_column(codes: Int8s) -> pa.FixedSizeListArray:
    """Of int8 [n, 384]."""
    return pa.FixedSizeListArray.from_arrays(pa.array(codes.ravel()), DIMENSIONS)


def vectors_of(rows: pa.Table) -> Floats:
    """float32 [n, 384], unit rows, of rows of `observations`."""
    codes = rows["vector"].combine_chunks().flatten().to_numpy()
    return directions(codes.reshape(len(rows), DIMENSIONS))
