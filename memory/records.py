"""What memory is asked and what it gives back.

Times are seconds on a stream unless their name says `wall`; scores grow with relevance and are
only comparable within one result list.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

# What memory holds is what perception gave: who reads memory takes these records from here.
from perception.records import Kind as Kind
from perception.records import Moment as Moment
from perception.records import Observation as Observation
from perception.records import Role as Role
from perception.records import Stream as Stream
from perception.records import milliseconds

FOREVER = 1e12  # seconds


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
    stream_ids: tuple[str, ...] = ()  # any of these; empty: every stream
    before: float | None = None  # the stream as it stood at this stream time: what ended by then
    before_wall: datetime | None = None  # every stream as it stood at this time on the wall clock
    version: int | None = None  # memory as it stood at this version: what had been committed


@dataclass(frozen=True, slots=True)
class Uncaptioned:
    """A moment whose keyframe (SHA-256) has no caption yet."""

    moment_id: str
    keyframe: str


@dataclass(frozen=True, slots=True)
class Unwritten:
    """An episode that no model has put in words yet. `quotes` are what there is to tell, best first,
    put right by corrections; `material` stands for just these."""

    episode_id: str
    level: int
    quotes: tuple[Quote, ...]
    material: str


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
    corrected: str | None = None  # its text as a speaker corrected it later, if one did
    outlived: bool = False  # the observation was given up; an episode kept this quote of it
    likeness: float | None = None  # the picture's cosine with the query, where it was found by that


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
    (SHA-256) are best first; `children` are ids of moments at level 1, of episodes above.
    `written` says by whom what people read was: "extract", or the model that `rewritten` is by.
    `alone`: what it was made of is no more, and it stands for the levels below too."""

    stream_id: str
    level: int
    start: float
    end: float
    wall_start: datetime  # of its stream
    text: str  # the summary, made of quotes
    quotes: tuple[Quote, ...]
    keyframes: tuple[str, ...]
    children: tuple[str, ...]
    moments: int
    written: str = "extract"
    rewritten: str | None = None  # the summary in a model's words
    alone: bool = False

    @property
    def id(self) -> str:
        """Deterministic: its stream, its level and where it starts."""
        return f"{self.stream_id}:e{self.level}:{milliseconds(self.start):010d}"

    @property
    def told(self) -> str:
        """The summary that people read."""
        return self.text if self.rewritten is None else self.rewritten


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A span of a stream of which `count` observations of a kind are no longer kept."""

    stream_id: str
    start: float
    end: float
    kind: Kind
    count: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement drawn from one observation: `subject` `attribute` `value` ("kettle", "place", "in
    the pantry"), so from `valid_from` (seconds on its stream) until `superseded_by`, the id of the
    fact that contradicts it next. `text` is the sentence it was drawn from."""

    id: str
    stream_id: str
    moment_id: str
    observation_id: str
    subject: str
    attribute: str
    value: str
    text: str
    confidence: float  # [0, 1]
    valid_from: float
    wall: datetime
    superseded_by: str | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """In its stream, `wrong` stands for `right` in what starts from `since` to `until` (seconds).
    `target`: only in this observation. `text` is what the speaker said to correct it."""

    id: str
    stream_id: str
    moment_id: str
    observation_id: str
    wrong: str
    right: str
    text: str
    since: float = 0.0
    until: float = FOREVER
    target: str | None = None

    def applies(self, id: str, stream_id: str, start: float) -> bool:
        """Does it stand for what that observation says? What corrects is not itself corrected."""
        if stream_id != self.stream_id or id == self.observation_id:
            return False
        return id == self.target if self.target else self.since <= start <= self.until


def put_right(
    corrections: Iterable[Correction], id: str, stream_id: str, start: float, text: str
) -> str | None:
    """An observation's text with every wrong word corrected, whole words only; None: none was."""
    said = text
    for correction in corrections:
        if correction.wrong and correction.applies(id, stream_id, start):
            pattern = rf"(?<!\w){re.escape(correction.wrong)}(?!\w)"
            flags = re.NOFLAG if correction.wrong[:1].isupper() else re.IGNORECASE
            said = re.sub(pattern, correction.right.replace("\\", r"\\"), said, flags=flags)
    return None if said == text else said


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The version of memory an answer is given from, and how far its stream had come (seconds).

    A version counts commits. Each observation carries the one that first held it, so memory can be
    asked as of any version from one table, for as long as it keeps the observations; Lance's own
    old versions of the tables need not be kept for that, and go once no read is under way on them.
    Keeping them instead would hold every deleted row and every compacted file. What is forgotten is
    therefore forgotten at every version."""

    version: int
    stream_time: float | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What to forget. Fields that are given all have to match; an empty selection is refused.
    `entity`: every moment that names this person, place or thing, as heard or as corrected; only
    with `stream_id` or alone."""

    stream_id: str | None = None
    start: float | None = None
    end: float | None = None
    moment_ids: tuple[str, ...] = ()
    entity: str | None = None


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
    def neighbours(
        self, observations: Sequence[Observation], seconds: float, version: int | None = None
    ) -> list[list[Observation]]: ...
    def streams(self, version: int | None = None) -> list[Stream]: ...
    def timeline(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        version: int | None = None,
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
    def pinned(self, moment_ids: Sequence[str]) -> set[str]: ...
    def showing(self, stream_id: str, keyframes: Collection[str]) -> dict[str, str]: ...
    def moment(self, moment_id: str) -> Moment: ...
    def keyframe(self, moment_id: str) -> bytes: ...
    def forget(self, what: Selection) -> DeletionReceipt: ...
    def rows(self, stream_id: str) -> dict[str, bytes]: ...
    def add_rows(self, stream_id: str, tables: dict[str, bytes]) -> int: ...
    def facts(
        self,
        subject: str | None = None,
        stream_id: str | None = None,
        at: float | None = None,
        history: bool = False,
    ) -> list[Fact]: ...
    def corrections(self, stream_id: str | None = None) -> list[Correction]: ...
    def snapshot(self, stream_id: str | None = None) -> Snapshot: ...
    def stats(self) -> Stats: ...


class MemoryReader(Protocol):
    """What reasoning needs of memory, awaitable: the deployment's handle, or a local store in a thread."""

    async def search(self, query: Query) -> list[Hit]: ...
    async def neighbours(
        self, observations: Sequence[Observation], seconds: float, version: int | None = None
    ) -> list[list[Observation]]: ...
    async def streams(self, version: int | None = None) -> list[Stream]: ...
    async def timeline(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        version: int | None = None,
    ) -> list[Moment]: ...
    async def facts(
        self,
        subject: str | None = None,
        stream_id: str | None = None,
        at: float | None = None,
        history: bool = False,
    ) -> list[Fact]: ...
    async def corrections(self, stream_id: str | None = None) -> list[Correction]: ...
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
