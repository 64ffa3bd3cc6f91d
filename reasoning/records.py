"""A question, and the answer with its evidence. The JSON form is fixed: see `Answer.to_json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from memory.records import Kind, Snapshot

Trigger = Literal["asked", "spoken"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question that was answered. `cited`: stream time of the earliest evidence, if any."""

    question: str
    answer: str
    cited: float | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """What the camera showed at a time of the stream, encoded (WebP or JPEG)."""

    time: float
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """`at` is the stream time the question is asked at (None: now, the end of what is remembered).
    `wall` is that time on the wall clock, for all streams; `version` is the version of memory to
    answer from (None: the present one).
    `follows` is what was asked and answered before, for a question that leans on it.
    `frames`: what the camera shows as it is asked, the latest last, for a model that sees."""

    text: str
    stream_id: str | None = None
    at: float | None = None
    trigger: Trigger = "asked"
    utterance: dict[str, Any] | None = None  # {"text", "start", "end"} of a spoken question
    follows: Exchange | None = None
    wall: datetime | None = None
    version: int | None = None
    frames: tuple[Frame, ...] = ()


def keyframe_url(moment_id: str) -> str:
    """Where a moment's picture is: a path of the HTTP API. An id holds its stream's, in any script."""
    return f"/v1/moments/{quote(moment_id, safe=':@+=')}/keyframe"


@dataclass(frozen=True, slots=True)
class Citation:
    """A memory that an answer rests on."""

    moment_id: str
    stream_id: str
    start: float
    end: float
    kind: Kind | Literal["fact", "episode"]
    quote: str
    keyframe: str | None  # URL path, or None
    heard: str | None = None  # what was heard, where the quote was put right by a speaker


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds since the question (since the end of speech, for a spoken one)."""

    gate_ms: float = 0.0
    retrieval_ms: float = 0.0
    first_token_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer's text, as it is generated. `opening`: how it begins, before anything
    is claimed; it may be said at once."""

    text: str
    opening: bool = False


@dataclass(frozen=True, slots=True)
class Replace:
    """The text so far did not stand in the evidence: show this instead of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, from what, and how long it took."""

    question: str
    answer: str
    abstained: bool
    citations: tuple[Citation, ...]
    snapshot: Snapshot
    timings: Timings
    trigger: Trigger = "asked"
    method: Literal["generated", "quoted", "abstained"] = (
        "generated"  # "quoted": the model's words did not stand
    )
    utterance: dict[str, Any] | None = field(default=None)
    failure: str | None = None  # why the model did not answer, where it failed
    silent: bool = False  # it failed by saying nothing in time

    def to_json(self) -> dict[str, Any]:
        fields = asdict(self)
        for absent in ("utterance", "failure", "silent"):
            if not fields[absent]:
                del fields[absent]
        return {"type": "answer", **fields}
