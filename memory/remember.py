"""Remembering: from moments to rows and vectors (in the caller's thread), to one commit of many.

Order of writing: keyframes, observations, moments, what follows from them, streams. So whoever sees
a moment finds its observations and its picture; and sealing them together makes a cut-off commit
vanish whole.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from memory.derive import derive
from memory.embedder import Embedder
from memory.errors import InvalidRequest
from memory.given import check_given
from memory.ledger import Ledger
from memory.media import check_digest
from memory.picture_rows import digests_encoded, drop_vectors
from memory.place import Media
from memory.rows import delete_rows, put, rows_with
from memory.tables import (
    MOMENTS,
    OBSERVATIONS,
    STREAMS,
    UNCOMMITTED,
    Tables,
    moment_row,
    observation_batch,
    observation_row,
    select,
    stream_of,
    stream_row,
)
from memory.vectors import Vectorizer, Vectors
from perception.records import Moment, Observation, Stream

Row = dict[str, Any]
COLUMNS = pa.schema([column for column in OBSERVATIONS if column.name != "vector"])
DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one caller asked for, and the rows of it that are new or changed, with their vectors."""

    stream: Stream
    moments: tuple[Moment, ...]
    keyframes: dict[str, bytes]
    rows: dict[str, Row]
    vectors: Vectors
    forgets: int  # how much had been forgotten when the rows were compared


