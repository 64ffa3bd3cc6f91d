"""What a store offers beside moments: facts, corrections, entities, and rows to carry elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from memory import portable
from memory.entities import mentioning
from memory.errors import InvalidRequest, MomentNotFound
from memory.failures import failures_named
from memory.given import wall_at
from memory.knowledge import Knowledge
from memory.longterm import LongTerm
from memory.place import Place
from memory.records import Correction, Fact, Selection
from memory.tables import Tables
from memory.tier import Reading
from memory.upkeep import Upkeep
from memory.writer import GroupWriter
from perception.records import Stream


class Knowing(Reading):
    """The part of `Store` about what follows from observations, and about archives."""

    place: Place
    tables: Tables
    _knowledge: Knowledge
    _longterm: LongTerm
    _writer: GroupWriter[Any]
    _upkeep: Upkeep
    _check_open: Callable[[], None]
    _seal: Callable[[], None]
    _stream: Callable[[str], Stream]

    def facts(
        self,
        subject: str | None = None,
        stream_id: str | None = None,
        at: float | None = None,
        history: bool = False,
    ) -> list[Fact]:
        """What was stated of the subject (of everything), as it is now or was at stream time `at`,
        in order of time; with `history`, also what was contradicted since. Raises `InvalidRequest`
        for an `at` of no stream, and `StreamNotFound`."""
        self._check_open()
        stream = None if stream_id is None else self._stream(stream_id)
        if at is not None and stream is None:
            raise InvalidRequest("`at` counts from its stream's start: say which stream_id")
        until = None if at is None or stream is None else wall_at(stream, at)
        return self._settled(lambda: self._knowledge.facts(subject, stream_id, until, history))

    def corrections(self, stream_id: str | None = None) -> list[Correction]:
        """What speakers took back, in the order in which they did."""
        self._check_open()
        return list(self._settled(lambda: self._knowledge.corrections(stream_id)))

    def mentions(self, entity: str, stream_id: str | None = None) -> list[str]:
        """Ids of the moments in which a person, place or thing is named or speaks."""
        self._check_open()
        return self._settled(lambda: mentioning(self.tables, self._knowledge, entity, stream_id))

    def rows(self, stream_id: str) -> dict[str, bytes]:
        """All that the tables hold of a stream, as Parquet. Raises `StreamNotFound`."""
        self._stream(stream_id)
        return self._settled(lambda: portable.rows_of(self.tables.db, stream_id))

    def add_rows(self, stream_id: str, tables: dict[str, bytes]) -> int:
        """Take in rows of an archive (Parquet by table) that are not made from moments; those that
        are there stay. How many were given. Raises `ArchiveRefused`."""
        self._check_open()
        with failures_named(self.place.name), self._upkeep.held_off():
            count: int = self._writer.call(partial(self._add_rows, stream_id, tables))
            return count

    def _add_rows(self, stream_id: str, tables: dict[str, bytes]) -> int:
        """On the writer's thread."""
        stray = self._longterm.stray
        count = portable.add_rows(self.tables, stream_id, tables, self._seal, stray)
        self._longterm.reload()
        return count

    def _named(self, what: Selection) -> Selection:
        """The selection with the moments that name its entity in the entity's place. Raises
        `InvalidRequest`, and `MomentNotFound` where nothing names it."""
        if what.entity is None:
            return what
        if what.moment_ids or what.start is not None or what.end is not None:
            raise InvalidRequest("an entity is forgotten in one stream, or everywhere")
        named = mentioning(self.tables, self._knowledge, what.entity, what.stream_id)
        if not named:
            raise MomentNotFound(f"no moment names {what.entity[:200]!r}")
        return Selection(moment_ids=tuple(named))
