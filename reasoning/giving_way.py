"""Work that nobody waits for, and that stops at once where something else is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")


async def unless(begun: asyncio.Event, work: Callable[[], Awaitable[T]]) -> T | None:
    """What the work gives; None where the event is set before, and the work is then cancelled.
    Raises what the work raises."""
    if begun.is_set():
        return None
    working = asyncio.ensure_future(work())
    waiting = asyncio.ensure_future(begun.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        waiting.cancel()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({working, waiting})


class GivingWay:
    """What the model does while nobody waits for an answer, one piece of work or several."""

    def __init__(self) -> None:
        self._answers = 0
        self._begun = asyncio.Event()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Somebody waits for what the block does: no work is begun, what is under way ends."""
        self._answers += 1
        self._begun.set()
        try:
            yield
        finally:
            self._answers -= 1
            if not self._answers:
                self._begun.clear()

    async def unless_answering(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """None: it gave way. Raises what the work raises."""
        return await unless(self._begun, work)
