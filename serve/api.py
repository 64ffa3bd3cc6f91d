"""The shapes of requests and responses over HTTP, and the one place that checks what users send."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from memory.records import Correction, Episode, Fact, Hit, put_right
from perception.records import Kind, Moment, Observation, Role, Stream
from reasoning.records import keyframe_url

# A year of stream time. Beyond it a number is a mistake, usually a Unix time or milliseconds.
LONGEST_STREAM = 366 * 86_400.0
LEVELS = ("minutes", "hours", "days")  # of episodes, lowest first


# Control characters but tab and line ends: OCR and documents are full of them, and nobody reads them.
_UNSAID = {code: " " for code in (*range(9), 11, 12, *range(14, 32), *range(127, 160))}


def _utf8(text: str) -> str:
    """Lone surrogates are legal in JSON escapes and in no encoding: refuse them at the door."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("not valid Unicode text") from error
    return text


def _named(text: str) -> str:
    return _utf8(text).translate(_UNSAID).strip()


def _legible(text: str) -> str:
    text = _named(text)
    if not any(letter.isprintable() and letter != " " for letter in text):
        raise ValueError("there is nothing to read in it")
    return text


def _no_step(text: str) -> str:
    """Whatever builds a path of an address takes these for steps, and asks for something else."""
    if text in (".", ".."):
        raise ValueError(f"{text!r} cannot be the id of a stream")
    return text


Level = Literal["minutes", "hours", "days"]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_STREAM, allow_inf_nan=False)]
StreamId = Annotated[
    str,
    Field(description="At most 128 letters, digits, spaces inside, and any of . _ - @ + ="),
    StringConstraints(pattern=r"^[\w.\-@+=]([\w.\-@+= ]{0,126}[\w.\-@+=])?$"),
    AfterValidator(_no_step),
]
Words = Annotated[str, StringConstraints(max_length=8_000), AfterValidator(_legible)]
Line = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(_legible)]


class Body(BaseModel):
    """A JSON body: unknown fields and wrong types are refused, not guessed at."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Asked(Body):
    """A question. `at` is when it is asked of: seconds on the stream, "m:ss", or an ISO 8601 time
    with a zone, which holds for all streams. `version` is the memory to answer from, as an
    earlier answer's `snapshot` names it."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"question": "Where did I leave the umbrella?", "stream_id": "kitchen"}]
        },
    )

    question: Line
    stream_id: StreamId | None = None
    at: float | str | None = None
    version: Annotated[int, Field(ge=0)] | None = None
    stream: bool = False


class Posted(Body):
    """One observation from outside. `start` and `end` are seconds from the stream's `wall_start`."""

    kind: Literal["speech", "screen_text", "vision", "sound"]
    start: Seconds
    end: Seconds
    text: Words
    speaker: Annotated[str, StringConstraints(max_length=200), AfterValidator(_named)] | None = None
    ref: Annotated[str, StringConstraints(max_length=500), AfterValidator(_utf8)] | None = None

    @model_validator(mode="after")
    def _forward(self) -> Posted:
        if self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        return self


class Observations(Body):
    """Observations of one stream. `wall_start` is ISO 8601 with a zone; default: now."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "stream_id": "meeting-12",
                    "wall_start": "2026-03-02T09:00:00+00:00",
                    "observations": [
                        {
                            "kind": "speech",
                            "start": 4.2,
                            "end": 7.9,
                            "text": "The projector remote is in the second drawer.",
                            "speaker": "Ines",
                            "ref": "turn-17",
                        }
                    ],
                }
            ]
        },
    )

    stream_id: StreamId
    wall_start: str | None = None
    observations: Annotated[list[Posted], Field(min_length=1, max_length=10_000)]


class Searched(Body):
    """A search; `start` and `end` are seconds on the stream. Of `stream_ids`, `kinds` and `roles`
    any may match; an empty list filters nothing."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "query": "projector remote",
                    "stream_id": "meeting-12",
                    "kinds": ["speech"],
                    "limit": 5,
                }
            ]
        },
    )

    query: Annotated[str, StringConstraints(max_length=100_000), AfterValidator(_utf8)]
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    stream_id: StreamId | None = None
    stream_ids: Annotated[list[StreamId], Field(max_length=10_000)] = []
    kinds: list[Kind] = []
    roles: list[Role] = []
    start: Seconds | None = None
    end: Seconds | None = None

    @model_validator(mode="after")
    def _forward(self) -> Searched:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        return self


class Forgotten(Body):
    """What to forget: a stream, a span of it, moments, or every moment that names an entity."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"stream_id": "meeting-12", "start": 60, "end": 90}]},
    )

    stream_id: StreamId | None = None
    start: Seconds | None = None
    end: Seconds | None = None
    moment_ids: Annotated[list[str], Field(max_length=10_000)] | None = None
    entity: Annotated[Line, StringConstraints(max_length=200)] | None = None

    @model_validator(mode="after")
    def _chosen(self) -> Forgotten:
        if self.stream_id is None and not self.moment_ids and self.entity is None:
            raise ValueError(
                "say what to forget: stream_id (with start, end), moment_ids or entity"
            )
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        return self


class Failure(BaseModel):
    """Every error has this shape."""

    error: dict[str, str] = Field(examples=[{"code": "not_found", "message": "no stream 'x'"}])


def wall_time(text: str) -> datetime:
    """An aware UTC time from ISO 8601 with a zone. Raises ValueError in words for the user."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text[:100]!r} is not an ISO 8601 time") from error
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: add one, like +00:00")
    if not 1000 <= moment.year < 9000:  # arithmetic ends with the years 1 and 9999
        raise ValueError(f"the year {moment.year} is not one of a recording")
    return moment.astimezone(UTC)


