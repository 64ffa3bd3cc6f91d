"""Consolidation: moments become episodes, episodes longer ones, while nothing else is to be done.

It runs beside the writer in slices, one episode level of one stream at a time, and gives it only the
rows to write. They are sealed as one: cut off, a slice leaves no trace, and is done again. What comes
late into a closed episode makes that episode and those above it anew.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from memory.compress import (
    EPSILON,
    Held,
    beside,
    compressed,
    episodes_named,
    joined,
    moments_named,
    moments_of,
    near,
    place_of,
    unit_above,
    unit_of,
)
from memory.episode_rows import (
    EPISODES,
    LOWEST,
    Placed,
    episode_of,
    episode_row,
    in_order,
    placed_of,
)
from memory.episodes import LEVELS, Limits, segments
from memory.knowledge import Knowledge
from memory.records import Episode, Quote
from memory.rewritten import carried_over
from memory.rows import delete_rows, put
from memory.strays import Strays
from memory.tables import Tables, quote, select
from memory.vectors import Vectorizer
from perception.records import Stream

Row = dict[str, Any]
Change = tuple[Episode | None, Placed]  # what was there, and what takes its place

LOOK = 1800.0  # seconds of a stream that one slice reads
QUIET = (
    1800.0  # seconds on the clock without anything new: then a stream's last episodes are closed
)
TOP = max(LEVELS)


@dataclass(slots=True)
class _Progress:
    """How far one level of a stream has come."""

    after: float = -math.inf  # start of the last moment, or episode below, that an episode holds
    looked: float = -math.inf  # stream time at the last look that closed nothing
    ended: bool = False  # what was there when the stream fell quiet has been closed


@dataclass(slots=True)
class _Followed:
    levels: dict[int, _Progress] = field(default_factory=lambda: {n: _Progress() for n in LEVELS})
    seconds: float = -1.0
    since: float = 0.0  # when `seconds` last grew, on the clock


class Consolidation:
    """`streams` gives what is remembered by id, `take_written` where the moments start that were
    written to each stream since it was last asked. `commit` makes a change, durably. One thread at
    a time, and none while rows are forgotten."""

    def __init__(
        self,
        tables: Tables,
        vectorizer: Vectorizer,
        streams: Callable[[], Mapping[str, Stream]],
        take_written: Callable[[], dict[str, set[float]]],
        commit: Callable[[Callable[[], None]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tables = tables
        self._knowledge = Knowledge(tables)
        self._vectorizer = vectorizer
        self._streams = streams
        self._take_written = take_written
        self._commit = commit
        self._clock = clock
        self._followed: dict[str, _Followed] = {}
        self._late: dict[str, set[float]] = {}
        self._strays = Strays(tables, lambda: streams().keys(), lambda id: self.reached(id)[0])
        self.reload()

    def reload(self) -> None:
        """Find out from the table how far each level has come."""
        self._followed = {}
        columns = ["stream_id", "level", "end", "alone", "children"]
        for row in select(self._tables.episodes, None, columns):
            levels = self._of(row["stream_id"]).levels
            if row["alone"]:  # what it was made of is no more: nothing begins before it ended
                last, lowest = row["end"] - 2 * EPSILON, 1
            else:
                last, lowest = max(map(place_of, row["children"])), row["level"]
            for level in range(lowest, row["level"] + 1):
                levels[level].after = max(levels[level].after, last)

    def slice(self) -> bool:
        """Do one piece of what is due; False: nothing is."""
        for stream_id, starts in self._take_written().items():
            settled = self.reached(stream_id)[0] + EPSILON
            late = {start for start in starts if start <= settled}
            if late:
                self._late.setdefault(stream_id, set()).update(late)
        if self._late:
            stream_id, starts = self._late.popitem()
            try:
                self._take_in(stream_id, starts)
            except BaseException:
                self._late.setdefault(stream_id, set()).update(starts)
                raise
            return True
        found = self._strays.look()
        if found is not None:
            stream_id, starts = found
            if starts:
                self._late.setdefault(stream_id, set()).update(starts)
            return True
        return any(self._due(stream) for stream in list(self._streams().values()))

    def reached(self, stream_id: str) -> tuple[float, bool]:
        """Up to where the stream belongs to episodes, and whether all of it does."""
        progress = self._of(stream_id).levels[1]
        return progress.after, progress.ended

    # A level of a stream

    def _of(self, stream_id: str) -> _Followed:
        return self._followed.setdefault(stream_id, _Followed())

    def _due(self, stream: Stream) -> bool:
        followed = self._of(stream.id)
        now = self._clock()
        if stream.seconds > followed.seconds:
            followed.seconds, followed.since = stream.seconds, now
            for progress in followed.levels.values():
                progress.ended = False
        quiet = now - followed.since > QUIET
        return any(self._advance(stream, level, followed.levels[level], quiet) for level in LEVELS)

    def _advance(self, stream: Stream, level: int, progress: _Progress, quiet: bool) -> bool:
        limits = LEVELS[level]
        ending = quiet and not progress.ended
        if not ending and stream.seconds < progress.looked + limits.shortest:
            return False
        closed, more = self._closed(stream, level, limits, progress.after, ending)
        if closed:
            self._write(stream, closed)
            progress.after = place_of(closed[-1].episode.children[-1])
        if not more:
            progress.looked = stream.seconds
            progress.ended = ending or progress.ended
        return bool(closed)

    def _closed(
        self, stream: Stream, level: int, limits: Limits, after: float, ending: bool
    ) -> tuple[list[Placed], bool]:
        """The episodes that can be closed now, and whether what follows was not looked at yet."""
        if level > 1:
            below = self._below(stream.id, level, after)
            spans = segments([unit_above(child) for child in below], limits, ending)
            return [joined(below[a:b], level) for a, b in spans], False
        moments, more = self._moments_after(stream.id, after)
        spans = segments([unit_of(m) for m in moments], limits, ending and not more)
        return [self._compressed(stream, moments[a:b]) for a, b in spans], more and bool(spans)

    def _moments_after(self, stream_id: str, after: float) -> tuple[list[Held], bool]:
        """As many as one slice reads, and the first beyond: it may show that a pause came before.
        Whether there are more."""
        where = f"stream_id = {quote(stream_id)} AND start > {max(after, -1.0) + EPSILON!r}"
        starts = sorted(row["start"] for row in select(self._tables.moments, where, ["start"]))
        if not starts:
            return [], False
        taken = min(bisect_right(starts, starts[0] + LOOK), len(starts) - 1)
        moments = moments_of(self._tables, stream_id, starts[0], starts[taken])
        return moments, taken + 1 < len(starts)

    def _below(self, stream_id: str, level: int, after: float) -> list[Placed]:
        where = (
            f"stream_id = {quote(stream_id)} AND level = {level - 1} "
            f"AND start > {max(after, -1.0) + EPSILON!r}"
        )
        return [placed_of(row) for row in in_order(select(self._tables.episodes, where))]

    def _compressed(
        self,
        stream: Stream,
        moments: Sequence[Held],
        kept: Sequence[Quote] = (),
        children: Sequence[str] = (),
    ) -> Placed:
        return compressed(moments, stream.wall_start, self._vectorizer, kept, children)

    # What comes late

    def _take_in(self, stream_id: str, starts: set[float]) -> None:
        """Moments that start there, in or between episodes that are closed."""
        stream = self._streams().get(stream_id)
        if stream is None:
            return
        first = min(starts)
        later = {start for start in starts if start > first + LOOK}
        if later:
            self._late[stream_id] = later
        moments = moments_of(self._tables, stream_id, first, first + LOOK)
        where = f"stream_id = {quote(stream_id)} AND {LOWEST}"
        lowest = [episode_of(row) for row in in_order(select(self._tables.episodes, where))]
        episodes = [episode for episode in lowest if not episode.alone]
        alone = [(episode.start, episode.end) for episode in lowest if episode.alone]
        late = [
            moment
            for moment in moments
            if moment.start in starts and not any(a <= moment.start < b for a, b in alone)
        ]
        changed: list[Change] = []
        for old, group in beside(episodes, late):
            changed += self._made_anew(stream, old, group)
        self._write(stream, [new for _, new in changed], [old for old, _ in changed if old])
        self._renew_above(stream, 2, changed)

    def _made_anew(self, stream: Stream, old: Episode | None, late: list[Held]) -> list[Change]:
        """The episode with what came late into it; what would stretch it too far stands by itself."""
        changed: list[Change] = []
        if old is not None:
            own = near(old, late)
            taken = {moment.id for moment in own}
            late = [moment for moment in late if moment.id not in taken]
            if own:
                known = moments_named(self._tables, old.children)
                held = {m.id: m for m in (*known, *own)}
                moments = sorted(held.values(), key=lambda m: (m.start, m.id))
                kept = [quote for quote in old.quotes if quote.outlived]
                new = self._compressed(stream, moments, kept, old.children)
                # Where a moment that was given up ended is known from the episode alone.
                longer = replace(new.episode, end=max(new.episode.end, old.end))
                changed.append((old, replace(new, episode=longer)))
        spans = segments([unit_of(moment) for moment in late], LEVELS[1], ended=True)
        return [*changed, *((None, self._compressed(stream, late[a:b])) for a, b in spans)]

    def _renew_above(self, stream: Stream, level: int, changed: list[Change]) -> None:
        """Those that hold a changed episode, or after whose start a new one comes."""
        where = f"stream_id = {quote(stream.id)} AND level = {level} AND alone IS NOT TRUE"
        rows = in_order(select(self._tables.episodes, where)) if changed and level <= TOP else []
        parents = [episode_of(row) for row in rows]
        reached = self._of(stream.id).levels[level].after + EPSILON if parents else -math.inf
        children: dict[str, set[str]] = {}
        for old, new in changed:
            holding = [p for p in parents if old is not None and old.id in p.children]
            start = new.episode.start
            if not holding and start <= reached:
                holding = [p for p in parents if p.start <= start][-1:] or parents[:1]
            for parent in holding:
                children.setdefault(parent.id, set(parent.children)).add(new.episode.id)
        renewed: list[Change] = []
        for parent in parents:
            if parent.id in children:
                ids = sorted(children[parent.id], key=place_of)
                renewed.append((parent, joined(episodes_named(self._tables, ids), level)))
        if renewed:
            self._write(stream, [new for _, new in renewed], [old for old, _ in renewed if old])
            self._renew_above(stream, level + 1, renewed)

    def _write(
        self, stream: Stream, episodes: Sequence[Placed], replaced: Sequence[Episode] = ()
    ) -> None:
        if not episodes:
            return
        table = self._tables.episodes
        gone = {old.id for old in replaced} - {new.episode.id for new in episodes}
        made = [episode_row(placed, stream.wall_start) for placed in episodes]

        def change() -> None:
            rows = carried_over(self._tables, self._knowledge, episodes, made)
            put(table, pa.Table.from_pylist(rows, EPISODES))
            delete_rows(table, gone)

        self._commit(change)
