"""Moments on their way into memory, in order, beside the stream they come from.

A stream does not wait for the disk. What memory refuses for now (no room left, a restart) is kept
and offered again; only beyond a bound are the oldest given up, and counted.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from memory.errors import WriteFailed
from perception.records import Moment
from serve import failures, metrics
from serve.errors import Busy, Unavailable

log = logging.getLogger("lookback.live")

AGAIN = 2.0  # seconds between two tries
KEPT = 200  # moments that may wait: about half an hour's
UP_TO_NOW = 1.5  # seconds that a typed question waits, at most, for what was just perceived

Remember = Callable[[Moment, bytes | None], Awaitable[None]]


class Remembering:
    """`run` is its task; `add` never waits. `say` is told, once each, that memory does not take
    what it is given, in words, and (None) that it does again."""

    def __init__(self, remember: Remember, say: Callable[[str | None], None]) -> None:
        self._remember = remember
        self._say = say
        self._waiting: deque[tuple[Moment, bytes | None]] = deque()
        self._something = asyncio.Event()
        self._taken = asyncio.Event()
        self._refused = False
        self._cut = asyncio.Event()  # moments hold all that was perceived
        self._cut.set()

    def expect(self) -> None:
        """Something was perceived that no moment holds yet."""
        self._cut.clear()

    def add(self, moment: Moment, keyframe: bytes | None) -> None:
        """The next moment, with its keyframe as encoded."""
        if len(self._waiting) >= KEPT:
            self._drop_first()
            metrics.GIVEN_UP.inc()
        metrics.QUEUED.labels("moments").inc()
        self._waiting.append((moment, keyframe))
        self._something.set()
        self._cut.set()

    async def settled(self, before: float = math.inf) -> None:
        """Wait until all moments that began before this stream time are remembered, or memory
        refuses them for now."""
        while not self._refused and any(one.start < before for one, _ in self._waiting):
            self._taken.clear()
            await self._taken.wait()

    async def up_to_now(self, cut: Callable[[], None] | None) -> None:
        """Wait until what was perceived so far is remembered, `UP_TO_NOW` at most. `cut` has the
        moment end that it is in; without it, what no moment holds yet is not waited for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(UP_TO_NOW):
                if cut is not None and not self._cut.is_set():
                    cut()
                    await self._cut.wait()
                await self.settled()

    async def run(self) -> None:
        """Remember, until cancelled."""
        try:
            while True:
                await self._something.wait()
                self._something.clear()
                while self._waiting:
                    await self._offer(*self._waiting[0])
                    self._taken.set()
        finally:
            metrics.GIVEN_UP.inc(len(self._waiting))
            while self._waiting:
                self._drop_first()

    async def _offer(self, moment: Moment, keyframe: bytes | None) -> None:
        try:
            await self._remember(moment, keyframe)
        except (WriteFailed, Busy, Unavailable, OSError) as error:
            if not self._refused:
                self._refused = True
                message = failures.known(error)[1]["error"]["message"]
                log.error("moments are not remembered: %s", type(error).__name__)
                self._say(f"memory takes nothing for now: {message}")
            self._taken.set()
            await asyncio.sleep(AGAIN)
            return
        if self._waiting and self._waiting[0][0] is moment:
            self._drop_first()
        if self._refused:
            self._refused = False
            self._say(None)

    def _drop_first(self) -> None:
        self._waiting.popleft()
        metrics.QUEUED.labels("moments").dec()