_CLOCK = re.compile(r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]\d(?:\.\d+)?)", re.ASCII)


def asked_of(at: float | str | None, stream: Stream | None) -> tuple[float | None, datetime | None]:
    """`at` of a question: seconds on its stream, and the time on the wall clock where it is one.
    Before the stream began there are no seconds. Raises ValueError in words for the user."""
    if at is None:
        return None, None
    wall = None
    if isinstance(at, str) and (clock := _CLOCK.fullmatch(at.strip())):
        hours, minutes, seconds = clock.groups()
        at = int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
    elif isinstance(at, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", at.strip()):
        at = float(at)
    elif isinstance(at, str):
        wall = wall_time(at)
        if stream is None or wall < stream.wall_start:
            return None, wall
        at = (wall - stream.wall_start).total_seconds()
    if not 0 <= at <= LONGEST_STREAM:
        raise ValueError(f"at {at} is not a time on a stream")
    return float(at), wall


def observation(stream_id: str, posted: Posted) -> Observation:
    """What was posted, as memory keeps it."""
    return Observation(
        stream_id=stream_id,
        kind=posted.kind,
        start=posted.start,
        end=posted.end,
        text=posted.text,
        speaker=posted.speaker or None,
        ref=posted.ref,
    )


def stream_json(stream: Stream) -> dict[str, Any]:
    """A stream over HTTP."""
    return {
        "stream_id": stream.id,
        "wall_start": stream.wall_start.isoformat(),
        "source": stream.source,
        "seconds": stream.seconds,
    }


def observation_json(seen: Observation) -> dict[str, Any]:
    """An observation over HTTP."""
    return {
        "kind": seen.kind,
        "start": seen.start,
        "end": seen.end,
        "text": seen.text,
        "speaker": seen.speaker,
        "role": seen.role,
        "confidence": seen.confidence,
        "language": seen.language,
        "ref": seen.ref,
        "tags": [{"label": tag.label, "probability": tag.probability} for tag in seen.tags],
    }


def moment_json(moment: Moment) -> dict[str, Any]:
    """A moment over HTTP, with its observations."""
    return {
        "moment_id": moment.id,
        "stream_id": moment.stream_id,
        "start": moment.start,
        "end": moment.end,
        "text": moment.text,
        "keyframe": keyframe_url(moment.id) if moment.keyframe else None,
        "observations": [observation_json(seen) for seen in moment.observations],
    }


def hit_json(hit: Hit) -> dict[str, Any]:
    """A search result over HTTP."""
    seen = hit.observation
    return {
        "moment_id": hit.moment_id,
        "stream_id": seen.stream_id,
        "start": seen.start,
        "end": seen.end,
        "kind": "episode" if hit.outlived else seen.kind,
        "text": seen.text,
        "corrected": hit.corrected,
        "speaker": seen.speaker,
        "role": seen.role,
        "score": round(hit.score, 6),
        "similarity": round(hit.similarity, 4),
        "coverage": round(hit.coverage, 4),
        # The cosine of what is asked for and the picture, where that was found; not a share of 1.
        "likeness": None if hit.likeness is None else round(hit.likeness, 4),
        "ref": seen.ref,
        "keyframe": keyframe_url(hit.moment_id) if hit.keyframe else None,
    }


def episode_json(
    episode: Episode, corrections: Sequence[Correction], shown_in: Mapping[str, str]
) -> dict[str, Any]:
    """An episode over HTTP. `text` is the summary that people read, `extract` the one made of quotes;
    the quotes, best first, are as speakers put them right later. `shown_in`: the moment of each
    keyframe (SHA-256); a keyframe of none is left out."""
    quotes = []
    for one in episode.quotes:
        seen = one.observation
        right = put_right(corrections, one.id, seen.stream_id, seen.start, seen.text)
        quotes.append(
            {
                "moment_id": one.moment_id,
                "kind": seen.kind,
                "start": seen.start,
                "end": seen.end,
                "text": seen.text if right is None else right,
                "speaker": seen.speaker,
                "ref": seen.ref,
            }
        )
    return {
        "episode_id": episode.id,
        "stream_id": episode.stream_id,
        "level": LEVELS[episode.level - 1],
        "start": episode.start,
        "end": episode.end,
        "wall_start": episode.wall_start.isoformat(),
        "text": episode.told,
        "written_by": episode.written,
        "extract": episode.text,
        "moments": episode.moments,
        "keyframes": [keyframe_url(shown_in[one]) for one in episode.keyframes if one in shown_in],
        "quotes": quotes,
    }


def fact_json(fact: Fact) -> dict[str, Any]:
    """A fact over HTTP."""
    return {**asdict(fact), "wall": fact.wall.isoformat()}
