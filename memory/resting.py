"""What rests on observations, when these are forgotten: episodes are made anew without them, or go;
the ledger loses the spans; pins go with their moments. Part of forgetting, on the writer's thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

import pyarrow as pa

from memory.compress import (
    compressed,
    episodes_named,
    joined,
    moments_named,
    place_of,
    stripped,
)
from memory.episode_rows import EPISODES, LEDGER, LOWEST, Placed, episode_of, episode_row, in_order
from memory.episodes import LEVELS
from memory.knowledge import Knowledge
from memory.ledger import HOUR, UNKNOWN
from memory.records import Episode, Quote, Selection
from memory.rewritten import forget_overtaken
from memory.rows import delete_rows, put
from memory.tables import Tables, quote, select
from memory.vectors import Vectorizer

Row = dict[str, Any]
LENGTH = 60.0  # seconds: neither a moment nor what is said in it is longer


class Resting:
    """`reload` is called after rows have gone."""

    def __init__(self, tables: Tables, vectorizer: Vectorizer, reload: Callable[[], None]) -> None:
        self._tables = tables
        self._knowledge = Knowledge(tables)
        self._vectorizer = vectorizer
        self.reload = reload

    def rests(self, what: Selection) -> bool:
        """Does an episode still hold what is selected, though no moment does?"""
        return any(
            self._quotes_left(what, episode) != _outlived(episode)
            for stream_id in _streams(what)
            for episode in self._episodes(stream_id, LOWEST)
        )

    def forget_stream(self, stream_id: str) -> int:
        """Everything of the tier; how many episodes."""
        where = f"stream_id = {quote(stream_id)}"
        count = int(self._tables.episodes.count_rows(where))
        for table in (self._tables.episodes, self._tables.ledger, self._tables.pins):
            table.delete(where)
        return count

    def forget(self, what: Selection, touched: Collection[str], gone: Collection[str]) -> int:
        """After the rows have been deleted. `touched`: ids of the moments that lost something,
        `gone`: of those that are no more. How many episodes were made anew or went."""
        changed = 0
        for stream_id in _streams(what) | {id.rsplit(":", 1)[0] for id in touched}:
            changed += self._renew(stream_id, what, set(touched), set(gone))
            forget_overtaken(self._tables, self._knowledge, stream_id)
            self._cut_ledger(stream_id, what, touched)
        delete_rows(self._tables.pins, gone)
        return changed

    def _episodes(self, stream_id: str, which: str) -> list[Episode]:
        where = f"stream_id = {quote(stream_id)} AND {which}"
        columns = [name for name in EPISODES.names if name != "vector"]
        return [episode_of(row) for row in in_order(select(self._tables.episodes, where, columns))]

    def _renew(self, stream_id: str, what: Selection, touched: set[str], gone: set[str]) -> int:
        renewed: dict[str, Placed | None] = {}
        for episode in self._episodes(stream_id, "level = 1"):
            quotes = self._quotes_left(what, episode)
            children = [
                id
                for id in episode.children
                if id not in gone and (id in touched or not _selects(what, id))
            ]
            if (
                touched.isdisjoint(episode.children)
                and len(children) == episode.moments
                and quotes == _outlived(episode)
            ):
                continue
            renewed[episode.id] = None
            moments = moments_named(self._tables, children)
            if children and (moments or quotes):
                renewed[episode.id] = compressed(
                    moments, episode.wall_start, self._vectorizer, quotes, children
                )
        self._write(renewed)
        count = len(renewed)
        alone = {episode.id for episode in self._episodes(stream_id, "alone")}
        for level in sorted(LEVELS)[1:]:
            renewed = self._renew_above(stream_id, level, renewed, what)
            count += sum(id in alone for id in renewed)
        return count

    def _renew_above(
        self, stream_id: str, level: int, below: dict[str, Placed | None], what: Selection
    ) -> dict[str, Placed | None]:
        """What lost its first child starts later, so it has another id than those above it know."""
        renewed: dict[str, Placed | None] = {}
        for parent in self._episodes(stream_id, f"level = {level}"):
            if parent.alone:
                renewed.update(self._strip(parent, what))
                continue
            if below.keys().isdisjoint(parent.children):
                continue
            now = [below.get(child, child) for child in parent.children]
            ids = [one if isinstance(one, str) else one.episode.id for one in now if one]
            children = episodes_named(self._tables, ids)
            renewed[parent.id] = joined(children, level) if children else None
        self._write(renewed)
        return renewed

    def _strip(self, episode: Episode, what: Selection) -> dict[str, Placed | None]:
        """The one that stands alone without what is forgotten of it, if anything is."""
        quotes = self._quotes_left(what, episode)
        shown = [d for d in episode.keyframes if self._is_shown(episode.stream_id, d)]
        if not quotes and _covers(what, episode):
            return {episode.id: None}
        if quotes == _outlived(episode) and shown == list(episode.keyframes):
            return {}
        left = stripped(episode, quotes, shown, self._vectorizer) if quotes or shown else None
        return {episode.id: left}

    def _is_shown(self, stream_id: str, digest: str) -> bool:
        where = f"stream_id = {quote(stream_id)} AND keyframe = {quote(digest)}"
        return bool(self._tables.moments.count_rows(where))

    def _write(self, renewed: dict[str, Placed | None]) -> None:
        if not renewed:
            return
        delete_rows(self._tables.episodes, renewed)
        made = [placed for placed in renewed.values() if placed is not None]
        if made:
            rows = [episode_row(placed, placed.episode.wall_start) for placed in made]
            self._tables.episodes.add(pa.Table.from_pylist(rows, EPISODES))

    def _quotes_left(self, what: Selection, episode: Episode) -> list[Quote]:
        return [q for q in _outlived(episode) if not _takes(what, q)]

    def _cut_ledger(self, stream_id: str, what: Selection, touched: Collection[str]) -> None:
        """The words of the hours touched cannot be told apart by span: they go as a whole, and the
        hours are counted anew. So do ids given up of which the second is not known."""
        named = (*touched, *what.moment_ids)
        starts = [place_of(id) for id in named if id.rpartition(":")[0] == stream_id]
        low = what.start if what.start is not None else 0.0
        high = what.end if what.end is not None else math.inf
        spanned = what.stream_id is not None and not what.moment_ids
        went = [(low - LENGTH, high)] if spanned else [(at - 1.0, at + LENGTH) for at in starts]
        for row in select(self._tables.ledger, f"stream_id = {quote(stream_id)}"):
            begin, end = row["hour"] * HOUR, (row["hour"] + (row["hours"] or 1)) * HOUR
            hit = spanned and begin <= high and end >= low
            if not hit and not any(begin <= start < end for start in starts):
                continue
            spans = [span for span in row["spans"] if not (spanned and _meets(span, low, high))]
            pairs = zip(row["gone"], row["gone_at"] or [UNKNOWN] * len(row["gone"]), strict=True)
            left = [
                (hash, at)
                for hash, at in pairs
                if at != UNKNOWN and not any(a - 1.0 <= begin + at <= b for a, b in went)
            ]
            gone, gone_at = [hash for hash, _ in left], [at for _, at in left]
            renewed = {**row, "spans": spans, "terms": [], "gone": gone, "gone_at": gone_at}
            renewed["held_to"] = -1
            put(self._tables.ledger, pa.Table.from_pylist([renewed], LEDGER))


def _streams(what: Selection) -> set[str]:
    if what.stream_id is not None:
        return {what.stream_id}
    return {id.rsplit(":", 1)[0] for id in what.moment_ids if ":" in id}


def _outlived(episode: Episode) -> list[Quote]:
    return [quote for quote in episode.quotes if quote.outlived]


def _selects(what: Selection, moment_id: str) -> bool:
    """Of a moment that was given up only its start is known."""
    start = place_of(moment_id)
    return (
        (not what.moment_ids or moment_id in what.moment_ids)
        and (what.start is None or start >= what.start)
        and (what.end is None or start <= what.end)
    )


def _covers(what: Selection, episode: Episode) -> bool:
    return (
        not what.moment_ids
        and (what.start is None or what.start <= episode.start)
        and (what.end is None or what.end >= episode.end)
    )


def _takes(what: Selection, quote: Quote) -> bool:
    seen = quote.observation
    return (
        (not what.moment_ids or quote.moment_id in what.moment_ids)
        and (what.start is None or seen.end > what.start or seen.start >= what.start)
        and (what.end is None or seen.start < what.end or seen.end <= what.end)
    )


def _meets(span: Row, low: float, high: float) -> bool:
    return bool(span["end"] >= low and span["start"] <= high)
