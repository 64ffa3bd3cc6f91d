"""Long conversations with questions and the turns that hold each answer, as a JSON file:

{"stream_id", "wall_start", "observations": [{"kind", "start", "end", "text", "speaker", "ref",
"image"?}], "questions": [{"question", "category", "evidence": [ref, ...]}]}

LoCoMo (Maharana et al. 2024, arXiv 2402.17753) brought into that form is what the figures use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from perception.records import Moment, Observation, Stream

UNANSWERABLE = "adversarial"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the refs of the turns that hold its answer."""

    question: str
    category: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One stream of turns and what is asked about it."""

    stream: Stream
    turns: tuple[Observation, ...]
    questions: tuple[Asked, ...]

    @property
    def moments(self) -> list[Moment]:
        return [Moment(self.stream.id, turn.start, turn.end, (turn,)) for turn in self.turns]


def load(path: Path) -> Conversation:
    """Questions without an answer are left out."""
    given = json.loads(path.read_text(encoding="utf-8"))
    stream = Stream(given["stream_id"], datetime.fromisoformat(given["wall_start"]), path.name)
    turns = tuple(_turn(stream.id, turn) for turn in given["observations"])
    questions = tuple(
        Asked(asked["question"], asked["category"], tuple(asked["evidence"]))
        for asked in given["questions"]
        if asked["category"] != UNANSWERABLE
    )
    return Conversation(stream, turns, questions)


def _turn(stream_id: str, turn: Mapping[str, Any]) -> Observation:
    text = turn["text"]
    if turn.get("image"):
        text += f" [shows a picture: {turn['image']}]"
    return Observation(
        stream_id, turn["kind"], turn["start"], turn["end"], text, turn["speaker"], turn["ref"]
    )


def recall(found: Sequence[str | None], asked: Asked) -> float:
    """The share of the evidence that is among what was found."""
    return sum(ref in found for ref in asked.evidence) / len(asked.evidence)
