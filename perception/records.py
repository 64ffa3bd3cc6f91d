"""What perception produces: observations, and the moments that hold them.

Times are seconds on the stream (float, since its start). Audio is float32 mono at 16 kHz in
[-1, 1]; images are uint8 RGB, H x W x 3. Ids are deterministic: the same thing fed twice gets
the same id, so that writing it twice changes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

SAMPLE_RATE = 16_000

Kind = Literal["speech", "screen_text", "vision", "sound"]
KINDS: tuple[Kind, ...] = ("speech", "screen_text", "vision", "sound")

# What an utterance is to the agent: something said, something asked of the agent, or the agent's
# own answer. Questions and answers are remembered, but they are not evidence.
Role = Literal["statement", "question", "answer"]


@dataclass(frozen=True, slots=True)
class Tag:
    """One label a frame was given, with its probability in [0, 1]."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing seen or heard between `start` and `end` (seconds on the stream, end >= start)."""

    stream_id: str
    kind: Kind
    start: float
    end: float
    text: str
    speaker: str | None = None
    ref: str | None = None  # whatever the sender calls it; given back untouched
    role: Role = "statement"
    confidence: float = 1.0  # [0, 1]
    language: str | None = None  # ISO 639-1
    tags: tuple[Tag, ...] = ()  # vision only

    @property
    def id(self) -> str:
        """Deterministic; see `observation_id`."""
        return observation_id(
            self.stream_id, self.kind, self.start, self.text, self.speaker, self.ref
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """A few seconds cut where the scene, the speaker or the activity changes."""

    stream_id: str
    start: float
    end: float
    observations: tuple[Observation, ...]
    keyframe: str | None = None  # SHA-256 of the encoded picture, its name in the media store

    @property
    def id(self) -> str:
        """Deterministic; see `moment_id`."""
        return moment_id(self.stream_id, self.start)

    @property
    def text(self) -> str:
        """One line per observation, in order of time: what embeds, searches and reads as the moment."""
        return "\n".join(o.text for o in sorted(self.observations, key=lambda o: (o.start, o.kind)))


@dataclass(frozen=True, slots=True)
class Stream:
    """One live or recorded source. `wall_start` is its beginning on the wall clock (aware, UTC)."""

    id: str
    wall_start: datetime
    source: str = ""  # file name, "webrtc", "http"
    seconds: float = 0.0  # how far it has been perceived


def milliseconds(seconds: float) -> int:
    """Seconds as whole milliseconds, the grain of ids."""
    return round(seconds * 1000)


def moment_id(stream_id: str, start: float) -> str:
    """A moment's id: its stream and where it starts."""
    return f"{stream_id}:{milliseconds(start):010d}"


def observation_id(
    stream_id: str, kind: str, start: float, text: str, speaker: str | None, ref: str | None
) -> str:
    """Stream, start and kind, and a digest that keeps apart what two people say at one instant."""
    said = "\x1f".join((text, speaker or "", ref or ""))
    digest = hashlib.blake2s(said.encode(), digest_size=4).hexdigest()
    return f"{moment_id(stream_id, start)}:{kind}:{digest}"
