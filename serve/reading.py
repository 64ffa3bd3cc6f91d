"""The MemoryReader deployment: searches and reads of a store that the Memory deployment writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ray import serve

from memory.errors import StoreMissing
from serve import metrics
from serve.errors import Unavailable
from serve.loading import open_reader
from serve.remote import READS
from serve.reporting import Reporting, opened
from serve.settings import Settings
from serve.trimming import keep_trimmed

if TYPE_CHECKING:
    from memory.replica import ReadOnlyStore

WRITER_OPENS = 60.0  # seconds that a new store may take to be there
CATCHES_UP = 3.0  # seconds that a read waits for a version which was acknowledged elsewhere
LOOKS = 0.05  # seconds between looks for it


@serve.deployment(
    name="MemoryReader",
    max_ongoing_requests=32,
    graceful_shutdown_timeout_s=5,
    ray_actor_options={"num_cpus": 0.25},
)
class MemoryReaderDeployment(Reporting):
    """A store open to be read. Any number of replicas; each follows the writer by itself."""

    def __init__(self, plain: dict[str, Any]) -> None:
        self._store = _opened(Settings(**plain))
        keep_trimmed()

    async def read(self, method: str, arguments: Sequence[Any], version: int) -> Any:
        """What the store's method returns, at that version of memory or a later one.

        Raises Unavailable where that is not here in time, and what the method raises."""
        if method not in READS:
            raise Unavailable(f"{method} is not for a reader of memory")
        await self._reached(version)
        with metrics.work("search" if method == "search" else "read"):
            return await asyncio.to_thread(getattr(self._store, method), *arguments)

    async def check_health(self) -> None:
        """Raises StoreClosed."""
        self._store.check()

    async def _reached(self, version: int) -> None:
        deadline = time.monotonic() + CATCHES_UP
        while self._store.followed < version:
            if time.monotonic() > deadline:
                raise Unavailable(f"a reader of memory has not come to version {version} yet")
            if not await asyncio.to_thread(self._store.follow):
                await asyncio.sleep(LOOKS)

    def __del__(self) -> None:  # Ray Serve's graceful shutdown calls this before the process ends
        store = getattr(self, "_store", None)
        if store is not None:
            store.close()


def _opened(settings: Settings) -> ReadOnlyStore:
    """The store, once its writer has opened it."""
    return opened(lambda: open_reader(settings), StoreMissing, WRITER_OPENS)
