"""The ledger: of each hour of each stream, what is kept, what was merged and what was dropped.

It is written in one commit with what it accounts for. It also knows, as hashes, the ids of what was
given up, so that feeding the same thing again does not bring it back, and the words of what was
dropped, so that "no longer kept" can be told from "never seen".
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from memory.episode_rows import COUNTED, LEDGER, OUTLIVED
from memory.records import GivenUp
from memory.rows import delete_rows, put
from memory.tables import Tables, quote, select
from memory.words import stems
from perception.records import Moment, Stream

Row = dict[str, Any]

HOUR = 3600.0
DAY = 24  # hours
CACHED = 32  # hours whose hashes are held
APART = 60.0  # seconds between two dropped observations of one kind that are one span
UNKNOWN = -1  # the second of the hour of what was given up before seconds were kept
SMALL = [name for name in LEDGER.names if name not in ("spans", "terms", "gone", "gone_at")]


@dataclass(slots=True)
class Entry:
    """The row of an hour, or of a day from that hour on, to be written. `gone`: at which second of
    the hour each id was that is no more, by its hash."""

    stream_id: str
    hour: int
    held_to: int
    salience: float
    counts: dict[str, int]  # of "kept_observations" and its like
    hours: int = 1
    spans: list[Row] = field(default_factory=list)
    terms: set[int] = field(default_factory=set)
    gone: dict[int, int] = field(default_factory=dict)

    def note_gone(self, id: str, start: float) -> None:
        """What goes by that id and starts there is given up."""
        self.gone[id_hash(id)] = min(max(int(start - self.hour * HOUR), 0), int(HOUR) - 1)


class Ledger:
    """Reading from any thread; `write` on the writer's."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._guard = threading.Lock()
        self._gone: OrderedDict[tuple[str, int], frozenset[int]] = OrderedDict()
        self._rows: dict[tuple[str, int], Row] = {}
        self._alone: dict[str, list[Row]] = {}  # by stream, in order: episodes that stand alone
        self.reload()

    def reload(self) -> None:
        """Read what is there: after opening, and after rows have gone."""
        rows = [_counted(row) for row in select(self._tables.ledger, None, SMALL)]
        columns = ["stream_id", "start", "end", "keyframes"]
        alone: dict[str, list[Row]] = {}
        for row in select(self._tables.episodes, "alone", columns):
            alone.setdefault(row["stream_id"], []).append(row)
        with self._guard:
            self._rows = {(row["stream_id"], row["hour"]): row for row in rows}
            self._alone = {id: sorted(own, key=_start) for id, own in alone.items()}
            self._gone.clear()

    def hours(self) -> Mapping[tuple[str, int], Row]:
        """The counts of every hour accounted for, by stream and hour; those of a day as one, by its
        first."""
        with self._guard:
            return dict(self._rows)

    def first(self, stream_id: str, hour: int) -> int:
        """The hour that the row is known by which accounts for this one."""
        day = hour - hour % DAY
        row = self._rows.get((stream_id, day))
        return day if row is not None and row["hours"] > 1 else hour

    def entry(self, stream_id: str, hour: int) -> Entry:
        """What the hour's row says, or an empty one."""
        where = f"id = {quote(_id(stream_id, hour))}"
        for row in map(_counted, select(self._tables.ledger, where)):
            at = row["gone_at"] or [UNKNOWN] * len(row["gone"])
            return Entry(
                stream_id,
                hour,
                row["held_to"],
                row["salience"],
                {name: row[name] for name in _NAMES},
                row["hours"],
                row["spans"],
                set(row["terms"]),
                dict(zip(row["gone"], at, strict=True)),
            )
        return Entry(stream_id, hour, -1, 0.0, dict.fromkeys(_NAMES, 0))

    def write(self, entry: Entry) -> None:
        """Put the row in the table; not sealed, and not seen by `hours` before `reload`."""
        gone = sorted((at, hash) for hash, at in entry.gone.items())
        row = {
            "id": _id(entry.stream_id, entry.hour),
            "stream_id": entry.stream_id,
            "hour": entry.hour,
            "held_to": entry.held_to,
            "salience": entry.salience,
            **entry.counts,
            "spans": entry.spans,
            "terms": sorted(entry.terms),
            "gone": [hash for _, hash in gone],
            "gone_at": [at for at, _ in gone],
            "hours": entry.hours,
        }
        put(self._tables.ledger, pa.Table.from_pylist([row], LEDGER))

    def write_day(self, stream_id: str, day: int) -> None:
        """Put the sums of the hours of that day (its first hour) in the place of their rows; not
        sealed either. What is gone of them is not known one by one any more."""
        hours = [hour for hour in range(day, day + DAY) if (stream_id, hour) in self.hours()]
        entries = [self.entry(stream_id, hour) for hour in hours]
        counts = {name: sum(entry.counts[name] for entry in entries) for name in _NAMES}
        held_to = max(entry.held_to for entry in entries)
        salience = sum(entry.salience for entry in entries) / len(entries)
        spans = joined_spans((span for entry in entries for span in entry.spans), (), HOUR)
        terms = set().union(*(entry.terms for entry in entries))
        delete_rows(self._tables.ledger, (_id(stream_id, hour) for hour in hours))
        self.write(Entry(stream_id, day, held_to, salience, counts, DAY, spans, terms))

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
        """What was fed, less what was given up of it before: where an episode stands alone, all but
        the pictures that it shows."""
        left = []
        for moment in moments:
            alone = self._alone_at(stream.id, moment.start)
            if alone is not None:
                if moment.keyframe in alone["keyframes"]:
                    left.append(replace(moment, observations=()))
                continue
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
            sums["hours"] += row["hours"]
            for name in _NAMES:
                sums[name] += row[name]
        total = {name: sum(sums[name] for sums in streams.values()) for name in _NAMES}
        return {**total, "streams": streams}

    def _alone_at(self, stream_id: str, at: float) -> Row | None:
        with self._guard:
            rows = self._alone.get(stream_id, ())
            place = bisect_right(rows, at, key=_start) - 1
            return rows[place] if place >= 0 and at < rows[place]["end"] else None

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
_NAMES = [*(f"{what}_{counted}" for what in _WHAT for counted in COUNTED), *OUTLIVED]


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


def joined_spans(one: Iterable[Row], other: Iterable[Row], apart: float = APART) -> list[Row]:
    """Both, with those of one kind that meet, or are not further `apart`, in one."""
    spans: list[Row] = []
    latest: dict[str, Row] = {}
    for given in sorted([*one, *other], key=lambda span: (span["start"], span["kind"])):
        span = latest.get(given["kind"])
        if span is not None and given["start"] - span["end"] <= apart:
            span["end"] = max(span["end"], given["end"])
            span["count"] += given["count"]
            continue
        latest[given["kind"]] = span = dict(given)
        spans.append(span)
    return spans


def _counted(row: Row) -> Row:
    """A row with what those of older stores lack."""
    return {**row, "hours": row["hours"] or 1, **{name: row[name] or 0 for name in OUTLIVED}}


def _start(row: Row) -> float:
    return float(row["start"])


def _id(stream_id: str, hour: int) -> str:
    return f"{stream_id}:h{hour:06d}"
