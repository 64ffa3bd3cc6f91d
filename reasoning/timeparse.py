"""When a question is about: a span of the stream, a side of history, or the present.

Rules only. Stream times are seconds since the stream's start; clock times in a question may be
either ("at 2:30" is two and a half minutes in if the stream is that long, else half past two).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from reasoning.words import NUMBER_WORDS

History = Literal["first", "previous"]

_NUMBER = (
    r"(?P<n>\d+(?:\.\d+)?|an?|half an|half a|a couple of|a few|" + "|".join(NUMBER_WORDS) + ")"
)
_UNIT = r"(?P<unit>seconds?|secs?|minutes?|mins?|hours?|hrs?)"
_AGO = re.compile(rf"\b(?:about |around |roughly )?{_NUMBER} {_UNIT} ago\b", re.I)
_LAST = re.compile(
    rf"\b(?:in|within|during|over|for|from)? ?the (?:last|past) (?:{_NUMBER} )?{_UNIT}\b", re.I
)
_FIRST_SPAN = re.compile(rf"\b(?:in|within|during|over)? ?the first (?:{_NUMBER} )?{_UNIT}\b", re.I)
_INTO = re.compile(
    rf"\b(?:at|around|about)? ?{_NUMBER} {_UNIT} (?:in|into (?:it|the (?:stream|recording|video)))\b",
    re.I,
)
_CLOCK = re.compile(
    r"\b(?:at|around|about) (?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2}))?(?: ?(?P<half>[ap])\.?m\.?)?",
    re.I,
)
_BETWEEN = re.compile(r"\bbetween (\d{1,3}):(\d{2}) and (\d{1,3}):(\d{2})\b", re.I)
_JUST_NOW = re.compile(
    r"\b(?:just now|a moment ago|a (?:few )?seconds? ago|right before (?:this|now))\b", re.I
)
_DAY = re.compile(r"\b(today|this morning|this afternoon|this evening|yesterday)\b", re.I)
_FIRST = re.compile(
    r"\b(?:at first|originally|initially|(?:in|at) the (?:beginning|start|outset)\b(?! of)|in the first place|to begin with|to start with|first of all|"
    r"before (?:it|they|that|he|she|i|we|you)\b.*\b(?:moved?|changed?|put|postponed|rescheduled|took|shifted|went)\w*|"
    r"\bbefore any\b|\bdid \w+ start\b.*\b(?:at|with|from)\s*\?*$|"
    r"(?:was|were|did \w+) .*\bfirst\b(?! (?:time|name|floor|aid|class|of)))",
    re.I,
)
_PREVIOUS = re.compile(
    r"\b(?:previously|earlier|before (?:that|then|this)|used? to be|used to|before now|prior|the last time before)\b|"
    r"\b(?:was|were|did|had)\b.*\bbefore\b(?:\s*\??$| (?:the|our|my|it|they|he|she|we)\b)",
    re.I,
)
_PRESENT = re.compile(
    r"^(?:what(?:'s| is| are) (?:this|that|these|those|it|here|in front of you)(?: \w+)?|"
    r"what (?:do|can) you (?:\w+ )?see(?: (?:now|right now|here|at the moment|in front of you))?|"
    r"what am i (?:holding|showing(?: you)?|pointing at|wearing|looking at)(?: (?:now|here|up|in my hand))?|"
    r"what(?:'s| is) (?:in my hand|on (?:the|my|this) (?:screen|slide|slides|page|whiteboard|board|wall|monitor|display|desk|table)|in front of me|happening|going on)"
    r"(?: (?:now|right now|here|at the moment))?|describe (?:what you see|the scene|this)|"
    r"(?:can|do) you see (?:this|me|that)|who is (?:this|here|that)|what are you (?:seeing|looking at)(?: now)?)\s*[?.!]*$",
    re.I,
)
_RECENT = re.compile(r"\b(?:last|latest|most recent|most recently)\b", re.I)


@dataclass(frozen=True, slots=True)
class TimeReference:
    """`start` and `end` in stream seconds; `wall_*` where the question means the clock on the wall.
    `rest` is the question without the words that said when."""

    rest: str
    start: float | None = None
    end: float | None = None
    wall_start: datetime | None = None
    wall_end: datetime | None = None
    history: History | None = None
    present: bool = False
    recent: bool = False

    @property
    def bounded(self) -> bool:
        return any(v is not None for v in (self.start, self.end, self.wall_start, self.wall_end))


def parse(question: str, now: float, wall_now: datetime) -> TimeReference:
    """`now`: the stream time it is asked at; `wall_now`: the same instant on the wall (aware)."""
    text = " ".join(question.split())
    if _PRESENT.match(text):
        return TimeReference(text, present=True)
    history: History | None = None
    if _FIRST.search(text):
        history = "first"
    elif _PREVIOUS.search(text):
        history = "previous"
    recent = history is None and _RECENT.search(text) is not None
    for read in (_relative, _clock, _day):
        found = read(text, now, wall_now)
        if found is not None:
            rest, span = found
            return TimeReference(_tidy(rest), **span, history=history, recent=recent)  # type: ignore[arg-type]  # only times are in it
    return TimeReference(text, history=history, recent=recent)


_Found = tuple[str, dict[str, float | datetime]]


def _relative(text: str, now: float, wall_now: datetime) -> _Found | None:
    if match := _JUST_NOW.search(text):
        return _without(text, match), {"start": max(0.0, now - 60), "end": now}
    if match := _AGO.search(text):
        seconds = _seconds(match)
        slack = max(20.0, seconds * 0.2)
        return _without(text, match), {
            "start": max(0.0, now - seconds - slack),
            "end": max(0.0, now - seconds + slack),
        }
    if match := _LAST.search(text):
        return _without(text, match), {"start": max(0.0, now - _seconds(match)), "end": now}
    if match := _FIRST_SPAN.search(text):
        return _without(text, match), {"start": 0.0, "end": _seconds(match)}
    if match := _INTO.search(text):
        seconds = _seconds(match)
        slack = max(20.0, seconds * 0.15)
        return _without(text, match), {"start": max(0.0, seconds - slack), "end": seconds + slack}
    return None


def _clock(text: str, now: float, wall_now: datetime) -> _Found | None:
    if match := _BETWEEN.search(text):
        a, b, c, d = (int(g) for g in match.groups())
        return _without(text, match), {"start": a * 60.0 + b, "end": c * 60.0 + d}
    match = _CLOCK.search(text)
    if not match or re.match(r"(?:is|are|was|were|does|do|will)\b.*\b(?:at|around)\b", text, re.I):
        return None  # "is the meeting at 14:30?" asks about the time, not at the time
    h, m, s = int(match["h"]), int(match["m"]), match["s"]
    into = h * 3600.0 + m * 60 + int(s) if s else h * 60.0 + m
    if not match["half"] and into <= now:
        return _without(text, match), {"start": max(0.0, into - 15), "end": into + 15}
    hour = h % 12 + 12 * (match["half"] or "").lower().startswith("p") if match["half"] else h
    if hour > 23 or m > 59:
        return None
    wall = wall_now.replace(hour=hour, minute=m, second=0, microsecond=0)
    if wall > wall_now:
        wall -= timedelta(days=1)
    return _without(text, match), {
        "wall_start": wall - timedelta(minutes=5),
        "wall_end": wall + timedelta(minutes=5),
    }


_PARTS = {
    "today": (0, 24),
    "this morning": (4, 12),
    "this afternoon": (12, 18),
    "this evening": (17, 24),
}


def _day(text: str, now: float, wall_now: datetime) -> _Found | None:
    match = _DAY.search(text)
    if not match:
        return None
    midnight = wall_now.replace(hour=0, minute=0, second=0, microsecond=0)
    word = match.group(1).lower()
    if word == "yesterday":
        midnight, (a, b) = midnight - timedelta(days=1), (0, 24)
    else:
        a, b = _PARTS[word]
    return _without(text, match), {
        "wall_start": midnight + timedelta(hours=a),
        "wall_end": midnight + timedelta(hours=b),
    }


def _seconds(match: re.Match[str]) -> float:
    said = (match["n"] or "one").lower()
    number = {"a": 1, "an": 1, "half a": 0.5, "half an": 0.5, "a couple of": 2, "a few": 3}.get(
        said
    )
    if number is None:
        number = NUMBER_WORDS.get(said) or float(said)
    unit = match["unit"].lower()
    return float(number) * (1 if unit.startswith("s") else 60 if unit.startswith("m") else 3600)


def _without(text: str, match: re.Match[str]) -> str:
    return text[: match.start()] + " " + text[match.end() :]


def _tidy(text: str) -> str:
    return re.sub(r"\s+([?.!,])", r"\1", " ".join(text.split()))


def clock(seconds: float) -> str:
    """A stream time as people read it: 01:48, or 1:02:10 past the hour."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes:02}:{whole % 60:02}"


def roughly(seconds: float) -> str:
    """A duration as people say it: 'half a minute', 'about 3 minutes', 'about 2 hours'."""
    if seconds < 20:
        return "a few seconds"
    if seconds < 50:
        return "about half a minute"
    if seconds < 5400:
        minutes = max(1, round(seconds / 60))
        return f"about {minutes} minute{'s' * (minutes != 1)}"
    hours = seconds / 3600
    return f"about {hours:.1f}".removesuffix(".0") + " hours"
