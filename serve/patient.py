"""What outlasts a deployment that is full, out of memory, or restarts.

A recording waits. On a live stream speech is asked for again until it is recognised; frames and
sounds are let go, for what they show is gone by then. What was let go is counted and said.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from memory.errors import StoreFull, StoreReadOnly, WriteFailed
from perception.errors import OutOfMemory, PerceptionError
from perception.perceiver import Look, Perceiver
from perception.recognizer import NOTHING, Effort, Transcript
from perception.records import Audio, Image
from perception.sounds import SoundSpan
from serve import metrics
from serve.errors import Busy, Unavailable

log = logging.getLogger("lookback.live")

T = TypeVar("T")

AGAIN = 1.0  # seconds between two tries
TRIES = 60


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """What the call gives, asked for again while it is refused for now. Raises the last refusal."""
    for _ in range(TRIES):
        try:
            return await call()
        except (Busy, Unavailable, WriteFailed, OutOfMemory) as error:
            if isinstance(error, StoreFull | StoreReadOnly):
                raise  # nothing that passes
            await asyncio.sleep(AGAIN)
    return await call()


class WaitingPerceiver:
    """A perceiver for recordings, which lose nothing by waiting."""

    def __init__(self, inner: Perceiver) -> None:
        self._inner = inner

    async def recognize(self, audio: Audio, effort: Effort = "full") -> Transcript:
        return await patiently(lambda: self._inner.recognize(audio, effort))

    async def listen(self, audio: Audio) -> tuple[SoundSpan, ...]:
        return await patiently(lambda: self._inner.listen(audio))

    async def look(self, image: Image, read: bool) -> Look:
        return await patiently(lambda: self._inner.look(image, read))


class PatientPerceiver:
    """`say` is told, once per outage, that perception does not answer, and that it does again."""

    def __init__(self, inner: Perceiver, say: Callable[[str | None], None]) -> None:
        self._inner = inner
        self._say = say
        self._out = False

    async def recognize(self, audio: Audio, effort: Effort = "full") -> Transcript:
        for _ in range(1 if effort == "draft" else TRIES):
            try:
                found = await self._inner.recognize(audio, effort)
            except (Busy, Unavailable, OutOfMemory) as error:
                self._failed(error)
                await asyncio.sleep(AGAIN)
                continue
            except PerceptionError as error:
                log.warning("an utterance was not recognised: %s", error)
                break
            self._answered()
            return found
        if effort != "draft":
            metrics.LET_GO.labels("utterance").inc()
        return NOTHING

    async def listen(self, audio: Audio) -> tuple[SoundSpan, ...]:
        try:
            found = await self._inner.listen(audio)
        except (Busy, Unavailable, PerceptionError) as error:
            self._failed(error)
            metrics.LET_GO.labels("sound").inc()
            return ()
        self._answered()
        return found

    async def look(self, image: Image, read: bool) -> Look:
        try:
            found = await self._inner.look(image, read)
        except (Busy, Unavailable, PerceptionError) as error:
            self._failed(error)
            metrics.LET_GO.labels("frame").inc()
            return Look((), None, ())
        self._answered()
        return found

    def _failed(self, error: Exception) -> None:
        if isinstance(error, PerceptionError):
            log.warning("a call of perception failed: %s", error)
        if not self._out and isinstance(error, Unavailable):
            self._out = True
            self._say("perception is not answering: it goes on as soon as it does")

    def _answered(self) -> None:
        if self._out:
            self._out = False
            self._say(None)
