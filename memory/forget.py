"""Forgetting for good. Runs on the writer's thread; on return no file holds what was forgotten."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

import pyarrow as pa

from memory.errors import InvalidRequest, MomentNotFound, StreamNotFound
from memory.place import Place
from memory.records import DeletionReceipt, Selection
from memory.remember import Remembering
from memory.resting import Resting
from memory.rows import delete_rows, replace_rows, rows_with
from memory.tables import MOMENTS, Tables, any_of, quote, select

Row = dict[str, Any]
# There while a deletion is under way: found on opening, what it began is finished.
UNFINISHED = "forgetting"


class Forgetting:
    """Made before the writer starts: it first finishes a deletion that was cut off."""

    def __init__(
        self,
        tables: Tables,
        place: Place,
        purge: Callable[[], None],
        remembering: Remembering,
        resting: Resting,
    ) -> None:
        self.tables = tables
        self._place = place
        self._purge = purge
        self._remembering = remembering
        self._resting = resting
        if place.read(UNFINISHED) is not None:
            remembering.remove_orphans()
            self._finish()

    def forget(self, what: Selection) -> DeletionReceipt:
        """Moments that lose some of what they hold stay with the rest, without their picture,
        which may show what was to go."""
        _check(what)
        self._check_known(what)
        where = _where(what)
        held = select(self.tables.observations, where, ["id", "moment_id", "stream_id"])
        moments = self._touched(what, held)
        kept = {} if _whole(what) else self._keeping(moments, {row["id"] for row in held})
        gone = [row for id, row in moments.items() if id not in kept]
        if not held and not moments and what.stream_id is None and not self._rests(what):
            raise MomentNotFound("none of these moments is remembered")
        before = self._place.bytes()
        self._place.write(UNFINISHED, b"")
        self._delete(what, gone, kept, held)
        episodes = self._delete_resting(what, moments.keys(), {row["id"] for row in gone})
        streams = self._delete_streams(what, {row["stream_id"] for row in (*held, *gone)})
        removed = self._remembering.remove_orphans()
        self._finish()
        return DeletionReceipt(
            moments=len(gone),
            observations=len(held),
            keyframes=removed,
            streams=streams,
            bytes=max(0, before - self._place.bytes()),
            version=int(self.tables.observations.version),
            episodes=episodes,
        )

    def _check_known(self, what: Selection) -> None:
        if what.stream_id is None:
            return
        is_stream = f"id = {quote(what.stream_id)}"
        if not select(self.tables.streams, is_stream, ["id"]):
            raise StreamNotFound(f"no stream {what.stream_id[:200]!r} is remembered")

    def _rests(self, what: Selection) -> bool:
        """Does anything still hold what is selected, though no moment does?"""
        known = (self.tables.facts, self.tables.corrections)
        return self._resting.rests(what) or any(t.count_rows(_where(what)) for t in known)

    def _touched(self, what: Selection, held: list[Row]) -> dict[str, Row]:
        """By id, the moments that the selection overlaps or that hold what it takes."""
        where = _where(what, moment_column="id")
        moments = {row["id"]: row for row in select(self.tables.moments, where)}
        others = sorted({row["moment_id"] for row in held} - moments.keys())
        moments.update((row["id"], row) for row in rows_with(self.tables.moments, others))
        return moments

    def _keeping(self, moments: dict[str, Row], going: set[str]) -> dict[str, Row]:
        """Those of the moments that keep an observation, as they will be."""
        kept: dict[str, Row] = {}
        columns = ["id", "moment_id"]
        for row in rows_with(self.tables.observations, moments, columns, column="moment_id"):
            if row["id"] not in going:
                kept[row["moment_id"]] = {**moments[row["moment_id"]], "keyframe": None}
        return kept

    def _delete(
        self, what: Selection, gone: list[Row], kept: dict[str, Row], held: list[Row]
    ) -> None:
        """Moments first: nobody is to see one without what it held."""
        if _whole(what):
            self.tables.moments.delete(_where(what))
        else:
            delete_rows(self.tables.moments, (row["id"] for row in gone))
        if kept:
            rows = pa.Table.from_pylist(list(kept.values()), MOMENTS)
            replace_rows(self.tables.moments, rows)
        self._delete_known(what, [row["id"] for row in held])
        if held:
            self.tables.observations.delete(_where(what))

    def _delete_resting(
        self, what: Selection, touched: Collection[str], gone: Collection[str]
    ) -> int:
        if _whole(what) and what.stream_id is not None:
            return self._resting.forget_stream(what.stream_id)
        return self._resting.forget(what, touched, gone)

    def _delete_known(self, what: Selection, ids: list[str]) -> None:
        """What followed from the observations, and corrections that quote a word of theirs."""
        self.tables.facts.delete(_where(what))
        self.tables.corrections.delete(_where(what))
        delete_rows(self.tables.corrections, ids, column="heard_in")

    def _delete_streams(self, what: Selection, touched: set[str]) -> int:
        """A stream of which nothing is left goes too: its name and its time are memories."""
        if _whole(what) and what.stream_id is not None:
            touched = touched | {what.stream_id}
        empty = [
            id
            for id in sorted(touched)
            if not self.tables.moments.count_rows(f"stream_id = {quote(id)}")
            and not self.tables.observations.count_rows(f"stream_id = {quote(id)}")
            and not self.tables.episodes.count_rows(f"stream_id = {quote(id)}")
        ]
        if empty:
            self.tables.streams.delete(any_of("id", empty))
            for id in empty:
                self._resting.forget_stream(id)
        return len(empty)

    def _finish(self) -> None:
        self._purge()
        self._remembering.forgotten()
        self._resting.reload()
        self._place.remove(UNFINISHED)


def _whole(what: Selection) -> bool:
    return what.start is None and what.end is None and not what.moment_ids


def _where(what: Selection, moment_column: str = "moment_id") -> str:
    """A span takes what overlaps it, and what is only an instant within it."""
    clauses = []
    if what.stream_id is not None:
        clauses.append(f"stream_id = {quote(what.stream_id)}")
    if what.moment_ids:
        clauses.append(any_of(moment_column, what.moment_ids))
    if what.start is not None:
        clauses.append(f"(`end` > {float(what.start)!r} OR start >= {float(what.start)!r})")
    if what.end is not None:
        clauses.append(f"(start < {float(what.end)!r} OR `end` <= {float(what.end)!r})")
    return " AND ".join(clauses)


def _check(what: Selection) -> None:
    if what.stream_id is None and not what.moment_ids:
        if what.start is None and what.end is None:
            raise InvalidRequest("say what to forget: a stream, a span of one, or moments")
        raise InvalidRequest("a span counts from its stream's start: say which stream_id")
    bounds = [bound for bound in (what.start, what.end) if bound is not None]
    if not all(math.isfinite(bound) for bound in bounds):
        raise InvalidRequest("a span's bounds must be finite numbers of seconds")
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        raise InvalidRequest(f"a span must run forward, not from {bounds[0]} to {bounds[1]}")
