"""What to give up of an hour so that it fits its bytes: pure, from the least missed upwards.

In this order, each step only as far as needed:
1. keyframes that show the same become one      4. sounds and tags of low salience
2. keyframes of the least salient moments       5. readings and speech of low salience
3. readings and tags that repeat become one     6. what episodes quote, 7. their own keyframes
What is pinned stays. Within a step the least salient goes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from memory.likeness import Hash, alike
from memory.words import stems
from perception.records import Kind

# A row of the observations table on disk: its vector, its columns and its share of the indexes;
# and each byte of its text, as Lance compresses it, and of what facts and episodes take of it.
ROW_BYTES = 500
TEXT_FACTOR = 1.2
# Rows of the other tables that grow with a stream, once their small files have been merged.
EPISODE_BYTES = 5_000
FACT_BYTES = 450
LEDGER_BYTES = 600  # of an hour or a day, without what is known of each thing that is gone
GONE_BYTES = 14

REPEATING: tuple[Kind, ...] = ("screen_text", "vision", "sound")


@dataclass(frozen=True, slots=True)
class Weighed:
    """An observation and what it is worth. `quoted`: an episode quotes it."""

    id: str
    moment_id: str
    kind: Kind
    start: float
    end: float
    text: str
    salience: float
    quoted: bool = False
    pinned: bool = False

    @property
    def bytes(self) -> int:
        return row_bytes(self.text)


@dataclass(frozen=True, slots=True)
class Pictured:
    """A moment's keyframe. `best`: its episode shows it; `reading`: what is read in it, which a
    small grey copy does not tell."""

    moment_id: str
    digest: str
    bytes: int
    salience: float
    hash: Hash | None = None
    reading: frozenset[str] = frozenset()
    best: bool = False
    pinned: bool = False


@dataclass(slots=True)
class Verdict:
    """What is given up: by moment, the keyframe of another that takes the place of its own, or
    none; the observations that others stand for; those that are gone."""

    keyframes: dict[str, str | None] = field(default_factory=dict)
    merged: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)


def row_bytes(text: str) -> int:
    """About what an observation takes on disk."""
    return ROW_BYTES + int(TEXT_FACTOR * len(text.encode(errors="replace")))


def size_of(observations: Iterable[Weighed], pictures: Iterable[Pictured]) -> int:
    """Bytes of an hour; a keyframe that two moments show counts once."""
    shown = {picture.digest: picture.bytes for picture in pictures}
    return sum(seen.bytes for seen in observations) + sum(shown.values())


def hold(observations: Sequence[Weighed], pictures: Sequence[Pictured], target: int) -> Verdict:
    """What to give up so that the rest fits `target` bytes, as far as that can be."""
    verdict = Verdict()
    over = size_of(observations, pictures) - target
    if over <= 0:
        return verdict
    gallery = _Gallery(pictures)
    over -= _merge_pictures(gallery, verdict)
    over -= _drop_pictures(gallery, verdict, over, best=False)
    if over > 0:
        over -= _merge_repeats(observations, verdict)
    for kinds, quoted in (
        (("vision", "sound"), False),
        (("screen_text", "speech"), False),
        (("vision", "sound"), True),
        (("screen_text", "speech"), True),
    ):
        own = [o for o in observations if o.kind in kinds and o.quoted is quoted]
        over -= _drop(own, verdict, over)
    _drop_pictures(gallery, verdict, over, best=True)
    return verdict


class _Gallery:
    """Which moments show which picture, as it is changed."""

    def __init__(self, pictures: Sequence[Pictured]) -> None:
        self.pictures = list(pictures)
        self.shown = {picture.moment_id: picture.digest for picture in pictures}
        self.count = Counter(self.shown.values())
        self.bytes = {picture.digest: picture.bytes for picture in pictures}

    def show(self, moment_id: str, digest: str | None) -> int:
        """The bytes that are freed when the moment shows that picture instead, or none."""
        old = self.shown.pop(moment_id, None)
        if digest is not None:
            self.shown[moment_id] = digest
            self.count[digest] += 1
        if old is None:
            return 0
        self.count[old] -= 1
        return 0 if self.count[old] else self.bytes[old]


def _merge_pictures(gallery: _Gallery, verdict: Verdict) -> int:
    """The pictures that episodes show, and pinned ones, stand for those like them."""
    freed = 0
    first = sorted(gallery.pictures, key=lambda p: (not (p.best or p.pinned), p.moment_id))
    kept: list[Pictured] = []
    hashes = np.empty((0, 4), np.uint64)
    for picture in first:
        if picture.hash is None:
            continue
        at = np.flatnonzero(alike(picture.hash, hashes))
        same = next((kept[n] for n in at if kept[n].reading == picture.reading), None)
        if same is None or picture.pinned or picture.best:
            kept.append(picture)
            hashes = np.vstack([hashes, picture.hash[None]])
        elif same.digest != picture.digest:
            verdict.keyframes[picture.moment_id] = same.digest
            freed += gallery.show(picture.moment_id, same.digest)
    return freed


def _drop_pictures(gallery: _Gallery, verdict: Verdict, over: int, best: bool) -> int:
    freed = 0
    for picture in sorted(gallery.pictures, key=lambda p: (p.salience, p.moment_id)):
        if freed >= over:
            break
        if picture.pinned or (picture.best and not best) or picture.moment_id not in gallery.shown:
            continue
        verdict.keyframes[picture.moment_id] = None
        freed += gallery.show(picture.moment_id, None)
    return freed


def _merge_repeats(observations: Sequence[Weighed], verdict: Verdict) -> int:
    """Of what is read, seen or heard again and again, the first, the last, and what is quoted stay."""
    groups: dict[tuple[str, frozenset[str]], list[Weighed]] = {}
    for seen in observations:
        if seen.kind in REPEATING:
            groups.setdefault((seen.kind, frozenset(stems(seen.text))), []).append(seen)
    freed = 0
    for group in groups.values():
        ordered = sorted(group, key=lambda seen: (seen.start, seen.id))
        for seen in ordered[1:-1]:
            if not (seen.pinned or seen.quoted):
                verdict.merged.add(seen.id)
                freed += seen.bytes
    return freed


def _drop(observations: Sequence[Weighed], verdict: Verdict, over: int) -> int:
    freed = 0
    for seen in sorted(observations, key=lambda seen: (seen.salience, seen.id)):
        if freed >= over:
            break
        if seen.pinned or seen.id in verdict.merged:
            continue
        verdict.dropped.add(seen.id)
        freed += seen.bytes
    return freed
