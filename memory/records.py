"""What memory is asked and what it gives back.

Times are seconds on a stream unless their name says `wall`; scores grow with relevance and are
only comparable within one result list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from perception.records import Kind, Moment, Observation, Stream, milliseconds


@dataclass(frozen=True, slots=True)
class Query:
    """A search. Every filter that is None does not filter."""

    text: str
    limit: int = 10
    stream_id: str | None = None
    start: float | None = None  # observations that end at or after this
    end: float | None = None  # observations that start at or before this
    kinds: tuple[Kind, ...] = ()
    roles: tuple[str, ...] = ()  # empty: every role
    before: float | None = None  # the stream as it stood at this stream time: what ended by then


@dataclass(frozen=True, slots=True)
class Hit:
    """One observation found. `coverage` is the share of the query's weighted words it holds, [0, 1];
    `similarity` the cosine of its vector with the query's, [-1, 1]."""

    observation: Observation
    moment_id: str
    score: float
    similarity: float
    coverage: float
    wall_start: datetime  # of its stream
    keyframe: str | None
    outlived: bool = False  # the observation was given up; an episode kept this quote of it


@dataclass(frozen=True, slots=True)
class Quote:
    """What an episode keeps of one observation. `outlived`: the observation itself was given up."""

    id: str  # of the observation; a long text is cut in the quote
    observation: Observation
    moment_id: str
    outlived: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """Many moments compressed: level 1 holds minutes, 2 hours, 3 days. `quotes` and `keyframes`
    (SHA-256) are best first; `children` are ids of moments at level 1, of episodes above."""

    stream_id: str
    level: int
    start: float
    end: float
    wall_start: datetime  # of its stream
    text: str  # the summary
    quotes: tuple[Quote, ...]
    keyframes: tuple[str, ...]
    children: tuple[str, ...]
    moments: int
    written: Literal["extract", "model"] = "extract"

    @property
    def id(self) -> str:
        """Deterministic: its stream, its level and where it starts."""
        return f"{self.stream_id}:e{self.level}:{milliseconds(self.start):010d}"


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A span of a stream of which `count` observations of a kind are no longer kept."""

    stream_id: str
    start: float
    end: float
    kind: Kind
    count: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The version of memory an answer is given from, and how far its stream had come (seconds)."""

    version: int
    stream_time: float | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What to forget. Fields that are given all have to match; an empty selection is refused."""

    stream_id: str | None = None
    start: float | None = None
    end: float | None = None
    moment_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeletionReceipt:
    """What went, counted; `bytes` of the files that are no more; `version` of the memory after."""

    moments: int
    observations: int
    keyframes: int
    streams: int
    bytes: int
    version: int
    episodes: int = 0  # made anew without it, or gone with it


@dataclass(frozen=True, slots=True)
class Stats:
    """What is remembered, in counts and bytes on disk."""

    streams: int
    moments: int
    observations: int
    keyframes: int
    table_bytes: int
    media_bytes: int
    version: int
    schema: int
    fragments: int
    unindexed_rows: int
    ledger: dict[str, Any] = field(default_factory=dict)


class Memory(Protocol):
    """Everything the rest of Lookback asks of memory. Blocking; safe to call from many threads."""

    def remember(
        self, stream: Stream, moments: Sequence[Moment], keyframes: dict[str, bytes]
    ) -> int:
        """Store moments whole, durably on return; idempotent. Returns the new version.
        `keyframes` maps SHA-256 to encoded picture."""
        ...

    def search(self, query: Query) -> list[Hit]: ...
    def neighbours(self, observation: Observation, seconds: float) -> list[Observation]: ...
    def streams(self) -> list[Stream]: ...
    def timeline(
        self, stream_id: str, start: float | None = None, end: float | None = None
    ) -> list[Moment]: ...
    def episodes(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        level: int = 1,
    ) -> list[Episode]: ...
    def dropped(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        text: str = "",
    ) -> list[GivenUp]: ...
    def pin(self, moment_ids: Sequence[str], pinned: bool = True) -> None: ...
    def moment(self, moment_id: str) -> Moment: ...
    def keyframe(self, moment_id: str) -> bytes: ...
    def forget(self, what: Selection) -> DeletionReceipt: ...
    def snapshot(self, stream_id: str | None = None) -> Snapshot: ...
    def stats(self) -> Stats: ...


class MemoryReader(Protocol):
    """What reasoning needs of memory, awaitable: the deployment's handle, or a local store in a thread."""

    async def search(self, query: Query) -> list[Hit]: ...
    async def neighbours(self, observation: Observation, seconds: float) -> list[Observation]: ...
    async def streams(self) -> list[Stream]: ...
    async def timeline(
        self, stream_id: str, start: float | None = None, end: float | None = None
    ) -> list[Moment]: ...
    async def episodes(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        level: int = 1,
    ) -> list[Episode]: ...
    async def dropped(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        text: str = "",
    ) -> list[GivenUp]: ...
    async def snapshot(self, stream_id: str | None = None) -> Snapshot: ...
