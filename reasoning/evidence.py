"""What an answer can rest on: passages of what was said and shown.

A passage is one sentence, or one screen, or a sentence with the one it goes on from. Which of them
answer a question is decided in `matching.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from memory.records import Episode, Hit, Observation
from reasoning.words import spaced

# Passages within this of the best score are about the same thing: of those that hold all words of
# the question, and of those that are like it.
_CONFLICT, _ALIKE = 0.75, 0.12
_OVER = 300.0  # seconds by which an episode may reach over the time asked about

_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}\b(?:instruction|prompt|rule|previous|above|prior|command)|"
    r"\b(?:reply|respond|answer|say|output|print)\b[^.\n]{0,25}\b(?:only|nothing but|just|exactly|always)\b|"
    r"\b(?:only|always|just|must) (?:reply|respond|answer|say|output)\b|"
    r"\b(?:you are now|you must now|from now on,? you|act as|pretend to be|new instructions?|system (?:prompt|notice|message|override))\b",
    re.I,
)
_GOES_ON = re.compile(
    r"^(?:actually,? |and |but |so |oh,? |well,? |i think |yes,? |no,? )*(?:it|its|it's|he|he's|she|she's|they|they're|his|her|their|"
    r"them|that|that's|this one|the one|i (?:put|left|moved|bought|found|hid|placed|paid|kept|called|named|call|named) (?:it|them|him|her)|"
    r"we (?:call|called|named|put|left|moved) (?:it|them|him|her))\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Source:
    """An observation with what a citation needs. `moment_id` is empty until it is looked up."""

    observation: Observation
    wall_start: datetime
    moment_id: str = ""
    keyframe: str | None = None
    similarity: float = 0.0
    corrected: str | None = None  # its text as a speaker put it right later
    episode: bool = False  # known from an episode's quote

    @property
    def text(self) -> str:
        return self.observation.text if self.corrected is None else self.corrected

    @property
    def at(self) -> datetime:
        return self.wall_start + timedelta(seconds=self.observation.start)


@dataclass(frozen=True, slots=True)
class Passage:
    """Text of one or two sources, how well it fits the question, and what it says of the asked kind."""

    text: str
    sources: tuple[Source, ...]  # the one with the value last
    score: float = 0.0
    values: tuple[str, ...] = ()
    sure: bool = True  # holds all words of the question, or is only like it
    heard_as: str = ""  # what stands for a name that the recogniser seems to have misheard

    @property
    def at(self) -> datetime:
        return self.sources[-1].at

    @property
    def main(self) -> Observation:
        return self.sources[-1].observation


def source_of(hit: Hit) -> Source:
    """A search hit as a source."""
    return Source(
        hit.observation,
        hit.wall_start,
        hit.moment_id,
        hit.keyframe,
        hit.similarity,
        hit.corrected,
        episode=hit.outlived,
    )


def is_instruction(text: str) -> bool:
    """Text that tells its reader what to do or say: remembered, but never evidence for something else."""
    return _INSTRUCTION.search(text) is not None


def sentences(text: str) -> list[str]:
    """What was said, sentence by sentence; titles like "Dr." do not end one."""
    parts = re.split(
        r"(?<=[.!?])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)(?<!\bSt\.)(?<!\bNo\.)\s+(?=[A-Z\"'])",
        text.strip(),
    )
    return [s.strip() for s in parts if s.strip()]


def goes_on(text: str, before: str = "") -> bool:
    """Does the sentence speak of what was named before it, or end what was begun there?"""
    cut = not before.rstrip().endswith((".", "!", "?"))
    return _GOES_ON.match(text) is not None or (text[:1].islower() and cut)


def passages(source: Source, around: Sequence[Source]) -> list[Passage]:
    """Every passage the source is part of. `around`: neighbours in the same stream, in order of time."""
    seen = source.observation
    if seen.kind != "speech":
        near = [
            s
            for s in around
            if s.observation.kind == seen.kind == "screen_text" and _overlap(s, source)
        ]
        joined = sorted([source, *near], key=lambda s: s.observation.start)
        found = [Passage(spaced(source.text), (source,))]
        if near:
            text = "\n".join(spaced(s.text) for s in joined)
            found.append(Passage(text, (*near, source)))
        return found
    said = sentences(source.text)
    found = [Passage(s, (source,)) for s in said]
    found += [
        Passage(f"{a} {b}", (source,)) for a, b in zip(said, said[1:], strict=False) if goes_on(b)
    ]
    if len(said) > 2 and goes_on(said[1]) and goes_on(said[2]):
        found.append(Passage(" ".join(said[:3]), (source,)))
    speech = [s for s in around if s.observation.kind == "speech" and s.observation != seen]
    before = [s for s in speech if s.observation.start < seen.start]
    after = [s for s in speech if s.observation.start > seen.start]
    if before and said and goes_on(said[0], before[-1].text):
        previous = sentences(before[-1].text)
        found.append(Passage(f"{previous[-1]} {said[0]}", (before[-1], source)))
    if after and said:
        following = sentences(after[0].text)
        if following and goes_on(following[0], source.text):
            found.append(Passage(f"{said[-1]} {following[0]}", (source, after[0])))
    return found


def _overlap(a: Source, b: Source) -> bool:
    x, y = a.observation, b.observation
    return x != y and x.start <= y.end + 2 and y.start <= x.end + 2


def newest(found: Sequence[Passage], history: str | None) -> list[Passage]:
    """Of passages about one thing, the one that holds now; or the first, or the one before."""
    if not found:
        return []
    best = found[0].score
    apart = _CONFLICT if found[0].sure else _ALIKE
    rivals = sorted((p for p in found if p.score >= best - apart), key=lambda p: p.at)
    if history == "first":
        return [rivals[0]]
    if history == "previous" and len(rivals) > 1:
        other = [p for p in rivals[:-1] if not _same(p.values, rivals[-1].values)]
        return [(other or rivals[:1])[-1]]
    return [rivals[-1]]


def _same(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    return {v.lower() for v in a} == {v.lower() for v in b}


def of_time(episode: Episode, low: float, high: float) -> Episode | None:
    """The episode, if it lies from `low` to `high` (seconds of its stream); of one that stands for
    shorter ones, what does."""
    if episode.end <= high + _OVER and episode.start >= low - _OVER:
        return episode
    quotes = tuple(q for q in episode.quotes if low <= q.observation.start <= high)
    alone = episode.alone and quotes
    return replace(episode, quotes=quotes, rewritten=None) if alone else None
