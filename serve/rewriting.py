"""Summaries in the model's words, in the background: one episode at a time, while the machine is
idle and nothing waits to be compressed first."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from memory.records import Quote, Unwritten
from reasoning.errors import GenerationFailed
from serve import metrics
from serve.background import GIVE_WAY, TRIES
from serve.idleness import Idleness

log = logging.getLogger("lookback.serve")

NOTHING_NEW = 30.0  # seconds between two looks for episodes
BREATH = 0.5  # seconds between two episodes


class RewrittenMemory(Protocol):
    """What rewriting needs of memory."""

    async def unwritten(self, writer: str) -> Unwritten | None: ...
    async def rewrite(
        self, episode_id: str, material: str, writer: str, text: str | None
    ) -> bool: ...


class Rewriting:
    """`rewrite` gives an empty text where nothing it wrote stands, None where it gave way to an
    answer. `writer`: what the model is called."""

    name = "rewriting"

    def __init__(
        self,
        memory: RewrittenMemory,
        rewrite: Callable[[Sequence[Quote]], Awaitable[str | None]],
        writer: str,
        idleness: Idleness,
    ) -> None:
        self._memory, self._rewrite, self._writer = memory, rewrite, writer
        self._idleness = idleness
        self._failed: tuple[str, int] = ("", 0)  # of which quotes, how often

    async def step(self) -> float:
        """Have one episode put in words, if now is the time; seconds until the next step."""
        if not self._idleness.idle:
            return GIVE_WAY
        one = await self._memory.unwritten(self._writer)
        if one is None:
            return NOTHING_NEW
        try:
            text = await self._idleness.while_idle(lambda: self._rewrite(one.quotes))
        except GenerationFailed as error:
            before = self._failed[1] if self._failed[0] == one.material else 0
            self._failed = one.material, before + 1
            if before + 1 < TRIES:
                raise
            log.warning("an episode keeps its extract: %s", error)
            text = ""
        if text is None:
            return GIVE_WAY
        await self._memory.rewrite(one.episode_id, one.material, self._writer, text or None)
        metrics.SUMMARIES.labels("kept" if text else "refused").inc()
        return BREATH
