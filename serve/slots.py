"""Room for a few at once, in which the urgent go first."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class Slots:
    """`room` blocks at once; who waits is let in by rank, the lowest first, and within a rank in
    the order of coming. For one event loop."""

    def __init__(self, room: int) -> None:
        self._free = room
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._came = count()

    @asynccontextmanager
    async def taken(self, rank: int) -> AsyncIterator[None]:
        """Waits for room, and holds it for the block."""
        if self._free:
            self._free -= 1
        else:
            await self._handed_over(rank)
        try:
            yield
        finally:
            self._release()

    async def _handed_over(self, rank: int) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._came), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._release()  # it came together with the cancellation
            raise

    def _release(self) -> None:
        while self._waiting:
            _, _, waiting = heapq.heappop(self._waiting)
            if not waiting.done():
                waiting.set_result(None)
                return
        self._free += 1
