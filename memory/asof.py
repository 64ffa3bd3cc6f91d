"""Memory as it stood: a reader that sees only what was committed, and had happened, by then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from memory.records import Correction, Episode, Fact, GivenUp, Hit, MemoryReader, Query, Snapshot
from perception.records import Moment, Observation, Stream


class AsOf:
    """A `MemoryReader` over another one.

    `version`: what had been committed by that version. `wall`: what had ended by that time on the
    wall clock, in every stream by its own beginning; a recording that was replayed later happened
    when it was recorded. Keyframes of moments that were still going on are not shown.
    """

    def __init__(self, memory: MemoryReader, version: int, wall: datetime | None = None) -> None:
        self._memory = memory
        self._version = version
        self._wall = wall
        self._beginnings: dict[str, datetime] = {}

    async def search(self, query: Query) -> list[Hit]:
        return await self._memory.search(
            replace(query, version=self._version, before_wall=self._wall)
        )

    async def neighbours(
        self, observations: Sequence[Observation], seconds: float, version: int | None = None
    ) -> list[list[Observation]]:
        found = await self._memory.neighbours(observations, seconds, self._version)
        kept = []
        for one, near in zip(observations, found, strict=True):
            ended = await self._ended(one.stream_id)
            kept.append([o for o in near if ended is None or o.end <= ended])
        return kept

    async def streams(self, version: int | None = None) -> list[Stream]:
        streams = await self._memory.streams(self._version)
        self._beginnings = {stream.id: stream.wall_start for stream in streams}
        if self._wall is None:
            return streams
        begun = [stream for stream in streams if stream.wall_start <= self._wall]
        return [
            replace(s, seconds=min(s.seconds, (self._wall - s.wall_start).total_seconds()))
            for s in begun
        ]

    async def timeline(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        version: int | None = None,
    ) -> list[Moment]:
        moments = await self._memory.timeline(stream_id, start, end, self._version)
        ended = await self._ended(stream_id)
        if ended is None:
            return moments
        held = [(m, tuple(o for o in m.observations if o.end <= ended)) for m in moments]
        return [
            replace(m, observations=seen, keyframe=m.keyframe if m.end <= ended else None)
            for m, seen in held
            if seen or m.end <= ended
        ]

    async def episodes(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        level: int = 1,
    ) -> list[Episode]:
        """Those that had ended, where the stream had come so far."""
        found = await self._memory.episodes(stream_id, start, end, level)
        reached = {stream.id: stream.seconds for stream in await self.streams()}
        return [e for e in found if e.end <= reached.get(stream_id, -1.0)]

    async def dropped(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        text: str = "",
    ) -> list[GivenUp]:
        """Of what had ended by then, what is no longer kept now."""
        found = await self._memory.dropped(stream_id, start, end, text)
        ended = await self._ended(stream_id)
        return found if ended is None else [span for span in found if span.end <= ended]

    async def facts(
        self,
        subject: str | None = None,
        stream_id: str | None = None,
        at: float | None = None,
        history: bool = False,
    ) -> list[Fact]:
        """Of them all: the observation that one rests on may not be seen here yet."""
        return await self._memory.facts(subject, stream_id, at, history)

    async def corrections(self, stream_id: str | None = None) -> list[Correction]:
        return await self._memory.corrections(stream_id)

    async def snapshot(self, stream_id: str | None = None) -> Snapshot:
        return replace(await self._memory.snapshot(stream_id), version=self._version)

    async def _ended(self, stream_id: str) -> float | None:
        """The stream's second up to which it is seen; None: all of it."""
        if self._wall is None:
            return None
        if stream_id not in self._beginnings:
            await self.streams()
        began = self._beginnings.get(stream_id, self._wall + timedelta(seconds=1))
        return (self._wall - began).total_seconds()
