"""Giving up part of an hour: weigh it, decide, change the tables, write the ledger, in one commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from memory.budget import (
    EPISODE_BYTES,
    FACT_BYTES,
    GONE_BYTES,
    LEDGER_BYTES,
    ROW_BYTES,
    Pictured,
    Verdict,
    Weighed,
    hold,
    row_bytes,
)
from memory.compress import Held, moments_of
from memory.episode_rows import COUNTED, EPISODES
from memory.knowledge import Knowledge
from memory.ledger import (
    HOUR,
    Entry,
    Ledger,
    joined_spans,
    keyframe_key,
    moment_key,
    span_of,
    word_hash,
)
from memory.likeness import Hash
from memory.picture_rows import vector_bytes
from memory.place import Media
from memory.rows import delete_rows, put
from memory.tables import MOMENTS, Tables, quote, select
from memory.weighing import pictured, weighed
from memory.words import stems

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contents:
    """An hour of a stream as the budget sees it."""

    stream_id: str
    hour: int
    span: tuple[float, float]  # seconds of the stream
    moments: tuple[Held, ...]
    observations: tuple[Weighed, ...]
    pictures: tuple[Pictured, ...]

    @property
    def bytes(self) -> int:
        shown = {picture.digest: picture.bytes for picture in self.pictures}
        return sum(seen.bytes for seen in self.observations) + sum(shown.values())

    @property
    def salience(self) -> float:
        return float(np.mean([seen.salience for seen in self.observations] or [0.0]))


@dataclass(frozen=True, slots=True)
class _Shown:
    """Keyframes that episodes show, and the first of each that is longer than minutes."""

    best: set[str]
    first: set[str]


class Giving:
    """Weighs and decides beside the writer. `commit` makes a change of a span of a stream, durably,
    unless moments were written to it meanwhile; what follows the change comes before any other.
    `changed` is called when rows have gone."""

    def __init__(
        self,
        tables: Tables,
        media: Media,
        ledger: Ledger,
        commit: Callable[[str, float, float, Callable[[], None], Callable[[], None]], None],
        changed: Callable[[], None],
    ) -> None:
        self._tables = tables
        self._knowledge = Knowledge(tables)
        self._media = media
        self._ledger = ledger
        self._commit = commit
        self._changed = changed

    def contents(
        self,
        stream_id: str,
        hour: int,
        hashes: Mapping[str, Hash | None] | None = None,
        showing: bool = False,
    ) -> Contents | None:
        """The hour, or the day that the ledger counts from it on, weighed; None when nothing is
        there. With `showing`, a picture that stands for an hour or a day has to stay."""
        row = self._ledger.hours().get((stream_id, hour))
        low, high = hour * HOUR, (hour + (row["hours"] if row else 1)) * HOUR
        moments = moments_of(self._tables, stream_id, low, float(np.nextafter(high, low)))
        if not moments:
            return None
        quoted, shown, held = self._rested_on(stream_id, low, high, moments)
        pins = select(self._tables.pins, f"stream_id = {quote(stream_id)}", ["id"])
        pinned = {row["id"] for row in pins}
        # Only what an episode holds may go: the rest is as good as pinned.
        fixed = pinned | {moment.id for moment in moments if moment.id not in held}
        observations = weighed(moments, quoted, fixed, self._knowledge.resting(stream_id))
        sizes = self._sizes({m.keyframe for m in moments if m.keyframe})
        if showing:
            fixed |= {m.id for m in moments if m.keyframe in shown.first}
        pictures = pictured(moments, observations, sizes, shown.best, fixed, hashes or {})
        return Contents(stream_id, hour, (low, high), tuple(moments), observations, pictures)

    def account(self, contents: Contents, target: int | None) -> None:
        """Write down an hour of which nothing has to go."""
        entry = self._ledger.entry(contents.stream_id, contents.hour)
        entry.held_to = contents.bytes if target is None else target
        _count_kept(entry, contents.observations, contents.pictures, contents.salience)
        self._change(contents, lambda: self._ledger.write(entry), self._ledger.reload)

    def give(
        self, contents: Contents, target: int, leaving: Callable[[set[str]], None]
    ) -> set[str]:
        """Make the hour fit, as far as that can be; the keyframes that may be removed. They are
        given to `leaving` before anything is certain: until then moments show them."""
        verdict = hold(contents.observations, contents.pictures, target)
        entry, gone, moments, removed = accounted(self._ledger, contents, verdict, target)
        digests = {p.digest for p in contents.pictures if p.moment_id in verdict.keyframes}
        leaving(digests)

        def change() -> None:
            if moments:
                put(self._tables.moments, pa.Table.from_pylist(moments, MOMENTS))
            delete_rows(self._tables.moments, removed)
            self._outlive(contents, gone)
            delete_rows(self._tables.observations, gone)
            self._ledger.write(entry)

        def after() -> None:
            self._ledger.reload()
            self._changed()

        self._change(contents, change, after)
        return digests

    def _change(
        self, contents: Contents, change: Callable[[], None], after: Callable[[], None]
    ) -> None:
        self._commit(contents.stream_id, *contents.span, change, after)

    def unaccounted(self, rows: int, hours: Mapping[tuple[str, int], Row]) -> int:
        """About the bytes of what the ledger does not count: so many observations that it does not
        know yet, the keyframes of their moments, and the tables that grow as hours give up theirs."""
        files = sum(size for _, size in self._media.sizes())
        files += sum(vector_bytes(self._tables.pictures).values())
        counted = 0
        for row in hours.values():
            counted += row["kept_bytes"] - row["kept_observations"] * ROW_BYTES
        tables = self._tables.episodes.count_rows() * EPISODE_BYTES
        tables += self._tables.facts.count_rows() * FACT_BYTES
        for row in hours.values():
            gone = sum(row[f"{how}_{n}"] for how in ("merged", "dropped") for n in COUNTED[:2])
            tables += LEDGER_BYTES + GONE_BYTES * gone * (row["hours"] == 1)
        return max(0, rows) * row_bytes("x" * 60) + max(0, files - counted) + tables

    def _sizes(self, digests: set[str]) -> dict[str, int]:
        """Of each keyframe, its file and what models made of it."""
        found = vector_bytes(self._tables.pictures, digests)
        for digest in digests:
            found[digest] = found.get(digest, 0) + (self._media.size(digest) or 0)
        return found

    def _rested_on(
        self, stream_id: str, low: float, high: float, moments: Sequence[Held]
    ) -> tuple[set[str], _Shown, set[str]]:
        """Observations that episodes quote, keyframes that they show, those of the moments that
        they hold."""
        columns = ["level", "start", "end", "quotes", "keyframes", "children", "alone"]
        rows = select(self._tables.episodes, _overlapping(stream_id, low, high), columns)
        quoted = {quote["id"] for row in rows for quote in row["quotes"]}
        best = {row["keyframes"][0] for row in rows if row["keyframes"]}
        best |= {digest for row in rows if row["level"] > 1 for digest in row["keyframes"]}
        first = {r["keyframes"][0] for r in rows if r["level"] > 1 and r["keyframes"]}
        held = {id for row in rows if row["level"] == 1 for id in row["children"]}
        alone = [(row["start"], row["end"]) for row in rows if row["alone"]]
        held |= {m.id for m in moments if any(a <= m.start < b for a, b in alone)}
        return quoted, _Shown(best, first), held

    def _outlive(self, contents: Contents, gone: set[str]) -> None:
        """Mark in every episode the quotes whose observation goes."""
        where = _overlapping(contents.stream_id, *contents.span)
        rows = select(self._tables.episodes, where)
        changed = []
        for row in rows:
            if any(q["id"] in gone and not q["outlived"] for q in row["quotes"]):
                for q in row["quotes"]:
                    q["outlived"] = q["outlived"] or q["id"] in gone
                row["outlived"] = sum(q["outlived"] for q in row["quotes"])
                changed.append(row)
        if changed:
            put(self._tables.episodes, pa.Table.from_pylist(changed, EPISODES))


def accounted(
    ledger: Ledger, contents: Contents, verdict: Verdict, target: int
) -> tuple[Entry, set[str], list[Row], set[str]]:
    """The ledger's entry, the observations that go, the moments that change, and those that go."""
    gone = verdict.merged | verdict.dropped
    left = tuple(seen for seen in contents.observations if seen.id not in gone)
    holding = {seen.moment_id for seen in left}
    moments: list[Row] = []
    removed: set[str] = set()
    for moment in contents.moments:
        shown = verdict.keyframes.get(moment.id, moment.keyframe)
        if moment.id not in holding and shown is None:
            removed.add(moment.id)
        elif shown != moment.keyframe:
            row = {"id": moment.id, "stream_id": contents.stream_id, "keyframe": shown}
            moments.append({**row, "start": moment.start, "end": moment.end})
    sizes = {picture.digest: picture.bytes for picture in contents.pictures}
    pictures = tuple(
        replace(picture, digest=shown, bytes=sizes[shown])
        for picture in contents.pictures
        for shown in [verdict.keyframes.get(picture.moment_id, picture.digest)]
        if shown is not None
    )
    entry = ledger.entry(contents.stream_id, contents.hour)
    entry.held_to = target
    _count_kept(entry, left, pictures, contents.salience)
    _count_gone(entry, contents, verdict, {picture.digest for picture in pictures})
    for seen in contents.observations:
        if seen.id in gone:
            entry.note_gone(seen.id, seen.start)
    for moment in contents.moments:
        if moment.id in verdict.keyframes:
            entry.note_gone(keyframe_key(moment.id), moment.start)
        if moment.id in removed:
            entry.note_gone(moment_key(moment.id), moment.start)
    return entry, gone, moments, removed


