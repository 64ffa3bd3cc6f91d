"""A memory made by hand, searched by shared words (and by vectors where an encoder is given)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from memory.records import Correction, Episode, Fact, GivenUp, Hit, Query, Snapshot, put_right
from perception.records import Moment, Observation, Stream, Tag
from reasoning.words import STOP, stem, words

WALL = datetime(2031, 5, 14, 9, 0, tzinfo=UTC)  # a Wednesday
Embed = Callable[[list[str]], npt.NDArray[np.float32]]


class HandMadeMemory:
    """Each observation is its own moment. Serves as a MemoryReader."""

    def __init__(
        self,
        observations: Sequence[Observation],
        seconds: float = 600.0,
        embed: Embed | None = None,
    ) -> None:
        self.observations = sorted(observations, key=lambda o: o.start)
        names = sorted({o.stream_id for o in observations}) or ["s"]
        self._streams = [Stream(name, WALL, "made", seconds) for name in names]
        self._embed = embed
        self._vectors = embed([o.text for o in self.observations]) if embed else None
        self.queries: list[Query] = []
        self.known_facts: list[Fact] = []
        self.known_corrections: list[Correction] = []
        self.made: list[Episode] = []
        self.lost: list[tuple[GivenUp, str]] = []  # a span given up, and the words it held

    async def search(self, query: Query) -> list[Hit]:
        self.queries.append(query)
        similarities = np.zeros(len(self.observations))
        if self._embed is not None and self._vectors is not None and self.observations:
            similarities = self._vectors @ self._embed([query.text])[0]
        asked = {stem(w.lower) for w in words(query.text) if w.lower not in STOP}
        hits = []
        for seen, similarity in zip(self.observations, similarities, strict=True):
            if not _passes(seen, query):
                continue
            held = {stem(w.lower) for w in words(seen.text)}
            coverage = len(asked & held) / len(asked) if asked else 0.0
            hits.append(
                Hit(
                    seen,
                    _moment(seen).id,
                    coverage + float(similarity),
                    float(similarity),
                    coverage,
                    WALL,
                    "0" * 64,
                    put_right(
                        self.known_corrections, seen.id, seen.stream_id, seen.start, seen.text
                    ),
                )
            )
        return sorted(hits, key=lambda h: -h.score)[: query.limit]

    async def neighbours(
        self, observations: Sequence[Observation], seconds: float, version: int | None = None
    ) -> list[list[Observation]]:
        return [
            [
                o
                for o in self.observations
                if o.stream_id == one.stream_id
                and o != one
                and o.end >= one.start - seconds
                and o.start <= one.end + seconds
            ]
            for one in observations
        ]

    async def streams(self, version: int | None = None) -> list[Stream]:
        return self._streams

    async def timeline(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        version: int | None = None,
    ) -> list[Moment]:
        return [
            _moment(o)
            for o in self.observations
            if o.stream_id == stream_id
            and (start is None or o.end >= start)
            and (end is None or o.start <= end)
        ]

    async def facts(
        self,
        subject: str | None = None,
        stream_id: str | None = None,
        at: float | None = None,
        history: bool = False,
    ) -> list[Fact]:
        return [f for f in self.known_facts if subject is None or subject in f.subject]

    async def corrections(self, stream_id: str | None = None) -> list[Correction]:
        return self.known_corrections

    async def episodes(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        level: int = 1,
    ) -> list[Episode]:
        return [
            e
            for e in self.made
            if (e.stream_id, e.level) == (stream_id, level)
            and (start is None or e.end >= start)
            and (end is None or e.start <= end)
        ]

    async def dropped(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        text: str = "",
    ) -> list[GivenUp]:
        return [
            span
            for span, words_held in self.lost
            if span.stream_id == stream_id
            and (start is None or span.end >= start)
            and (end is None or span.start <= end)
            and set(text.lower().split()) <= set(words_held.split())
        ]

    async def snapshot(self, stream_id: str | None = None) -> Snapshot:
        return Snapshot(7, self._streams[0].seconds)


def speech(start: float, text: str, **more: Any) -> Observation:
    return Observation("s", "speech", start, start + 3, text, **more)


def screen(start: float, text: str) -> Observation:
    return Observation("s", "screen_text", start, start + 5, text)


def vision(start: float, text: str) -> Observation:
    tags = tuple(Tag(t.strip(), 0.4) for t in re.split("[,;]", text) if "face" not in t)
    return Observation("s", "vision", start, start + 4, text, tags=tags)


def from_rows(rows: Sequence[Sequence[Any]]) -> list[Observation]:
    """Rows of [start, kind, text], or [start, kind, text, speaker]."""
    made: list[Observation] = []
    for start, kind, text, *speaker in rows:
        if kind == "vision":
            made.append(vision(start, text))
        elif kind == "screen":
            made.append(screen(start, text))
        else:
            role = "question" if kind == "question" else "statement"
            made.append(speech(start, text, role=role, speaker=speaker[0] if speaker else None))
    return made


def load_cases() -> dict[str, Any]:
    path = Path(__file__).parent / "questions.json"
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def right(case: dict[str, Any], answer: Any) -> bool:
    """Says an expected word and all of "also", none forbidden, cites the planted start; or abstains when it should."""
    if case.get("abstain"):
        return bool(answer.abstained)
    text = answer.answer.lower()

    def says(word: str) -> bool:
        return (
            re.search(rf"(?<![a-z0-9]){re.escape(word.lower())}(e?s)?(?![a-z0-9])", text)
            is not None
        )

    if answer.abstained or any(says(w) for w in case.get("forbid", [])):
        return False
    if not any(says(w) for w in case["expect"]) or not all(says(w) for w in case.get("also", [])):
        return False
    planted = case.get("evidence")
    return planted is None or any(abs(c.start - planted) <= 5 for c in answer.citations)


def _moment(seen: Observation) -> Moment:
    return Moment(seen.stream_id, seen.start, seen.end, (seen,), "0" * 64)


def _passes(seen: Observation, query: Query) -> bool:
    return (
        (query.stream_id is None or seen.stream_id == query.stream_id)
        and (query.start is None or seen.end >= query.start)
        and (query.end is None or seen.start <= query.end)
        and (not query.kinds or seen.kind in query.kinds)
        and (not query.roles or seen.role in query.roles)
        and (query.before is None or seen.end <= query.before)
    )
