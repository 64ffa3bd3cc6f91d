"""What was planted in a recording, and whether an answer is right.

A truth file is JSON: `questions`, each with `kind`, `question`, `expect` (any of these words),
`forbid` (none of these) and `evidence` ([start, end] spans, seconds); `live_questions` are the ones
the recording itself asks (`text`, `start`, `end`, `expect`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SLACK = 4.0  # seconds a cited span may lie beside the planted one
WHEN_SLACK = 60.0  # seconds a told time may be off
_NUMBERS = {
    word: value
    for value, word in enumerate("zero one two three four five six seven eight nine ten".split())
}


@dataclass(frozen=True, slots=True)
class Planted:
    """One question of a truth file."""

    kind: str
    question: str
    expect: tuple[str, ...]
    forbid: tuple[str, ...]
    evidence: tuple[tuple[float, float], ...]


def read(path: Path) -> list[Planted]:
    """The questions of a truth file."""
    body = json.loads(path.read_text())
    return [
        Planted(
            one["kind"],
            one["question"],
            tuple(one["expect"]),
            tuple(one["forbid"]),
            tuple((start, end) for start, end in one["evidence"]),
        )
        for one in body["questions"]
    ]


def right(planted: Planted, text: str, abstained: bool, cited: list[dict[str, Any]] | None) -> bool:
    """`cited` None: citations do not count (a control gives none)."""
    if planted.kind == "unanswerable":
        return abstained
    if abstained or any(_says(text, word) for word in planted.forbid):
        return False
    if planted.kind == "when":
        (start, _), *_ = planted.evidence
        if not any(abs(told - start) <= WHEN_SLACK for told in _times(text)):
            return False
    elif not any(_says(text, word) for word in planted.expect):
        return False
    if planted.kind == "saw_object" and re.match(
        r"\s*no\b|.*\b(did not|didn't|never)\b", text.lower()
    ):
        return False
    return cited is None or not planted.evidence or _cites(cited, planted.evidence)


def _cites(cited: list[dict[str, Any]], spans: tuple[tuple[float, float], ...]) -> bool:
    return any(
        one["start"] <= end + SLACK and one["end"] >= start - SLACK
        for one in cited
        for start, end in spans
    )


def _says(text: str, word: str) -> bool:
    pattern = rf"(?<![a-z0-9]){re.escape(word.lower())}(?:e?s)?(?![a-z0-9])"
    return re.search(pattern, text.lower()) is not None


def _times(text: str) -> list[float]:
    """Every time a text names, in seconds: 01:35, 1:02:10, 95 seconds, two minutes."""
    low = text.lower()
    found = [
        int(h or 0) * 3600.0 + int(m) * 60 + int(s)
        for h, m, s in re.findall(r"(?:(\d+):)?(\d{1,2}):(\d{2})(?!\d)", low)
    ]
    number = r"(\d+(?:\.\d+)?|" + "|".join(_NUMBERS) + ")"
    for count, unit in re.findall(number + r"\s*(min|sec)", low):
        value = float(_NUMBERS.get(count, 0)) if count in _NUMBERS else float(count)
        found.append(value * 60 if unit == "min" else value)
    return found
