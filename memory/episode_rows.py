"""The tables of the long-term tier: their columns, rows to records and back.

episodes   what many moments were compressed to
ledger     what was kept, merged and dropped of each hour of a stream
pins       moments that are never given up
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from memory.records import Episode, Quote
from memory.tables import DIMENSIONS, TIME
from perception.records import Observation

Row = dict[str, Any]
Vector = npt.NDArray[np.float32]

QUOTE = pa.struct(
    [
        ("id", pa.string()),  # of the observation
        ("moment_id", pa.string()),
        ("kind", pa.string()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("text", pa.string()),
        ("speaker", pa.string()),
        ("ref", pa.string()),
        ("outlived", pa.bool_()),  # the observation is no more, only this quote of it
    ]
)
EPISODES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("stream_id", pa.string(), nullable=False),
        pa.field("level", pa.int32(), nullable=False),
        pa.field("start", pa.float64(), nullable=False),
        pa.field("end", pa.float64(), nullable=False),
        pa.field("wall", TIME, nullable=False),  # `start` on the wall clock
        pa.field("text", pa.string(), nullable=False),  # the summary, made of quotes
        pa.field("written", pa.string(), nullable=False),  # by "extract", or by which model
        pa.field("quotes", pa.list_(QUOTE), nullable=False),  # best first
        pa.field("keyframes", pa.list_(pa.string()), nullable=False),  # SHA-256, best first
        pa.field("children", pa.list_(pa.string()), nullable=False),  # moments; above, episodes
        pa.field("moments", pa.int32(), nullable=False),
        pa.field("outlived", pa.int32(), nullable=False),  # quotes whose observation is no more
        pa.field("vector", pa.list_(pa.float32(), DIMENSIONS), nullable=False),  # unit length
        pa.field("rewritten", pa.string()),  # the summary in a model's words
        pa.field("tried", pa.string()),  # SHA-256 of the quotes that a model was last given
        pa.field("tried_by", pa.string()),  # which
        pa.field("alone", pa.bool_()),  # the episodes that it was made of are no more
    ]
)
# Of every time that episodes hold, those that tell the most of it.
LOWEST = "(level = 1 OR alone)"
SPAN = pa.struct(
    [("start", pa.float64()), ("end", pa.float64()), ("kind", pa.string()), ("count", pa.int32())]
)
COUNTED = ("observations", "keyframes", "bytes")
# What longer episodes have outlived: shorter ones, and facts from them; about their bytes.
OUTLIVED = ("outlived_episodes", "outlived_facts", "outlived_bytes")
LEDGER = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("stream_id", pa.string(), nullable=False),
        pa.field("hour", pa.int32(), nullable=False),  # of the stream, counted from 0
        pa.field("held_to", pa.int64(), nullable=False),  # bytes that the hour was last held to
        pa.field("salience", pa.float32(), nullable=False),  # mean of what is kept
        *(
            pa.field(f"{what}_{counted}", pa.int64(), nullable=False)
            for what in ("kept", "merged", "dropped")
            for counted in COUNTED
        ),
        pa.field("spans", pa.list_(SPAN), nullable=False),  # of the observations dropped
        pa.field("terms", pa.list_(pa.int32()), nullable=False),  # their words, as hashes
        pa.field("gone", pa.list_(pa.int64()), nullable=False),  # ids given up, as hashes
        pa.field("gone_at", pa.list_(pa.int16())),  # at which second of the hour; none: not known
        pa.field("hours", pa.int32()),  # that the row accounts for, from `hour` on; none: one
        *(pa.field(name, pa.int64()) for name in OUTLIVED),
    ]
)
PINS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # of the moment
        pa.field("stream_id", pa.string(), nullable=False),
        pa.field("start", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Placed:
    """An episode with its global vector (float32 [384], unit length)."""

    episode: Episode
    vector: Vector


def episode_row(placed: Placed, wall_start: datetime) -> Row:
    """`wall_start`: of its stream."""
    e = placed.episode
    return {
        "id": e.id,
        "stream_id": e.stream_id,
        "level": e.level,
        "start": e.start,
        "end": e.end,
        "wall": wall_start + timedelta(seconds=e.start),
        "text": e.text,
        "written": e.written,
        "quotes": [_quote_row(quote) for quote in e.quotes],
        "keyframes": list(e.keyframes),
        "children": list(e.children),
        "moments": e.moments,
        "outlived": sum(quote.outlived for quote in e.quotes),
        "vector": placed.vector.tolist(),
        "rewritten": e.rewritten,
        "tried": None,
        "tried_by": None,
        "alone": e.alone,
    }


def episode_of(row: Row) -> Episode:
    """From a row; the vector may be left out."""
    return Episode(
        stream_id=row["stream_id"],
        level=row["level"],
        start=row["start"],
        end=row["end"],
        wall_start=row["wall"] - timedelta(seconds=row["start"]),
        text=row["text"],
        written=row["written"],
        rewritten=row["rewritten"],
        quotes=tuple(_quote_of(row["stream_id"], quote) for quote in row["quotes"]),
        keyframes=tuple(row["keyframes"]),
        children=tuple(row["children"]),
        moments=row["moments"],
        alone=bool(row["alone"]),
    )


def placed_of(row: Row) -> Placed:
    """From a whole row."""
    return Placed(episode_of(row), np.asarray(row["vector"], np.float32))


def in_order(rows: Iterable[Row]) -> list[Row]:
    """By time; of one start, the longer first."""
    return sorted(rows, key=lambda row: (row["start"], -row["end"], row["id"]))


def _quote_row(quote: Quote) -> Row:
    seen = quote.observation
    return {
        "id": quote.id,
        "moment_id": quote.moment_id,
        "kind": seen.kind,
        "start": seen.start,
        "end": seen.end,
        "text": seen.text,
        "speaker": seen.speaker,
        "ref": seen.ref,
        "outlived": quote.outlived,
    }


def _quote_of(stream_id: str, row: Row) -> Quote:
    seen = Observation(
        stream_id=stream_id,
        kind=row["kind"],
        start=row["start"],
        end=row["end"],
        text=row["text"],
        speaker=row["speaker"],
        ref=row["ref"],
    )
    return Quote(row["id"], seen, row["moment_id"], row["outlived"])
