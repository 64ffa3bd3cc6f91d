"""Captions in the background: keyframes go to the model that answers, one at a time, the latest
first, while nobody waits for an answer and perception keeps up."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from memory.errors import KeyframeTorn, NotFound
from memory.records import Uncaptioned
from reasoning.errors import GenerationFailed, PictureUnusable
from serve import metrics
from serve.background import BEHIND, GIVE_WAY, TRIES

log = logging.getLogger("lookback.serve")

AT_ONCE = 64  # moments that are looked up at a time
NOTHING_NEW = 10.0  # seconds between two looks for moments
REFUSED_KEPT = 10_000  # moments of which there was nothing to say


class CaptionedMemory(Protocol):
    """What captions need of memory."""

    async def uncaptioned(self, limit: int) -> Sequence[Uncaptioned]: ...
    async def keyframe(self, moment_id: str) -> bytes: ...
    async def caption(self, moment_id: str, keyframe: str, text: str) -> bool: ...


class Captioning:
    """`caption` gives None where it gave way to an answer; `lag` is how far perception is behind,
    in seconds."""

    name = "captioning"

    def __init__(
        self,
        memory: CaptionedMemory,
        caption: Callable[[bytes], Awaitable[str | None]],
        lag: Callable[[], float],
    ) -> None:
        self._memory, self._caption, self._lag = memory, caption, lag
        self._waiting: deque[Uncaptioned] = deque()
        self._failed = 0  # tries of the picture that is first in line
        self._refused: OrderedDict[str, None] = OrderedDict()

    async def step(self) -> float:
        """Caption one keyframe, if now is the time; seconds until the next step."""
        if self._lag() > BEHIND:
            return GIVE_WAY
        if not self._waiting:
            found = await self._memory.uncaptioned(AT_ONCE + len(self._refused))
            self._waiting.extend(one for one in found if one.moment_id not in self._refused)
            if not self._waiting:
                return NOTHING_NEW
        one = self._waiting[0]
        try:
            text = await self._caption(await self._memory.keyframe(one.moment_id))
        except (NotFound, KeyframeTorn, PictureUnusable, GenerationFailed) as error:
            self._failed += 1
            if isinstance(error, GenerationFailed) and self._failed < TRIES:
                raise
            log.warning("a keyframe gets no caption: %s", type(error).__name__)
            text = ""
        if text is None:
            return GIVE_WAY
        self._waiting.popleft()
        self._failed = 0
        kept = bool(text) and await self._memory.caption(one.moment_id, one.keyframe, text)
        metrics.CAPTIONS.labels("kept" if kept else "refused").inc()
        if not kept:
            self._refused[one.moment_id] = None
            while len(self._refused) > REFUSED_KEPT:
                self._refused.popitem(last=False)
        return 0.0
