"""The ledger: of each hour of each stream, what is kept, what was merged and what was dropped.

It is written in one commit with what it accounts for. It also knows, as hashes, the ids of what was
given up, so that feeding the same thing again does not bring it back, and the words of what was
dropped, so that "no longer kept" can be told from "never seen".
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from memory.episode_rows import COUNTED, LEDGER
from memory.records import GivenUp
from memory.tables import Tables, quote, select
from memory.words import stems
from perception.records import Moment, Stream

Row = dict[str, Any]

HOUR = 3600.0
CACHED = 32  # hours whose hashes are held
APART = 60.0  # seconds between two dropped observations of one kind that are one span
SMALL = [name for name in LEDGER.names if name not in ("spans", "terms", "gone")]


@dataclass(slots=True)
class Entry:
    """One hour's row, to be written."""

    stream_id: str
    hour: int
    held_to: int
    salience: float
    counts: dict[str, int]  # of "kept_observations" and its like
    spans: list[Row] = field(default_factory=list)
    terms: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)


class Ledger:
    """Reading from any thread; `write` on the writer's."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._guard = threading.Lock()
        self._gone: OrderedDict[tuple[str, int], frozenset[int]] = OrderedDict()
        self._rows: dict[tuple[str, int], Row] = {}
        self.reload()

    def reload(self) -> None:
        """Read what is there: after opening, and after rows have gone."""
        rows = select(self._tables.ledger, None, SMALL)
        with self._guard:
            self._rows = {(row["stream_id"], row["hour"]): row for row in rows}
            self._gone.clear()

    def hours(self) -> Mapping[tuple[str, int], Row]:
        """The counts of every hour accounted for, by stream and hour."""
        with self._guard:
            return dict(self._rows)

    def entry(self, stream_id: str, hour: int) -> Entry:
        """What the hour's row says, or an empty one."""
        where = f"id = {quote(_id(stream_id, hour))}"
        for row in select(self._tables.ledger, where):
            counts = {f"{what}_{n}": row[f"{what}_{n}"] for what in _WHAT for n in COUNTED}
            return Entry(
                stream_id,
                hour,
                row["held_to"],
                row["salience"],
                counts,
                row["spans"],
                set(row["terms"]),
                set(row["gone"]),
            )
        return Entry(stream_id, hour, -1, 0.0, {f"{w}_{n}": 0 for w in _WHAT for n in COUNTED})

    def write(self, entry: Entry) -> None:
        """Put the row in the table; not sealed, and not seen by `hours` before `reload`."""
        row = {
            "id": _id(entry.stream_id, entry.hour),
            "stream_id": entry.stream_id,
            "hour": entry.hour,
            "held_to": entry.held_to,
            "salience": entry.salience,
            **entry.counts,
            "spans": entry.spans,
            "terms": sorted(entry.terms),
            "gone": sorted(entry.gone),
        }
        merge = self._tables.ledger.merge_insert("id")
        merge.when_matched_update_all().when_not_matched_insert_all().execute(
            pa.Table.from_pylist([row], LEDGER)
        )

    def dropped(
        self, stream_id: str, start: float | None, end: float | None, text: str
    ) -> list[GivenUp]:
        """Spans of what was dropped; with a text, only of hours that held all of its words."""
        where = f"stream_id = {quote(stream_id)} AND dropped_observations > 0"
        asked = {word_hash(stem) for stem in stems(text)}
        found = []
        for row in select(self._tables.ledger, where, ["spans", "terms"]):
            if not asked <= set(row["terms"]):
                continue
            found += [
                GivenUp(stream_id, **span)
                for span in row["spans"]
                if (start is None or span["end"] >= start) and (end is None or span["start"] <= end)
            ]
        return sorted(found, key=lambda one: (one.start, one.kind))

    def without_given_up(
        self, stream: Stream, moments: Sequence[Moment], keyframes: Mapping[str, bytes]
    ) -> tuple[list[Moment], dict[str, bytes]]:
        """What was fed, less what was given up of it before."""
        left = []
        for moment in moments:
            gone = self._given_up(stream.id, int(moment.start // HOUR))
            if not gone:
                left.append(moment)
                continue
            seen = tuple(o for o in moment.observations if id_hash(o.id) not in gone)
            if not seen and id_hash(moment_key(moment.id)) in gone:
                continue
            shown = None if id_hash(keyframe_key(moment.id)) in gone else moment.keyframe
            left.append(replace(moment, observations=seen, keyframe=shown))
        shown_still = {moment.keyframe for moment in left} | (
            keyframes.keys() - {moment.keyframe for moment in moments}
        )
        return left, {digest: c for digest, c in keyframes.items() if digest in shown_still}

    def stats(self) -> dict[str, Any]:
        """Sums over all hours, and for each stream."""
        streams: dict[str, Row] = {}
        for (stream_id, _), row in self.hours().items():
            sums = streams.setdefault(stream_id, {"hours": 0, **dict.fromkeys(_NAMES, 0)})
            sums["hours"] += 1
            for name in _NAMES:
                sums[name] += row[name]
        total = {name: sum(sums[name] for sums in streams.values()) for name in _NAMES}
        return {**total, "streams": streams}

    def _given_up(self, stream_id: str, hour: int) -> frozenset[int]:
        key = (stream_id, hour)
        with self._guard:
            row = self._rows.get(key)
            if row is None or not (row["merged_bytes"] or row["dropped_bytes"]):
                return frozenset()
            if key in self._gone:
                self._gone.move_to_end(key)
                return self._gone[key]
        rows = select(self._tables.ledger, f"id = {quote(_id(*key))}", ["gone"])
        gone = frozenset(rows[0]["gone"]) if rows else frozenset()
        with self._guard:
            self._gone[key] = gone
            if len(self._gone) > CACHED:
                self._gone.popitem(last=False)
        return gone


_WHAT = ("kept", "merged", "dropped")
_NAMES = [f"{what}_{counted}" for what in _WHAT for counted in COUNTED]


def id_hash(id: str) -> int:
    """64 bits, signed, as Lance stores them."""
    digest = hashlib.blake2b(id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def word_hash(stem: str) -> int:
    """32 bits, signed."""
    value = zlib.crc32(stem.encode(errors="replace"))
    return value - 2**32 if value >= 2**31 else value


def keyframe_key(moment_id: str) -> str:
    """What stands for a moment's keyframe among the ids given up."""
    return f"k:{moment_id}"


def moment_key(moment_id: str) -> str:
    """What stands for the moment itself."""
    return f"m:{moment_id}"


def span_of(kind: str, start: float, end: float) -> Row:
    """The span of one observation."""
    return {"start": start, "end": end, "kind": kind, "count": 1}


def joined_spans(one: Iterable[Row], other: Iterable[Row]) -> list[Row]:
    """Both, with those of one kind that meet in one."""
    spans: list[Row] = []
    latest: dict[str, Row] = {}
    for given in sorted([*one, *other], key=lambda span: (span["start"], span["kind"])):
        span = latest.get(given["kind"])
        if span is not None and given["start"] - span["end"] <= APART:
            span["end"] = max(span["end"], given["end"])
            span["count"] += given["count"]
            continue
        latest[given["kind"]] = span = dict(given)
        spans.append(span)
    return spans


def _id(stream_id: str, hour: int) -> str:
    return f"{stream_id}:h{hour:06d}"
