"""What a store offers of its long-term tier: the calls, which `longterm.py` answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from memory.errors import InvalidRequest
from memory.failures import damaged, failures_named
from memory.ledger import Ledger
from memory.longterm import LongTerm
from memory.place import Place
from memory.records import Episode, GivenUp
from memory.upkeep import Upkeep
from perception.records import Stream

T = TypeVar("T")
RETRIES = 4


class Reading:
    """What every read of a store goes through."""

    def _settled(self, read: Callable[[], T]) -> T:
        return settled(read)


class Tier(Reading):
    """The part of `Store` about episodes, budget and pins."""

    place: Place
    _longterm: LongTerm
    _ledger: Ledger
    _upkeep: Upkeep
    _check_open: Callable[[], None]
    _stream: Callable[[str], Stream]

    def consolidate(self) -> None:
        """Do at once what upkeep does bit by bit: close every episode that can be closed, and hold
        every hour that is over to its budget."""
        self._check_open()
        with failures_named(self.place.name), self._upkeep.held_off():
            self._longterm.run()

    def pin(self, moment_ids: Sequence[str], pinned: bool = True) -> None:
        """Keep these moments whole whatever the budget says; with `pinned` False, no longer.
        Raises `MomentNotFound`."""
        self._check_open()
        if moment_ids:
            with failures_named(self.place.name):
                self._longterm.pin(moment_ids, pinned)

    def pinned(self, moment_ids: Sequence[str]) -> set[str]:
        """Those of the moments that are pinned."""
        self._check_open()
        return self._settled(lambda: self._longterm.pinned(moment_ids))

    def episodes(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        level: int = 1,
    ) -> list[Episode]:
        """The stream's closed episodes of a level that overlap [start, end], in order. The last
        minutes of a stream belong to none yet. Raises `StreamNotFound`."""
        self._check_open()
        self._stream(stream_id)
        check_bounds(start, end)
        return self._settled(lambda: self._longterm.episodes(stream_id, start, end, level))

    def showing(self, stream_id: str, keyframes: Collection[str]) -> dict[str, str]:
        """By keyframe (SHA-256), the id of the stream's first moment that shows it; one that none
        shows is not named."""
        self._check_open()
        return self._settled(lambda: self._longterm.showing(stream_id, keyframes))

    def dropped(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        text: str = "",
    ) -> list[GivenUp]:
        """Spans of the stream that overlap [start, end] of which observations were given up; with a
        text, only in hours whose dropped observations held all of its words."""
        self._check_open()
        check_bounds(start, end)
        return self._settled(lambda: self._ledger.dropped(stream_id, start, end, text))


def settled(read: Callable[[], T], renew: Callable[[], object] | None = None) -> T:
    """Forgetting takes the files of every older version away, also from under a read that has just
    begun; the same read of the newest version, which `renew` opens, then answers."""
    for _ in range(RETRIES):
        try:
            return read()
        except (OSError, RuntimeError) as failure:
            if "not found" not in str(failure).lower():
                raise damaged("a part of the store", failure) from failure
            if renew is not None:
                renew()
    return read()


def check_bounds(start: float | None, end: float | None) -> None:
    """Raises `InvalidRequest` for a time that is no finite number."""
    for bound in (start, end):
        if bound is not None and not abs(bound) < float("inf"):
            raise InvalidRequest(f"a time must be a finite number of seconds, not {bound}")
