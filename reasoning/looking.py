"""What a model that sees is shown: the frames of now, the pictures remembered that belong to the
question, and what was heard and read about it, under a budget of tokens for each.

Only for questions that pictures answer: about now, about what was seen, and those that the words of
memory do not answer. What the rules would have said stays beside it, for when the model fails or
does not see it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Protocol

from memory.errors import MemoryFailure
from reasoning.abstention import words_for
from reasoning.analysis import Analysis
from reasoning.errors import PictureUnusable
from reasoning.evidence import Passage, Source, is_instruction
from reasoning.generator import Generator
from reasoning.pictures import Picture
from reasoning.planned import Plan
from reasoning.prompt import memory_line
from reasoning.records import Frame
from reasoning.retrieval import Retriever, Scope
from reasoning.seeing import ASKS_WHAT_WAS_SEEN
from reasoning.timeparse import TimeReference, clock

log = logging.getLogger("lookback.reasoning")

REMEMBERED = 8  # pictures at most beside the live ones; half as many for a question about now
_NOW = 30.0  # seconds that remembered pictures stand for the camera's, where it sends none
_CITED = 3  # pictures that an answer is said to rest on
_HITS = 24
_MAX_TOKENS = 120
_APPEARANCE = re.compile(
    r"\blook(?:s|ed|ing)? like\b|\b(?:wear|wears|wearing|wore|dressed)\b|\bin (?:his|her|their|my) hands?\b|"
    r"\b(?:shape|pattern|appearance)\b",
    re.I,
)
_UNSEEN = re.compile(
    r"\W*(?:sorry|unfortunately)?,? ?i(?:'m| am)? (?:do not|don't|cannot|can't|could not|couldn't|not sure)\b",
    re.I,
)


# A picture, and the moment it is of: what is seen just now may not have one yet.
_Shown = tuple[Source | None, Picture]


class Keyframes(Protocol):
    """Where a moment's picture is had from."""

    async def keyframe(self, moment_id: str) -> bytes: ...


def wanted(analysis: Analysis, when: TimeReference, plan: Plan) -> bool:
    """Is it a question for pictures?"""
    if plan.own_words or any(is_instruction(p.text) for p in plan.evidence):
        return False
    if plan.abstained:
        return plan.text != words_for("no longer kept")
    if _APPEARANCE.search(analysis.text):
        return True
    of_sight = analysis.asked == "sight" or ASKS_WHAT_WAS_SEEN.match(when.rest) is not None
    pictured = bool(plan.evidence) and all(p.main.kind == "vision" for p in plan.evidence)
    return when.present or (of_sight and plan.text is not None) or pictured


def unseen(answer: str) -> bool:
    """Does the model say that the pictures do not show it?"""
    return not answer.strip() or _UNSEEN.match(answer) is not None


class Looking:
    """Finds what to show. `live_frames`: how many frames show now."""

    def __init__(self, keyframes: Keyframes, generator: Generator, live_frames: int) -> None:
        self._keyframes = keyframes
        self._generator = generator
        self._live_frames = live_frames

    async def look(
        self,
        plan: Plan,
        when: TimeReference,
        scope: Scope,
        retriever: Retriever,
        frames: Sequence[Frame],
    ) -> Plan:
        """The plan with pictures, to be answered from them; the same one where there are none."""
        evidence = [await retriever.located(s) for p in plan.evidence for s in p.sources[-1:]]
        hits = await retriever.hits(when, scope, _HITS)
        now = await self._now(when, scope, retriever, frames)
        shown = {source.moment_id for source, _ in now if source is not None}
        most = REMEMBERED // 2 if when.present else REMEMBERED
        remembered: dict[str, Source] = {}
        for source in [*evidence, *hits, *await self._spread(when, scope, retriever, most)]:
            if source.keyframe and source.moment_id not in shown:
                remembered.setdefault(source.moment_id, source)
        chosen = list(remembered.values())[:most]
        loaded = await asyncio.gather(*(self._picture(source) for source in chosen))
        before = [(s, p) for s, p in zip(chosen, loaded, strict=True) if p is not None]
        kept = self._within([*now, *before])
        if not kept:
            return plan
        past = sorted(
            ((s.at, p) for s, p in kept if s is not None and not p.live), key=lambda one: one[0]
        )
        pictures = [*(p for _, p in past), *(p for _, p in kept if p.live)]
        of_now = [s for s, p in kept if s is not None and p.live]
        of_then = [s for s, p in kept if s is not None and not p.live]
        cited = of_now[-1:] if when.present else (of_then or of_now)[:_CITED]
        return Plan(
            tuple(Passage(s.text, (s,)) for s in cited) or plan.evidence,
            max_tokens=_MAX_TOKENS,
            pictures=tuple(pictures),
            notes=self._notes(hits),
            otherwise=plan,
        )

    async def _now(
        self, when: TimeReference, scope: Scope, retriever: Retriever, frames: Sequence[Frame]
    ) -> list[_Shown]:
        """The frames of now with the moments they belong to, the latest last; none where the
        question is about another time."""
        if self._live_frames == 0 or when.bounded and not when.present:
            return []
        latest = await retriever.pictured(scope.now - _NOW, scope.now, scope)
        if frames:
            last = latest[-1] if latest else None
            return [
                (last, Picture(f.encoded, f"at {clock(f.time)}", True))
                for f in frames[-self._live_frames :]
            ]
        found: list[_Shown] = []
        for source in latest[-self._live_frames :]:
            picture = await self._picture(source, live=True)
            if picture is not None:
                found.append((source, picture))
        return found

    async def _spread(
        self, when: TimeReference, scope: Scope, retriever: Retriever, most: int
    ) -> list[Source]:
        """Of the time asked about, pictures from beginning to end."""
        if when.present:
            return []
        low, high = retriever.extent(when, scope)
        found = await retriever.pictured(low, high, scope)
        if len(found) <= most:
            return found
        return [found[round(n * (len(found) - 1) / (most - 1))] for n in range(most)]

    async def _picture(self, source: Source, live: bool = False) -> Picture | None:
        try:
            encoded = await self._keyframes.keyframe(source.moment_id)
        except MemoryFailure as error:
            log.warning("a picture is left out: %s", error)
            return None
        return Picture(encoded, f"at {clock(source.observation.start)}", live)

    def _within(self, candidates: Sequence[_Shown]) -> list[_Shown]:
        """Those that fit into the visual budget, the first ones first."""
        left = self._generator.capabilities.visual_tokens
        kept: list[_Shown] = []
        for source, picture in candidates:
            try:
                tokens = self._generator.picture_tokens(picture)
            except PictureUnusable as error:
                log.warning("a picture is left out: %s", error)
                continue
            if tokens <= left:
                left -= tokens
                kept.append((source, picture))
        return kept

    def _notes(self, hits: Sequence[Source]) -> tuple[str, ...]:
        """What was heard and read, within the text budget, in order of time."""
        left = self._generator.capabilities.text_tokens
        lines = []
        for source in hits:
            seen = source.observation
            if is_instruction(source.text) or seen.kind == "vision":
                continue
            line = f"{clock(seen.start)} {memory_line(seen.kind, source.text, seen.speaker)}"
            left -= self._generator.count(line)
            if left < 0:
                break
            lines.append((source.at, line))
        return tuple(line for _, line in sorted(lines))
