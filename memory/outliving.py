"""Search over what episodes quote of observations that were given up.

The levels are only searched where they are all that is left: every observation that is kept is
found by exact search, and going through episodes first could only miss some. A quote carries its
own words and its episode's vector.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from memory.episode_rows import EPISODES, episode_of
from memory.index import Entry, Floats, Index, Rows
from memory.queries import CHARACTERS_READ, analyse
from memory.ranking import View, rank
from memory.records import Hit, Query, Quote, put_right
from memory.search import LIMIT, Searcher, aliases_of, rows_passing
from memory.tables import DIMENSIONS, Tables, any_of, select
from memory.words import words

Row = dict[str, Any]


class Outliving:
    """Safe to use from many threads."""

    def __init__(self, tables: Tables, searcher: Searcher) -> None:
        self._tables = tables
        self._searcher = searcher
        self._index = Index(DIMENSIONS)
        self._quotes: dict[str, tuple[Quote, datetime]] = {}
        self._held: dict[str, int] = {}  # by episode, how many of its quotes are in the index
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
        keyframes = self._keyframes({quote.moment_id for quote, _ in found})
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
        where = "level = 1 AND outlived > 0"
        rows = select(table, where, ["id", "outlived"])
        present = {row["id"]: row["outlived"] for row in rows}
        changed = [id for id, count in present.items() if self._held.get(id) != count]
        if changed or self._held.keys() - present.keys():
            self._renew(present, changed)
        self._version = version

    def _renew(self, present: dict[str, int], changed: list[str]) -> None:
        if any(id not in present or id in changed for id in self._held):
            # An episode lost quotes, or was made anew: what it held must not be found any more.
            self._index, self._quotes, self._held = Index(DIMENSIONS), {}, {}
            changed = list(present)
        columns = EPISODES.names
        for row in select(self._tables.episodes, any_of("id", changed), columns):
            self._take_in(row)
            self._held[row["id"]] = present[row["id"]]

    def _take_in(self, row: Row) -> None:
        episode = episode_of(row)
        new = [q for q in episode.quotes if q.outlived and q.id not in self._quotes]
        entries = [_entry(quote, episode.wall_start) for quote in new]
        if not entries:
            return
        vector: Floats = np.asarray(row["vector"], np.float32)
        self._index.add(entries, np.repeat(vector[None], len(entries), axis=0))
        self._quotes.update((quote.id, (quote, episode.wall_start)) for quote in new)

    def _keyframes(self, moment_ids: set[str]) -> dict[str, str]:
        if not moment_ids:
            return {}
        where = f"keyframe IS NOT NULL AND {any_of('id', sorted(moment_ids))}"
        rows = select(self._tables.moments, where, ["id", "keyframe"])
        return {row["id"]: row["keyframe"] for row in rows}


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
