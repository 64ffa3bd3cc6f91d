"""What callers give to be remembered, checked before anything of it is written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import get_args

from memory.errors import InvalidRequest
from perception.records import KINDS, Moment, Observation, Role, Stream

ROLES = get_args(Role)


def check_given(stream: Stream, moments: Sequence[Moment]) -> None:
    """Raises `InvalidRequest` for what is not of the stream, not a span of time, or no text."""
    if not stream.id:
        raise InvalidRequest("a stream needs an id")
    if stream.wall_start.tzinfo is None:
        raise InvalidRequest("a stream's wall_start needs a time zone")
    _check_texts((stream.id, stream.source))
    _check_span(0.0, stream.seconds)
    furthest = stream.seconds
    for moment in moments:
        _check_stream(moment.stream_id, stream.id)
        _check_span(moment.start, moment.end)
        for seen in moment.observations:
            _check_stream(seen.stream_id, stream.id)
            _check_span(seen.start, seen.end)
            _check_seen(seen)
        furthest = max([furthest, moment.end, *(seen.end for seen in moment.observations)])
    wall_at(stream, furthest)


def wall_at(stream: Stream, seconds: float) -> datetime:
    """That time of the stream on the wall clock. Raises `InvalidRequest` where there is none."""
    try:
        return stream.wall_start + timedelta(seconds=seconds)
    except (OverflowError, ValueError, TypeError):
        raise InvalidRequest(f"{seconds} is no time on a stream") from None


def _check_seen(seen: Observation) -> None:
    if seen.kind not in KINDS or seen.role not in ROLES:
        raise InvalidRequest(f"there is no {seen.kind!r} that is a {seen.role!r}"[:200])
    beside = (seen.speaker, seen.ref, seen.language)
    _check_texts((seen.text, *(tag.label for tag in seen.tags)))
    _check_texts(text for text in beside if text is not None)


def _check_texts(texts: Iterable[object]) -> None:
    for text in texts:
        if not isinstance(text, str):
            raise InvalidRequest(f"{text!r} is not a text"[:200])
        try:
            text.encode()
        except UnicodeEncodeError as lone:
            raise InvalidRequest(f"half a character in a text: {lone.reason}") from None


def _check_stream(stream_id: str, expected: str) -> None:
    if stream_id != expected:
        raise InvalidRequest(f"{stream_id[:200]!r} does not belong to {expected[:200]!r}")


def _check_span(start: float, end: float) -> None:
    try:
        forward = math.isfinite(start) and math.isfinite(end) and 0 <= start <= end
    except TypeError:  # what an archive has in a number's place
        forward = False
    if not forward:
        raise InvalidRequest(f"a span must be finite and forward, not {start} to {end}")
