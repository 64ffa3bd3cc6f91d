"""Levels that outlive each other: of old hours only what says the most in the least bytes stays.

Once every observation of an hour has gone, its episode can take the place of those of its minutes,
and a day's the place of those of its hours. Such an episode stands alone: it keeps its summary, its
quotes and one picture, and nothing that it stands for is taken in again. Facts that no longer hold
go with the minutes, the others with the hours. The ledger counts what went, and counts a day as one
once nothing shorter is left of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from memory.budget import EPISODE_BYTES, FACT_BYTES
from memory.episode_rows import EPISODES
from memory.knowledge import Knowledge
from memory.ledger import DAY, HOUR, Entry, Ledger
from memory.rows import delete_rows, put
from memory.tables import Tables, quote, select

Row = dict[str, Any]
Hours = Mapping[tuple[str, int], Row]

LONGER = 8.0  # times as long as what it was made of, an episode is worth keeping


@dataclass(frozen=True, slots=True)
class Standing:
    """An episode that could stand alone. `hours`: what the ledger says of those that it overlaps."""

    id: str
    stream_id: str
    level: int
    start: float
    end: float
    hours: tuple[Row, ...]

    @property
    def salience(self) -> float:
        return math.fsum(row["salience"] for row in self.hours) / len(self.hours)

    @property
    def longer(self) -> float:
        """By how much what it stands for outlives observations."""
        return math.pow(LONGER, self.level - 1)


class Levels:
    """Reads beside the writer. `commit` makes a change of a span of a stream, durably, unless moments
    were written to it meanwhile; `changed` is called when rows have gone."""

    def __init__(
        self,
        tables: Tables,
        ledger: Ledger,
        knowledge: Knowledge,
        commit: Callable[[str, float, float, Callable[[], None], Callable[[], None]], None],
        changed: Callable[[], None],
    ) -> None:
        self._tables = tables
        self._ledger = ledger
        self._knowledge = knowledge
        self._commit = commit
        self._changed = changed

    def ready(self) -> list[Standing]:
        """Episodes of hours of which no observation is kept, and of days of which no hours' is."""
        hours = self._ledger.hours()
        last: dict[str, int] = {}
        for stream_id, hour in hours:
            last[stream_id] = max(hour, last.get(stream_id, hour))
        columns = ["id", "stream_id", "level", "start", "end", "children"]
        rows = select(self._tables.episodes, "level > 1 AND alone IS NOT TRUE", columns)
        alone = {r["id"] for r in select(self._tables.episodes, "level = 2 AND alone", ["id"])}
        found = []
        for row in rows:
            held = self._accounted(row, hours, last.get(row["stream_id"], -1))
            empty = held and not any(one["kept_observations"] for one in held)
            if empty and (row["level"] == 2 or alone.issuperset(row["children"])):
                place = (row["stream_id"], row["level"], row["start"], row["end"])
                found.append(Standing(row["id"], *place, tuple(held)))
        return found

    def stand(self, one: Standing) -> bool:
        """Let the episode stand alone, in place of those that it was made of; False: it has to wait,
        as something that it holds is still kept."""
        rows = select(self._tables.episodes, f"id = {quote(one.id)}")
        where = f"stream_id = {quote(one.stream_id)}"
        within = f"{where} AND start >= {one.start!r} AND start < {one.end!r}"
        kept = not rows or not all(quoted["outlived"] for quoted in rows[0]["quotes"])
        if kept or self._tables.observations.count_rows(within):
            return False
        children = rows[0]["children"]
        shown = {r["keyframe"] for r in select(self._tables.moments, within, ["keyframe"])}
        picture = [digest for digest in rows[0]["keyframes"] if digest in shown][:1]
        row = {**rows[0], "alone": True, "children": [], "keyframes": picture}
        facts = {fact["id"] for fact in select(self._tables.facts, within, ["id"])}
        if one.level == 2:
            facts &= self._knowledge.superseded(one.stream_id)
        minutes = select(self._tables.episodes, f"{where} AND level = 1", ["id", "start", "end"])
        minutes = [m for m in minutes if m["id"] not in children]

        def change() -> None:
            put(self._tables.episodes, pa.Table.from_pylist([row], EPISODES))
            delete_rows(self._tables.episodes, children)
            delete_rows(self._tables.facts, facts)
            self._account(one, minutes, len(children), len(facts))

        def after() -> None:
            self._ledger.reload()
            self._changed()

        self._commit(one.stream_id, one.start, one.end, change, after)
        return True

    def _accounted(self, episode: Row, hours: Hours, last: int) -> list[Row]:
        """The ledger's rows of the hours that the episode overlaps; none, if one is still open. Of
        an hour without moments there is none."""
        if int(episode["end"] // HOUR) > last:
            return []
        first = self._ledger.first
        keys = {
            (episode["stream_id"], first(episode["stream_id"], hour))
            for hour in range(int(episode["start"] // HOUR), int(episode["end"] // HOUR) + 1)
        }
        return [hours[key] for key in sorted(keys) if key in hours]

    def _account(self, one: Standing, minutes: Sequence[Row], episodes: int, facts: int) -> None:
        """On the writer's thread. `minutes`: the stream's shortest episodes that are left."""
        for number, row in enumerate(one.hours):
            entry: Entry = self._ledger.entry(one.stream_id, row["hour"])
            if number == 0:
                entry.counts["outlived_episodes"] += episodes
                entry.counts["outlived_facts"] += facts
                entry.counts["outlived_bytes"] += episodes * EPISODE_BYTES + facts * FACT_BYTES
            if not _any_within(minutes, row["hour"], row["hours"]):
                entry.gone = {}  # nothing of it is taken in again anyway
            self._ledger.write(entry)
        hours = self._ledger.hours()
        for day in sorted({row["hour"] - row["hour"] % DAY for row in one.hours}):
            own = [row for key, row in hours.items() if _of_day(key, one.stream_id, day)]
            over = any(id == one.stream_id and hour >= day + DAY for id, hour in hours)
            empty = not any(row["kept_observations"] for row in own)
            if over and empty and len(own) > 1 and not _any_within(minutes, day, DAY):
                self._ledger.write_day(one.stream_id, day)


def _of_day(key: tuple[str, int], stream_id: str, day: int) -> bool:
    return key[0] == stream_id and day <= key[1] < day + DAY


def _any_within(episodes: Sequence[Row], hour: int, hours: int) -> bool:
    begin, end = hour * HOUR, (hour + hours) * HOUR
    return any(one["end"] >= begin and one["start"] < end for one in episodes)
