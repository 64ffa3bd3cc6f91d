"""What a store offers of its pictures, where it has a model for them: `encoding.py` makes their
vectors, `sights.py` searches them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from memory.encoding import Encoding, PictureEncoder
from memory.failures import failures_named
from memory.longterm import LongTerm
from memory.picture_index import PictureIndex
from memory.place import Place
from memory.records import Hit, Query
from memory.remember import Remembering
from memory.search import Searcher
from memory.sights import Sights, fused
from memory.tables import Tables
from memory.tier import Reading
from memory.upkeep import Upkeep
from memory.writer import GroupWriter
from perception.records import Moment


class Sighted(Reading):
    """The part of `Store` about what keyframes show."""

    place: Place
    tables: Tables
    _remembering: Remembering
    _search: Searcher
    _longterm: LongTerm
    _writer: GroupWriter[Any]
    _upkeep: Upkeep
    _check_open: Callable[[], None]
    _seal: Callable[[], None]
    _encoding: Encoding | None = None
    _sights: Sights | None = None

    def encode_pictures(self) -> None:
        """Do at once what is else done bit by bit: make the vectors that keyframes lack. Raises
        `WriteFailed`, and what the model raises."""
        self._check_open()
        if self._encoding is not None:
            self._encoding.run()

    def _open_pictures(self, encoder: PictureEncoder | None) -> None:
        if encoder is None:
            return
        index = PictureIndex()
        self._encoding = Encoding(
            self.tables,
            self.place.media,
            encoder,
            index,
            self._write_pictures,
            self._seal,
            self._longterm.holding.touched,
        )
        try:
            self._writer.call(self._encoding.open)
        except BaseException:
            self._upkeep.close()
            self._writer.close()
            raise
        self._remembering.unshown = index.drop
        self._sights = Sights(
            self.tables,
            index,
            encoder,
            lambda: {s.id: s.wall_start for s in dict(self._remembering.streams).values()},
            self._search.reached,
        )
        self._encoding.start()

    def _write_pictures(self, work: Callable[[], Any]) -> Any:
        with failures_named(self.place.name):
            return self._writer.call(work)

    def _close_pictures(self) -> None:
        if self._encoding is not None:
            self._encoding.close()

    def _expect_pictures(self, moments: Iterable[Moment]) -> None:
        if self._encoding is not None:
            self._encoding.expect(m.keyframe for m in moments if m.keyframe is not None)

    def _with_seen(self, query: Query, hits: list[Hit]) -> list[Hit]:
        """What words found, with what pictures show."""
        if self._sights is None or query.limit <= 0:
            return hits
        sights = self._settled(partial(self._sights.seen, query))
        seen = self._settled(partial(self._sights.hits, query, sights))
        return fused(hits, seen, query.limit) if seen else hits

    def _picture_stats(self) -> dict[str, Any]:
        """`pictures` counts the vectors of every model, `pictures_waiting` what the model in use
        has yet to encode."""
        stats: dict[str, Any] = {"pictures": self.tables.pictures.count_rows()}
        if self._encoding is not None and self._sights is not None:
            stats["pictures_waiting"] = self._encoding.waiting
            stats["pictures_unreadable"] = self._encoding.unreadable
            stats["pictures_failed"] = self._encoding.failures + self._sights.failed
        return stats