def _count_kept(
    entry: Entry, observations: Sequence[Weighed], pictures: Sequence[Pictured], salience: float
) -> None:
    shown = {picture.digest: picture.bytes for picture in pictures}
    entry.salience = salience or entry.salience  # of an hour that is empty, what it was
    entry.counts["kept_observations"] = len(observations)
    entry.counts["kept_keyframes"] = len(shown)
    entry.counts["kept_bytes"] = sum(o.bytes for o in observations) + sum(shown.values())


def _count_gone(entry: Entry, contents: Contents, verdict: Verdict, shown: set[str]) -> None:
    """A picture no longer shown anywhere was merged where every moment of it shows another now."""
    dropped = [seen for seen in contents.observations if seen.id in verdict.dropped]
    merged = [seen for seen in contents.observations if seen.id in verdict.merged]
    counts = entry.counts
    for name, given in (("dropped", dropped), ("merged", merged)):
        counts[f"{name}_observations"] += len(given)
        counts[f"{name}_bytes"] += sum(seen.bytes for seen in given)
    lost = {p.digest: p for p in contents.pictures if p.digest not in shown}
    for picture in lost.values():
        name = "dropped" if verdict.keyframes.get(picture.moment_id) is None else "merged"
        counts[f"{name}_keyframes"] += 1
        counts[f"{name}_bytes"] += picture.bytes
    spans = [span_of(seen.kind, seen.start, seen.end) for seen in dropped]
    entry.spans = joined_spans(entry.spans, spans)
    entry.terms |= {word_hash(stem) for seen in dropped for stem in stems(seen.text)}


def _overlapping(stream_id: str, low: float, high: float) -> str:
    return f"stream_id = {quote(stream_id)} AND `end` >= {low!r} AND start < {high!r}"
