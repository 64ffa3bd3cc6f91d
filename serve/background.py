"""What the gateway has done while nobody waits: a step at a time, until it is ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from memory.errors import MemoryFailure
from reasoning.errors import GenerationFailed
from serve.errors import Busy, Unavailable

log = logging.getLogger("lookback.serve")

BEHIND = 0.5  # seconds of lag at which perception needs the machine for itself
GIVE_WAY = 1.0  # seconds until it is tried again after somebody was answered
AWAY = 5.0  # seconds until a part that does not answer is asked again
TRIES = 3  # of the model on one thing: more often it is that thing


class Stepping(Protocol):
    """Work that is done in steps."""

    name: str

    async def step(self) -> float:
        """Do one thing, if now is the time; seconds until the next step. Raises what a part that is
        away raises; it is then tried again."""
        ...


def in_background(work: Stepping) -> Callable[[], Awaitable[None]]:
    """Start it; what is given back ends it."""
    task = asyncio.create_task(_going_on(work), name=work.name)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return end


async def _going_on(work: Stepping) -> None:
    while True:
        try:
            rest = await work.step()
        except (Busy, Unavailable, GenerationFailed, MemoryFailure, TimeoutError) as error:
            log.warning("%s waits: %s: %s", work.name, type(error).__name__, error)
            rest = AWAY
        except Exception:  # one thing that goes wrong must not end the work for good
            log.exception("%s failed; it goes on", work.name)
            rest = AWAY
        await asyncio.sleep(rest)
