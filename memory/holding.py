"""Holding memory to its bytes: hours that weigh too much give up what is least missed.

An hour is looked at once all of it belongs to episodes and the stream is `GRACE` past it. Budget
and ledger, rows and episodes change in one commit; keyframes are removed after it, from a list that
outlives a crash. A budget for the whole store halves the hours that are least worth their age; once
they are empty, longer episodes take the place of shorter ones (`levels.py`).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from memory.errors import KeyframeNotFound, KeyframeTorn
from memory.giving import Contents, Giving
from memory.ledger import HOUR, Ledger
from memory.levels import Levels, Standing
from memory.likeness import Hash, difference_hash
from memory.place import Place
from memory.remember import Remembering
from memory.tables import Tables
from perception.records import Stream

Row = dict[str, Any]

MEGABYTE = 1_000_000
GRACE = 600.0  # seconds of a stream that are never touched
HASHED_AT_ONCE = 8  # keyframes in one slice; decoding one takes about 5 ms
REMOVED_AT_ONCE = 16  # files in one slice
TOTAL_EVERY = 60.0  # seconds between looks at the whole store
LEAST = 64_000  # bytes of an hour; below, halving it again is not worth a slice
LEAVING = "leaving.json"  # keyframes to be removed: found on opening, that is finished


@dataclass(slots=True)
class _Work:
    """An hour that has to become smaller."""

    stream_id: str
    hour: int
    target: int
    unseen: list[str]  # keyframes whose hash is not known yet
    showing: bool  # a picture that stands for an hour or a day stays
    hashes: dict[str, Hash | None] = field(default_factory=dict)


class Holding:
    """`settled` says up to where a stream belongs to episodes, and whether it has ended. Budgets
    are in bytes, None: without bound. `on_writer` runs between two commits. One thread at a time,
    and none while rows are forgotten."""

    def __init__(
        self,
        tables: Tables,
        place: Place,
        remembering: Remembering,
        ledger: Ledger,
        giving: Giving,
        levels: Levels,
        settled: Callable[[str], tuple[float, bool]],
        per_hour: int | None,
        total: int | None,
        on_writer: Callable[[Callable[[], Any]], Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tables = tables
        self._place = place
        self._remembering = remembering
        self._ledger = ledger
        self._giving = giving
        self._levels = levels
        self._settled = settled
        self.per_hour = per_hour
        self.total = total
        self._on_writer = on_writer
        self._clock = clock
        self._work: _Work | None = None
        self._open: dict[str, int] = {}  # the first hour of each stream that is not accounted for
        self._dirty: set[tuple[str, int]] = set()
        self._spent: set[tuple[str, int]] = set()  # hours with nothing left to give
        self._waiting: set[str] = set()  # episodes that cannot stand alone yet
        self._weighed = -math.inf  # when the whole store was last looked at
        self._leaving: list[str] = self._unfinished()

    def slice(self) -> bool:
        """Do one piece of what is due; False: nothing is."""
        if self._leaving:
            self._remove()
            return True
        if self._work is None:
            return self._look()
        if self._work.unseen:
            self._hash(self._work)
            return True
        work = self._work
        before = self._ledger.hours().get((work.stream_id, work.hour))
        self._give(work)
        self._work = None
        after = self._ledger.hours().get((work.stream_id, work.hour))
        if before and after and after["kept_bytes"] > 0.9 * before["kept_bytes"]:
            self._spent.add((work.stream_id, work.hour))
        return True

    def touched(self, stream_id: str, starts: set[float]) -> None:
        """Moments were written there: their hours are accounted for anew."""
        hours = self._ledger.hours()
        self._waiting.clear()
        for key in {self._key(stream_id, start) for start in starts}:
            if key in hours:
                self._dirty.add(key)
                self._spent.discard(key)

    def reload(self) -> None:
        """Rows have gone."""
        self._work = None
        self._open = {}
        self._waiting.clear()

    # What is due

    def _look(self) -> bool:
        for key in sorted(self._dirty):
            stream = self._remembering.streams.get(key[0])
            if stream is None or self._ready(stream, key[1]):
                if stream is not None:
                    self._weigh(stream, key[1])
                self._dirty.discard(key)
                return True
        hours = self._ledger.hours()
        for stream in list(self._remembering.streams.values()):
            hour = self._first_open(stream, hours)
            if hour is not None:
                self._weigh(stream, hour)
                self._open[stream.id] = hour + 1
                return True
        return self._look_at_all()

    def _first_open(self, stream: Stream, hours: Mapping[tuple[str, int], Row]) -> int | None:
        hour = self._open.get(stream.id, 0)
        while self._ready(stream, hour):
            row = hours.get((stream.id, self._ledger.first(stream.id, hour)))
            if row is None or row["held_to"] < 0 or _looser(row["held_to"], self.per_hour):
                return hour
            hour += 1
        self._open[stream.id] = hour
        return None

    def _ready(self, stream: Stream, hour: int) -> bool:
        """Is the hour over, and does all of it belong to episodes?"""
        after, ended = self._settled(stream.id)
        if ended:
            return hour * HOUR <= stream.seconds
        return min(stream.seconds - GRACE, after) >= (hour + 1) * HOUR

    def _weigh(self, stream: Stream, hour: int) -> None:
        contents = self._giving.contents(stream.id, self._ledger.first(stream.id, hour))
        if contents is None:
            return
        target = self.per_hour
        if target is None or contents.bytes <= target:
            self._giving.account(contents, target)
            return
        self._begin(contents, target)

    def _begin(self, contents: Contents, target: int, showing: bool = False) -> None:
        unseen = list(dict.fromkeys(picture.digest for picture in contents.pictures))
        self._work = _Work(contents.stream_id, contents.hour, target, unseen, showing)

    def _look_at_all(self) -> bool:
        """Where the store as a whole is too large, half of the least worthy hour is due, or that an
        episode stands alone."""
        if self.total is None or self._clock() - self._weighed < TOTAL_EVERY:
            return False
        hours = self._ledger.hours()
        open_rows = self._tables.observations.count_rows() - sum(
            row["kept_observations"] for row in hours.values()
        )
        kept = sum(row["kept_bytes"] for row in hours.values())
        kept += self._giving.unaccounted(open_rows, hours)
        least = self._least(hours) if kept > self.total else None
        if least is None:
            self._weighed = self._clock()
            return False
        if isinstance(least, Standing):
            self._stand(least)
        else:
            self._halve(least, kept - self.total)
        return True

    def _least(self, hours: Mapping[tuple[str, int], Row]) -> tuple[str, int] | Standing | None:
        """The hour that is least worth its bytes, or the episode whose parts are."""
        streams = self._remembering.streams
        now = max((s.wall_start.timestamp() + s.seconds for s in list(streams.values())), default=0)
        worth = [
            (self._worth(now, key[0], key[1] * HOUR, row["salience"]), key)
            for key, row in hours.items()
            if key not in self._spent and row["kept_bytes"] > 0
        ]
        standing = [
            (self._worth(now, one.stream_id, one.end, one.salience) * one.longer, one.id, one)
            for one in self._levels.ready()
            if one.id not in self._waiting
        ]
        hour, one = min(worth, default=None), min(standing, default=None, key=lambda s: s[:2])
        if one is not None and (hour is None or one[0] < hour[0]):
            return one[2]
        return None if hour is None else hour[1]

    def _halve(self, key: tuple[str, int], over: int) -> None:
        contents = self._giving.contents(*key)
        if contents is None:
            self._spent.add(key)
            return
        half = contents.bytes // 2 if contents.bytes > LEAST else 0
        self._begin(contents, max(half, contents.bytes - over) if half else 0, showing=True)

    def _stand(self, one: Standing) -> None:
        if self._levels.stand(one):
            # The pictures of those that it stands for may go now.
            self._spent -= {(one.stream_id, row["hour"]) for row in one.hours}
        else:
            self._waiting.add(one.id)

    def _worth(self, now: float, stream_id: str, at: float, salience: float) -> float:
        """What is oldest and least salient goes first."""
        streams = self._remembering.streams
        began = streams[stream_id].wall_start.timestamp() if stream_id in streams else 0.0
        age = max(0.0, now - began - at) / HOUR
        return float((0.1 + salience) / (1.0 + age))

    def _key(self, stream_id: str, start: float) -> tuple[str, int]:
        return stream_id, self._ledger.first(stream_id, int(start // HOUR))

    # Pieces of work

    def _hash(self, work: _Work) -> None:
        now, work.unseen = work.unseen[:HASHED_AT_ONCE], work.unseen[HASHED_AT_ONCE:]
        for digest in now:
            try:
                work.hashes[digest] = difference_hash(self._place.media.read(digest))
            except (KeyframeNotFound, KeyframeTorn):
                work.hashes[digest] = None  # nothing to compare; it can still be dropped

    def _give(self, work: _Work) -> None:
        place = work.stream_id, work.hour
        contents = self._giving.contents(*place, work.hashes, work.showing)
        if contents is None:
            return
        leaving = self._giving.give(contents, work.target, self._list_leaving)
        self._leaving = sorted(leaving)

    def _list_leaving(self, digests: set[str]) -> None:
        self._place.write(LEAVING, json.dumps(sorted(digests)).encode())

    def _remove(self) -> None:
        now = set(islice(self._leaving, REMOVED_AT_ONCE))
        self._on_writer(lambda: self._remembering.remove_unreferenced(now))
        self._leaving = self._leaving[REMOVED_AT_ONCE:]
        if not self._leaving:
            self._place.remove(LEAVING)

    def _unfinished(self) -> list[str]:
        content = self._place.read(LEAVING)
        return [] if content is None else list(json.loads(content))


def _looser(held_to: int, per_hour: int | None) -> bool:
    return per_hour is not None and held_to > per_hour


def budget_bytes(megabytes: float | None) -> int | None:
    """Of a setting in MB; None: without bound."""
    return None if megabytes is None else int(megabytes * MEGABYTE)
