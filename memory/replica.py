"""A store opened to read, beside the process that writes to it, on this machine or another.

It sees what was sealed: whole commits, the same version of every table, never what is half written.
A thread looks for newer ones, takes them in, and so a search finds what was acknowledged within
seconds. Nothing is written, no lock is taken; any number may be open.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Never, TypeVar

from memory.embedder import Embedder
from memory.errors import MemoryFailure, StoreMissing, StoreNewer, StoreReadOnly
from memory.failures import failures_named
from memory.longterm import Budget
from memory.migrations import MIGRATIONS, applied
from memory.place import Place, place_of
from memory.records import Selection
from memory.store import Store
from memory.tables import tables_of
from memory.tier import settled
from perception.records import Moment, Stream

log = logging.getLogger(__name__)

T = TypeVar("T")
LOOKS = 1.0  # seconds between looks for what is newer


class ReadOnlyStore(Store):
    """What of `Store` reads; the rest raises `StoreReadOnly`.

    Raises on opening: `StoreMissing` (also where no writer of this version has had it open yet),
    `StoreNewer`, `StoreDamaged`, `StoreUnreachable`. `looks`: seconds between looks for what is
    newer; None: only when `follow` is called.
    """

    def __init__(
        self, path: Path | str | Place, embedder: Embedder, *, looks: float | None = LOOKS
    ) -> None:
        self.place = place_of(path) if isinstance(path, Path | str) else path
        self._kept_for = None
        self._budget = Budget(None, None)
        self._following = threading.Lock()
        self._ending = threading.Event()
        self._closing = threading.Lock()
        self._closed = False
        with failures_named(self.place.name, opening=True):
            self._open(embedder)
        self._thread = threading.Thread(
            target=self._look, args=(looks,), name="store-reader", daemon=True
        )
        if looks is not None:
            self._thread.start()

    def _open(self, embedder: Embedder) -> None:
        there = self.place.exists()
        db = self.place.connect()
        self._check_schema(applied(db) if there else [])
        self.tables = tables_of(db)
        self._versions: dict[str, int] = {}
        self._versions = settled(self._check_out)
        self._make_parts(embedder)
        self.followed = self._version()  # the version of memory that searches know

    def follow(self) -> bool:
        """See what was sealed since; whether anything was. Raises `StoreUnreachable`."""
        with self._following:
            sealed = settled(self._check_out)
            changed = sealed != self._versions
            if changed:
                self._remembering.forgotten()
                self._ledger.reload()
            self._search.sync()
            # Only now: what could not be taken in is taken in by the next look.
            self._versions, self.followed = sealed, self._version()
            return changed

    def check(self) -> None:
        """Raises `StoreClosed`."""
        self._check_open()

    def close(self) -> None:
        """Stop looking. May be called twice."""
        with self._closing:
            self._closed = True
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    # Parts

    def _check_out(self) -> dict[str, int]:
        """See the versions that were sealed last."""
        sealed = self.place.sealed()
        changed = {name: v for name, v in sealed.items() if self._versions.get(name) != v}
        for table in self.tables.all():
            if table.name in changed:
                table.checkout(changed[table.name])
        return sealed

    def _settled(self, read: Callable[[], T]) -> T:
        return settled(read, self.follow)

    def _look(self, seconds: float) -> None:
        well = True
        while not self._ending.wait(seconds):
            try:
                self.follow()
                well = True
            except (MemoryFailure, OSError, RuntimeError) as failure:
                if well:
                    log.warning("what is newer could not be read: %s", failure)
                well = False

    def _check_schema(self, had: list[str]) -> None:
        known = [migration.__name__ for migration in MIGRATIONS]
        unknown = [name for name in had if name not in known]
        if unknown:
            raise StoreNewer(
                f"the store at {self.place.name} was written by a newer Lookback (it has had "
                f"{unknown[0]!r}); read it with that version"
            )
        if set(known) - set(had):
            raise StoreMissing(
                f"there is no store at {self.place.name} yet, or one of an older version: start its "
                "writer first"
            )

    # What only the writer does

    def remember(
        self, stream: Stream, moments: Sequence[Moment], keyframes: dict[str, bytes]
    ) -> Never:
        self._refuse()

    def forget(self, what: Selection) -> Never:
        self._refuse()

    def consolidate(self) -> Never:
        self._refuse()

    def pin(self, moment_ids: Sequence[str], pinned: bool = True) -> Never:
        self._refuse()

    def caption(self, moment_id: str, keyframe: str, text: str) -> Never:
        self._refuse()

    def rewrite(self, episode_id: str, material: str, writer: str, text: str | None) -> Never:
        self._refuse()

    def encode_pictures(self) -> Never:
        self._refuse()

    def add_rows(self, stream_id: str, tables: dict[str, bytes]) -> Never:
        self._refuse()

    def _forget_now(self, what: Selection) -> Never:
        self._refuse()

    def _seal(self) -> Never:
        self._refuse()

    def _refuse(self) -> Never:
        raise StoreReadOnly(f"the store at {self.place.name} is open only to be read here")
