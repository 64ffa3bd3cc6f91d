"""The thread for what nobody waits for: upkeep, consolidation, budget, retention.

It reads and reckons beside the writer, and hands it only the changes, so that no commit waits for
more than one change. Whoever takes rows away, or brings them from elsewhere, holds it off meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from memory.writer import GroupWriter

log = logging.getLogger(__name__)

T = TypeVar("T")
INTERVAL = 5.0  # seconds between looks, at most
BREATH = 0.05  # seconds between looks, at least: whoever wants to hold it off comes in between


class Upkeep:
    """`idle` gives a round of work, again and again: each piece of it runs with the guard held."""

    def __init__(self, idle: Callable[[], Iterator[None]]) -> None:
        self._idle = idle
        self._writer: GroupWriter[Any] | None = None
        self._guard = threading.RLock()
        self._due = threading.Event()
        self._ended = threading.Event()
        self.longest = 0.0  # seconds that one change kept the writer
        self._thread = threading.Thread(target=self._run, name="memory-upkeep", daemon=True)

    def start(self, writer: GroupWriter[Any]) -> None:
        """Begin; changes go to that writer."""
        self._writer = writer
        self._thread.start()

    def close(self) -> None:
        """Finish the piece of work that is under way, then stop."""
        self._ended.set()
        self._due.set()
        self._thread.join()

    def stats(self) -> dict[str, float]:
        return {"longest_hold_seconds": round(self.longest, 3)}

    def wake(self) -> None:
        """Something was written: look soon."""
        self._due.set()

    @contextmanager
    def held_off(self) -> Iterator[None]:
        """Nothing of it runs meanwhile, but what the caller asks for. Not for the writer's thread,
        which it may be waiting for."""
        with self._guard:
            yield

    def on_writer(self, change: Callable[[], T]) -> T:
        """What `change` returns, run on the writer's thread between two commits."""

        def timed() -> T:
            began = time.perf_counter()
            try:
                return change()
            finally:
                self.longest = max(self.longest, time.perf_counter() - began)

        assert self._writer is not None, "changes come after `start`"
        result: T = self._writer.call(timed)
        return result

    def look(self) -> None:
        """One round, at once."""
        pieces = self._idle()
        more = True
        while more:
            with self._guard:
                more = next(pieces, self) is not self

    def _run(self) -> None:
        told = ""
        while not self._ended.wait(BREATH):
            self._due.wait(INTERVAL)
            self._due.clear()
            if self._ended.is_set():
                return
            try:
                self.look()
                told = ""
            except Exception as failure:  # upkeep must go on when the disk has room again
                if str(failure) != told:
                    log.exception("maintenance failed; it will be tried again")
                told = str(failure)
