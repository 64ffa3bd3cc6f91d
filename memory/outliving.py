"""Search over what episodes quote of observations that were given up.

The levels are only searched where they are all that is left, the lowest that is: every observation
that is kept is found by exact search, and going through episodes first could only miss some. A
quote carries its own words and its episode's vector.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from memory.episode_rows import LOWEST, episode_of
from memory.index import Entry, Floats, Index, Rows
from memory.queries import CHARACTERS_READ, analyse
from memory.ranking import View, rank
from memory.records import Hit, Query, Quote, put_right
from memory.rows import rows_with
from memory.search import LIMIT, Searcher, aliases_of, rows_passing
from memory.tables import DIMENSIONS, Tables, select
from memory.words import words

Row = dict[str, Any]


class Outliving:
    """Safe to use from many threads."""

    def __init__(self, tables: Tables, searcher: Searcher) -> None:
        self._tables = tables
        self._searcher = searcher
        self._index = Index(DIMENSIONS)
        self._quotes: dict[str, tuple[Quote, datetime]] = {}
        self._held: dict[str, frozenset[str]] = {}  # by episode, those of its quotes
        self._version = -1
        self._guard = threading.Lock()

    def search(self, query: Query) -> list[Hit]:
        """The best quotes for the query, best first."""
        text = query.text[:CHARACTERS_READ]
        with self._guard:
            self._sync()
            if not self._quotes or not words(text):
                return []
            known = self._index.names
            named = {word: known[word] for word in words(text) if word in known}
        analysis = analyse(query.text, named)
        vector = self._searcher.vector(analysis.meaning)
        corrections = self._searcher.knowledge.corrections()
        with self._guard:
            view = View(self._index, self._rows(query), aliases_of(self._index, corrections))
            ranked = rank(view, analysis, vector, min(query.limit, LIMIT))
            ids = [self._index.ids[at] for at in ranked.positions]
            found = [self._quotes[id] for id in ids]
        keyframes = self._searcher.keyframes({quote.moment_id for quote, _ in found})
        return [
            Hit(
                observation=quote.observation,
                moment_id=quote.moment_id,
                score=float(score),
                similarity=float(similarity),
                coverage=float(coverage),
                wall_start=wall_start,
                keyframe=keyframes.get(quote.moment_id),
                corrected=put_right(
                    corrections,
                    quote.id,
                    quote.observation.stream_id,
                    quote.observation.start,
                    quote.observation.text,
                ),
                outlived=True,
            )
            for (quote, wall_start), score, similarity, coverage in zip(
                found, ranked.scores, ranked.similarity, ranked.coverage, strict=True
            )
        ]

    def reload(self) -> None:
        """Rows of this tier came or went other than by its own work."""
        with self._guard:
            self._clear()
            self._version = -1

    def _clear(self) -> None:
        self._index, self._quotes, self._held = Index(DIMENSIONS), {}, {}

    def _rows(self, query: Query) -> Rows:
        """A quote does not say since which version of memory its observation was there: it was
        where its stream had come as far by then."""
        rows = rows_passing(self._index, replace(query, version=None))
        if query.version is None or query.version >= self._tables.observations.version:
            return rows
        reached = self._searcher.reached(query.version)
        limits = np.array([reached.get(name, np.inf) for name in self._index.streams.names])
        ends, streams = self._index.column("end")[rows], self._index.column("stream")[rows]
        then: Rows = rows[ends <= limits[streams]]
        return then

    def _sync(self) -> None:
        """Take in the quotes that have come to outlive their observations."""
        table = self._tables.episodes
        version = table.version
        if version == self._version:
            return
        rows = select(table, f"{LOWEST} AND outlived > 0", ["id", "outlived"])
        present = {row["id"]: row["outlived"] for row in rows}
        changed = [id for id, count in present.items() if len(self._held.get(id, ())) != count]
        gone = self._held.keys() - present.keys()
        if changed or gone:
            self._renew(changed, gone)
        self._version = version

    def _renew(self, changed: Sequence[str], gone: Set[str]) -> None:
        """What those episodes held must not be found any more, but what they hold now."""
        lost = [self._held.pop(id) for id in (*changed, *gone) if id in self._held]
        if lost:
            ids = frozenset[str]().union(*lost)
            self._quotes = {id: kept for id, kept in self._quotes.items() if id not in ids}
            self._index.keep_only(set(self._quotes))
        if self._index.dead_rows > len(self._index):
            changed = [*changed, *self._held]
            self._clear()
        for row in rows_with(self._tables.episodes, changed):
            self._take_in(row)

    def _take_in(self, row: Row) -> None:
        episode = episode_of(row)
        outlived = [q for q in episode.quotes if q.outlived]
        self._held[episode.id] = frozenset(q.id for q in outlived)
        new = [q for q in outlived if q.id not in self._quotes]
        entries = [_entry(quote, episode.wall_start) for quote in new]
        if not entries:
            return
        vector: Floats = np.asarray(row["vector"], np.float32)
        self._index.add(entries, np.repeat(vector[None], len(entries), axis=0))
        self._quotes.update((quote.id, (quote, episode.wall_start)) for quote in new)


def _entry(quote: Quote, wall_start: datetime) -> Entry:
    seen = quote.observation
    return Entry(
        row_id=-1,
        id=quote.id,
        stream_id=seen.stream_id,
        kind=seen.kind,
        role=seen.role,
        start=seen.start,
        end=seen.end,
        wall=wall_start + timedelta(seconds=seen.start),
        text=seen.text,
        speaker=seen.speaker,
        version=0,
    )
