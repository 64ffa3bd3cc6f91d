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
from memory.tables import CORRECTIONS, FACTS, MOMENTS, OBSERVATIONS, PICTURES, STREAMS, TIME

META = pa.schema(
    [pa.field("migration", pa.string(), nullable=False), pa.field("applied", TIME, nullable=False)]
)

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


def m007_summaries_in_a_models_words(db: lancedb.DBConnection) -> None:
    """What a model wrote of an episode, and what it was given."""
    episodes = db.open_table("episodes")
    missing = [column for column in EPISODES if column.name not in episodes.schema.names]
    if missing:
        episodes.add_columns(pa.schema(missing))


MIGRATIONS: list[Migration] = [
    m001_streams_moments_observations,
    m002_versions,
    m003_episodes,
    m004_facts,
    m005_pictures,
    m007_summaries_in_a_models_words,
]


def applied(db: lancedb.DBConnection) -> list[str]:
    """Names of the migrations this store has had, in the order in which it had them."""
    if "meta" not in db.list_tables().tables:
        return []
    rows = db.open_table("meta").to_arrow().to_pylist()
    return [row["migration"] for row in sorted(rows, key=lambda row: row["applied"])]


def migrate(db: lancedb.DBConnection) -> None:
    """Bring the tables to the newest schema. Raises `StoreNewer` before touching a newer store."""
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
        row = {"migration": migration.__name__, "applied": datetime.now(UTC)}
        db.create_table("meta", schema=META, exist_ok=True).add(pa.Table.from_pylist([row], META))