class Remembering:
    """`prepare`, `take_written` and `writing` in any thread, the rest in the writer's only."""

    def __init__(
        self,
        tables: Tables,
        media: Media,
        embedder: Embedder,
        seal: Callable[[], None],
        ledger: Ledger,
    ) -> None:
        self.tables = tables
        self.media = media
        self.commits = 0
        # Observations may be there whose moments are not: a commit failed midway. Those of one under
        # way are nowhere yet: search takes rows in after the commit.
        self.unsettled = False
        self.unshown: Callable[[set[str]], None] = lambda digests: None  # told of keyframes that go
        self._vectorizer = Vectorizer(embedder)
        self._seal = seal
        self._ledger = ledger
        self._forgets = 0
        self._written: dict[str, set[float]] = {}
        self._noting = threading.Lock()  # of `_written`
        self.undone = 0  # times that rows were taken away which a failed commit had left
        self._unsealed = False  # a commit is under way, or failed before it was made durable
        self._midway: dict[str, str] = {}  # moments of a commit under way: their streams
        self.streams: dict[str, Stream] = {}  # by id, as committed
        self._beginnings: dict[str, datetime] = {}
        self._load_streams()

    def prepare(
        self, stream: Stream, moments: Sequence[Moment], keyframes: dict[str, bytes]
    ) -> Batch:
        """Check, compare with what is there, embed what is new. Raises `InvalidRequest`."""
        check_given(stream, moments)
        forgets = self._forgets
        moments, keyframes = self._ledger.without_given_up(stream, moments, keyframes)
        self._check_keyframes(moments, keyframes)
        known = self.streams.get(stream.id)
        beginning = self._beginnings.setdefault(stream.id, stream.wall_start)
        observations: dict[str, tuple[Observation, Row]] = {}
        for moment in moments:
            for observation in moment.observations:
                row = observation_row(observation, moment.id, beginning)
                observations[row["id"]] = observation, row
        normal = pa.Table.from_pylist([row for _, row in observations.values()], COLUMNS)
        rows = {row["id"]: row for row in normal.to_pylist()}
        # A stream has been perceived at least as far as any observation of it that is stored.
        seen = known.seconds if known else -math.inf
        perhaps = [row["id"] for row in rows.values() if row["start"] <= seen]
        for stored in rows_with(self.tables.observations, perhaps, COLUMNS.names):
            row = rows[stored["id"]]
            row["version"] = stored["version"]
            if row == stored:
                del rows[stored["id"]]
        vectors = self._vectorizer.vectors([observations[id][0] for id in rows])
        return Batch(stream, tuple(moments), dict(keyframes), rows, vectors, forgets)

    def commit(self, batches: list[Batch]) -> int:
        """Write the batches as one commit, durable on return; the version of memory after it."""
        try:
            return self._commit(batches)
        except BaseException:
            self.unsettled = True
            raise

    def _commit(self, batches: list[Batch]) -> int:
        batches = [
            b if b.forgets == self._forgets else self.prepare(b.stream, b.moments, b.keyframes)
            for b in batches
        ]
        self._write_keyframes(batches)
        rows = {
            id: (row, b.vectors[i]) for b in batches for i, (id, row) in enumerate(b.rows.items())
        }
        moments, replaced = self._moments(batches)
        streams = self._changed_streams(batches)
        # After a commit that was not sealed its rows are there; repeating it has nothing to write.
        to_seal, self._unsealed = bool(rows or moments or streams or self._unsealed), True
        self._midway.update((m.id, m.stream_id) for b in batches for m in b.moments)
        if rows:
            version = int(self.tables.observations.version) + 1
            for row, _ in rows.values():
                row["version"] = version if row["version"] == UNCOMMITTED else row["version"]
            vectors = np.stack([vector for _, vector in rows.values()])
            put(
                self.tables.observations,
                observation_batch([row for row, _ in rows.values()], vectors),
            )
        if moments:
            put(self.tables.moments, pa.Table.from_pylist(moments, MOMENTS))
        if rows:
            tables = self.tables
            given = [row for row, _ in rows.values()]
            derive(given, tables.observations, tables.facts, tables.corrections)
        if streams:
            streams_rows = [stream_row(stream) for stream in streams.values()]
            put(self.tables.streams, pa.Table.from_pylist(streams_rows, STREAMS))
        for batch in batches:
            for moment in batch.moments:
                self._midway.pop(moment.id, None)
        if to_seal:
            self._seal()
            self.streams.update(streams)
            self._note_changed(batches, moments)
            self.commits += 1
        self.unsettled = bool(self._midway)
        self._unsealed = False
        self.remove_unreferenced(replaced)
        return int(self.tables.observations.version)

    def take_written(self) -> dict[str, set[float]]:
        """By stream, where the moments start that were written since this was last called."""
        with self._noting:
            written, self._written = self._written, {}
        return written

    def note_written(self, stream_id: str, starts: set[float]) -> None:
        """Moments that start there are no longer what they were."""
        with self._noting:
            self._written.setdefault(stream_id, set()).update(starts)

    def writing(self, stream_id: str, start: float, end: float) -> bool:
        """Were moments written there, from `start` to before `end`, since `take_written`?"""
        with self._noting:
            return any(start <= at < end for at in self._written.get(stream_id, ()))

    def undo(self) -> None:
        """Take away what a commit that failed between tables has left, unless it was repeated."""
        if not self._midway:
            return
        streams = rows_with(self.tables.streams, sorted(set(self._midway.values())), ["id"])
        begun = {row["id"] for row in streams}
        held = {row["id"] for row in rows_with(self.tables.moments, sorted(self._midway), ["id"])}
        left = [id for id, stream in self._midway.items() if id not in held or stream not in begun]
        if left:
            self.undone += 1
            delete_rows(self.tables.moments, left)
            delete_rows(self.tables.observations, left, column="moment_id")
        self._midway.clear()
        self.unsettled = False

    def forgotten(self) -> None:
        """Rows went: what `prepare` compared before now has to be compared again."""
        self._forgets += 1
        self._load_streams()

    def remove_unreferenced(self, digests: set[str]) -> tuple[int, int]:
        """Remove those keyframes that no moment shows, and what models made of them; how many
        keyframes, and their bytes."""
        used = rows_with(self.tables.moments, sorted(digests), ["keyframe"], column="keyframe")
        unused = digests - {row["keyframe"] for row in used}
        if drop_vectors(self.tables.pictures, unused):
            self._seal()  # a vector is never there without its picture
        self.unshown(unused)
        freed = [self.media.remove(digest) for digest in unused]
        return sum(1 for size in freed if size), sum(freed)

    def remove_orphans(self) -> int:
        """Remove the keyframes that no moment shows, which a commit that failed or was cut off has
        written, and what models made of them; how many. What does not show them is durable before."""
        self._seal()
        there = {digest for digest, _ in self.media.sizes()}
        there |= digests_encoded(self.tables.pictures)
        shown = select(self.tables.moments, "keyframe IS NOT NULL", ["keyframe"])
        removed, _ = self.remove_unreferenced(there - {row["keyframe"] for row in shown})
        return removed

    def _check_keyframes(self, moments: Sequence[Moment], given: dict[str, bytes]) -> None:
        for moment in moments:
            digest = moment.keyframe
            if digest is None or digest in given:
                continue
            if not DIGEST.fullmatch(digest) or self.media.size(digest) is None:
                raise InvalidRequest(f"the keyframe of {moment.id[:200]!r} was not given")
        for digest, content in given.items():
            check_digest(digest, content)

    def _load_streams(self) -> None:
        self.streams = {row["id"]: stream_of(row) for row in select(self.tables.streams, None)}
        self._beginnings = {id: stream.wall_start for id, stream in self.streams.items()}

    def _write_keyframes(self, batches: list[Batch]) -> None:
        for batch in batches:
            for digest, content in batch.keyframes.items():
                self.media.write(digest, content)

    def _moments(self, batches: list[Batch]) -> tuple[list[Row], set[str]]:
        """New and changed moment rows, and the keyframes that others took the place of."""
        rows: dict[str, Row] = {}
        perhaps: list[str] = []
        for batch in batches:
            known = self.streams.get(batch.stream.id)
            for moment in batch.moments:
                row = moment_row(moment)
                if known and moment.start <= known.seconds and row["id"] not in rows:
                    perhaps.append(row["id"])
                rows[row["id"]] = _united(rows.get(row["id"]), row)
        replaced = set()
        for stored in rows_with(self.tables.moments, perhaps, MOMENTS.names):
            row = rows[stored["id"]] = _united(stored, rows[stored["id"]])
            if row == stored:
                del rows[stored["id"]]
            elif stored["keyframe"] not in (None, row["keyframe"]):
                replaced.add(stored["keyframe"])
        return list(rows.values()), replaced

    def _note_changed(self, batches: list[Batch], moments: list[Row]) -> None:
        """Moments that are new, or that hold something new."""
        changed = {row["id"] for row in moments}
        for batch in batches:
            changed.update(row["moment_id"] for row in batch.rows.values())
            starts = {moment.start for moment in batch.moments if moment.id in changed}
            self.note_written(batch.stream.id, starts)

    def _changed_streams(self, batches: list[Batch]) -> dict[str, Stream]:
        changed: dict[str, Stream] = {}
        for batch in batches:
            given = batch.stream
            known = changed.get(given.id) or self.streams.get(given.id)
            ends = [o.end for m in batch.moments for o in m.observations]
            seconds = max([given.seconds, *(m.end for m in batch.moments), *ends])
            beginning = self._beginnings.setdefault(given.id, given.wall_start)
            now = replace(given, wall_start=beginning, seconds=seconds)
            if known is not None:
                source = given.source or known.source
                now = replace(now, source=source, seconds=max(seconds, known.seconds))
            if now != known:
                changed[given.id] = now
        return changed


def _united(stored: Row | None, row: Row) -> Row:
    if stored is None:
        return row
    return {
        **row,
        "end": max(stored["end"], row["end"]),
        "keyframe": row["keyframe"] or stored["keyframe"],
    }
