"""A perceiver for live streams that outlasts a deployment's restart.

Speech is asked for again until it is recognised; frames and sounds are let go, for what they show
is gone by then. What was let go is counted and said.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from perception.errors import PerceptionError
from perception.perceiver import Look, Perceiver
from perception.recognizer import NOTHING, Effort, Transcript
from perception.records import Audio, Image
from perception.sounds import SoundSpan
from serve.errors import Busy, Unavailable

log = logging.getLogger("lookback.live")

AGAIN = 1.0  # seconds between two tries
TRIES = 60


class PatientPerceiver:
    """`say` is told, once per outage, that perception does not answer, and that it does again."""

    def __init__(self, inner: Perceiver, say: Callable[[str | None], None]) -> None:
        self._inner = inner
        self._say = say
        self._out = False
        self.let_go = 0  # frames, windows of sound and utterances

    async def recognize(self, audio: Audio, effort: Effort = "full") -> Transcript:
        for _ in range(1 if effort == "draft" else TRIES):
            try:
                found = await self._inner.recognize(audio, effort)
            except (Busy, Unavailable) as error:
                self._failed(error)
                await asyncio.sleep(AGAIN)
                continue
            except PerceptionError as error:
                log.warning("an utterance was not recognised: %s", error)
                break
            self._answered()
            return found
        if effort != "draft":
            self.let_go += 1
        return NOTHING

    async def listen(self, audio: Audio) -> tuple[SoundSpan, ...]:
        try:
            found = await self._inner.listen(audio)
        except (Busy, Unavailable) as error:
            self._failed(error)
            self.let_go += 1
            return ()
        self._answered()
        return found

    async def look(self, image: Image, read: bool) -> Look:
        try:
            found = await self._inner.look(image, read)
        except (Busy, Unavailable) as error:
            self._failed(error)
            self.let_go += 1
            return Look((), None, ())
        self._answered()
        return found

    def _failed(self, error: Exception) -> None:
        if not self._out and isinstance(error, Unavailable):
            self._out = True
            self._say("perception is not answering: it goes on as soon as it does")

    def _answered(self) -> None:
        if self._out:
            self._out = False
            self._say(None)
