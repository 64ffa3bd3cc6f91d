"""Schema migrations: an append-only list of small functions, each applied once and then recorded.

A migration must bear being cut off and run again. One that was released is never edited,
reordered or removed; a change of schema is a new function at the end of `MIGRATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import lancedb
import pyarrow as pa

from memory.derive import derive_all
from memory.episode_rows import EPISODES, LEDGER, PINS
from memory.errors import StoreNewer
from memory.quantised import quantised
from memory.tables import (
    CORRECTIONS,
    DIMENSIONS,
    FACTS,
    MOMENTS,
    OBSERVATIONS,
    PICTURES,
    STREAMS,
    TIME,
    Seal,
    vector_column,
)

META = pa.schema(
    [pa.field("migration", pa.string(), nullable=False), pa.field("applied", TIME, nullable=False)]
)

EIGHT_BITS = OBSERVATIONS.field("vector")
REWRITTEN_AT_ONCE = 4096  # rows

Migration = Callable[[lancedb.DBConnection], None]


def m001_streams_moments_observations(db: lancedb.DBConnection) -> None:
    """The tables of the first release."""
    db.create_table("streams", schema=STREAMS, exist_ok=True)
    db.create_table("moments", schema=MOMENTS, exist_ok=True)
    first = pa.schema([column for column in OBSERVATIONS if column.name != "version"])
    db.create_table("observations", schema=first, exist_ok=True)


def m002_versions(db: lancedb.DBConnection) -> None:
    """Since which version of memory a row is there. Older rows were always there."""
    observations = db.open_table("observations")
    if "version" not in observations.schema.names:
        observations.add_columns({"version": "cast(0 as bigint)"})


def m003_episodes(db: lancedb.DBConnection) -> None:
    """The long-term tier: episodes, the ledger of what was given up, pins."""
    db.create_table("episodes", schema=EPISODES, exist_ok=True)
    db.create_table("ledger", schema=LEDGER, exist_ok=True)
    db.create_table("pins", schema=PINS, exist_ok=True)


def m004_facts(db: lancedb.DBConnection) -> None:
    """What follows from the observations, also from those that are there already."""
    db.create_table("facts", schema=FACTS, exist_ok=True)
    db.create_table("corrections", schema=CORRECTIONS, exist_ok=True)
    derive_all(db)


def m005_pictures(db: lancedb.DBConnection) -> None:
    """Vectors of keyframes; those of the keyframes that are there already are made later."""
    db.create_table("pictures", schema=PICTURES, exist_ok=True)


def m006_vectors_at_eight_bits(db: lancedb.DBConnection) -> None:
    """Vectors take a quarter, and the text is there once: hours are weighed anew. The table is
    written anew as one version: a crash leaves the one before or the one after."""
    before = db.open_table("observations")
    if before.schema.field("vector").type == EIGHT_BITS.type:
        return
    db.open_table("ledger").update(where="held_to >= 0", values={"held_to": -1})
    kept = [column for column in before.schema if column.name != "search_text"]
    schema = pa.schema([EIGHT_BITS if c.name == "vector" else c for c in kept])
    held = before.search().select(schema.names).to_batches(REWRITTEN_AT_ONCE)
    rows = (_at_eight_bits(batch, schema) for batch in held)
    db.create_table(
        "observations", pa.RecordBatchReader.from_batches(schema, rows), mode="overwrite"
    )


def m007_summaries_in_a_models_words(db: lancedb.DBConnection) -> None:
    """What a model wrote of an episode, and what it was given."""
    episodes = db.open_table("episodes")
    missing = [column for column in EPISODES if column.name not in episodes.schema.names]
    if missing:
        episodes.add_columns(pa.schema(missing))


def m008_levels_outlive_each_other(db: lancedb.DBConnection) -> None:
    """Which episodes stand alone; what of the ledger rows stand for, and when what is gone was."""
    for name, schema in (("episodes", EPISODES), ("ledger", LEDGER)):
        table = db.open_table(name)
        missing = [column for column in schema if column.name not in table.schema.names]
        if missing:
            table.add_columns(pa.schema(missing))


MIGRATIONS: list[Migration] = [
    m001_streams_moments_observations,
    m002_versions,
    m003_episodes,
    m004_facts,
    m005_pictures,
    m006_vectors_at_eight_bits,
    m007_summaries_in_a_models_words,
    m008_levels_outlive_each_other,
]


def applied(db: lancedb.DBConnection) -> list[str]:
    """Names of the migrations this store has had, in the order in which it had them."""
    if "meta" not in db.list_tables().tables:
        return []
    rows = db.open_table("meta").to_arrow().to_pylist()
    return [row["migration"] for row in sorted(rows, key=lambda row: row["applied"])]


def migrate(db: lancedb.DBConnection, seal: Seal | None = None) -> None:
    """Bring the tables to the newest schema. Raises `StoreNewer` before touching a newer store.

    A store that has been sealed is sealed before a migration counts as done: else a crash would
    take back what it changed, and not that it is done."""
    done = applied(db)
    known = {migration.__name__ for migration in MIGRATIONS}
    unknown = [name for name in done if name not in known]
    if unknown:
        raise StoreNewer(
            f"the store at {db.uri} was written by a newer Lookback (it has had {unknown[0]!r}); "
            "open it with that version, or give another --store"
        )
    for migration in MIGRATIONS:
        if migration.__name__ in done:
            continue
        migration(db)
        if done and seal is not None:
            seal(_versions(db))
        row = {"migration": migration.__name__, "applied": datetime.now(UTC)}
        db.create_table("meta", schema=META, exist_ok=True).add(pa.Table.from_pylist([row], META))


def _versions(db: lancedb.DBConnection) -> dict[str, int]:
    names = [name for name in db.list_tables().tables if name != "meta"]
    return {name: int(db.open_table(name).version) for name in names}


def _at_eight_bits(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    numbers = rows["vector"].flatten().to_numpy().reshape(len(rows), DIMENSIONS)
    vector = vector_column(quantised(numbers))
    columns = [vector if name == "vector" else rows[name] for name in schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
