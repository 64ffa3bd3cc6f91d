"""Where an episode ends, and what it keeps: pure functions over moments, or over episodes below.

Boundaries are where the content shifts, as TextTiling finds them (Hearst 1997): what is said and
shown within a window before a gap is compared with the window after it. An episode is only closed
when nothing that may still come can move its end, so the boundaries do not depend on how moments
arrive, and closing the same moments again gives the same episodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]

# What each sign of a shift adds to the score of a boundary, at most.
HEARD, COHESION, SEEN, SPEAKER, PAUSE = 1.0, 0.5, 0.5, 0.3, 0.5
PAUSE_SECONDS = 30.0  # a silence that tells as much as one can
STRONG = 1.0  # a score above which the content has changed, whatever else is near


@dataclass(frozen=True, slots=True)
class Unit:
    """What episodes are made of: a moment, or an episode of the level below. Vectors float32 [384],
    not normalised; None where nothing was said or read (`heard`), or seen (`seen`)."""

    start: float
    end: float
    heard: Vector | None
    seen: Vector | None
    terms: Counter[str] = field(default_factory=Counter)
    speakers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. `gap`: a pause that ends an episode by itself."""

    shortest: float
    longest: float
    window: float
    gap: float

    @property
    def certain(self) -> float:
        """An episode that begins at t is settled once the stream has come to t + this."""
        return self.longest + self.window


MINUTE, HOUR = 60.0, 3600.0
# Minutes, hours, days.
LEVELS = {
    1: Limits(1.5 * MINUTE, 10 * MINUTE, 1.5 * MINUTE, 5 * MINUTE),
    2: Limits(0.5 * HOUR, 1.5 * HOUR, 0.25 * HOUR, 0.75 * HOUR),
    3: Limits(6 * HOUR, 24 * HOUR, 1.5 * HOUR, 5 * HOUR),
}


def segments(units: Sequence[Unit], limits: Limits, ended: bool = False) -> list[tuple[int, int]]:
    """First and past-the-last index of each episode whose end is certain, in order.

    `units` in order of start, beginning with the first that belongs to no episode yet. With `ended`
    nothing more will come, and the last episode is closed too.
    """
    closed: list[tuple[int, int]] = []
    first = 0
    while first < len(units):
        past = _past(units, first, limits, ended)
        if past is None:
            break
        closed.append((first, past))
        first = past
    return closed


def _past(units: Sequence[Unit], first: int, limits: Limits, ended: bool) -> int | None:
    begin, reach = units[first].start, units[first].end
    candidates: list[int] = []
    whole: int | None = len(units) if ended else None
    for at in range(first + 1, len(units)):
        if units[at].start - reach >= limits.gap:
            whole = at
            break
        if units[at].start - begin > limits.longest:
            if units[-1].start < begin + limits.certain and not ended:
                return None
            return _chosen(units, first, candidates, limits) or (candidates or [at])[-1]
        if units[at].start - begin >= limits.shortest:
            candidates.append(at)
        reach = max(reach, units[at].end)
    if whole is None:
        return None
    inside = [at for at in candidates if reach - units[at].start >= limits.shortest]
    return _strong(units, first, inside, limits) or whole


def _chosen(units: Sequence[Unit], first: int, candidates: list[int], limits: Limits) -> int | None:
    """The first clear shift, else the greatest; of equals the latest."""
    strong = _strong(units, first, candidates, limits)
    if strong is not None or not candidates:
        return strong
    scores = [shift(units, first, at, limits.window) for at in candidates]
    return max(zip(scores, candidates, strict=True))[1]


def _strong(units: Sequence[Unit], first: int, candidates: list[int], limits: Limits) -> int | None:
    """The first local maximum that stands out from the others and is strong by itself."""
    if not candidates:
        return None
    scores = np.array([shift(units, first, at, limits.window) for at in candidates])
    least = max(STRONG, float(scores.mean() + scores.std() / 2))
    for n, score in enumerate(scores):
        around = scores[max(0, n - 2) : n + 3]
        if score >= least and score >= around.max():
            return candidates[n]
    return None


def shift(units: Sequence[Unit], first: int, at: int, window: float) -> float:
    """How much the content changes between `units[at - 1]` and `units[at]`, from 0 up."""
    edge = units[at].start
    before = [u for u in units[first:at] if u.end >= edge - window] or [units[at - 1]]
    after = [units[at]]
    for unit in units[at + 1 :]:
        if unit.start > edge + window:
            break
        after.append(unit)
    pause = max(0.0, edge - max(u.end for u in before))
    return (
        HEARD * _unlike([u.heard for u in before], [u.heard for u in after])
        + COHESION * _incohesion(before, after)
        + SEEN * _unlike([u.seen for u in before], [u.seen for u in after])
        + SPEAKER * _others(before, after)
        + PAUSE * min(1.0, pause / PAUSE_SECONDS)
    )


def _unlike(before: Sequence[Vector | None], after: Sequence[Vector | None]) -> float:
    """One minus the cosine of both means; half where only one side has anything."""
    one, other = _sum(before), _sum(after)
    if one is None or other is None:
        return 0.0 if one is other else 0.5
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return 1.0 - float(one @ other) / length if length > 0 else 0.0


def _sum(vectors: Sequence[Vector | None]) -> Vector | None:
    present = [vector for vector in vectors if vector is not None]
    if not present:
        return None
    total: Vector = np.sum(present, axis=0, dtype=np.float32)
    return total


def _incohesion(before: Sequence[Unit], after: Sequence[Unit]) -> float:
    """One minus the cosine of the word counts of both sides."""
    one: Counter[str] = Counter()
    other: Counter[str] = Counter()
    for unit in before:
        one.update(unit.terms)
    for unit in after:
        other.update(unit.terms)
    if not one or not other:
        return 0.0
    common = sum(count * other[term] for term, count in one.items())
    length = sum(c * c for c in one.values()) * sum(c * c for c in other.values())
    return 1.0 - float(common / length**0.5)


def _others(before: Sequence[Unit], after: Sequence[Unit]) -> float:
    """The share of the speakers that only one side has."""
    one = frozenset().union(*(u.speakers for u in before))
    other = frozenset().union(*(u.speakers for u in after))
    if not one or not other:
        return 0.0
    return 1.0 - len(one & other) / len(one | other)
