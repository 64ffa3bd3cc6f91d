"""Search: the rows a query's filters leave, scored as `ranking.py` says, the best looked up.

The index follows the table: `sync` reads in what was committed since, and drops what was deleted. It
is called after every change, before that counts as done, so that no search has to wait for one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any

import numpy as np
import pyarrow.compute as pc

from memory.embedder import Embedder
from memory.index import Entry, Floats, Index, Rows
from memory.knowledge import Knowledge
from memory.queries import CHARACTERS_READ, Analysis, analyse
from memory.ranking import Alias, Ranked, View, features, lexical, rank
from memory.records import Correction, Hit, Query, put_right
from memory.tables import OBSERVATION_COLUMNS, Tables, any_of, observation_of, select, vectors_of
from memory.words import stems, words

LIMIT = 1000  # results, at most
QUERIES_CACHED = 256  # vectors; 0.4 MB
LOADED_AT_ONCE = 2048  # rows; a search waits while they are taken in, about 60 ms
NOTED_AT_ONCE = 4096  # rows that compaction has moved; about 1 ms
LOOKS = 4  # at the table, while it changes under the reading of it
DEAD_ROWS = 10_000  # and more than live ones: then the index is made anew

Row = dict[str, Any]
_INDEXED = [
    "id",
    "stream_id",
    "kind",
    "role",
    "start",
    "end",
    "wall",
    "text",
    "speaker",
    "version",
]


@dataclass(frozen=True, slots=True)
class Found:
    """An observation chosen, before it is looked up."""

    id: str
    row_id: int
    score: float
    similarity: float
    coverage: float


class Searcher:
    """Safe to use from many threads."""

    def __init__(
        self, tables: Tables, embedder: Embedder, knowledge: Knowledge | None = None
    ) -> None:
        self._tables = tables
        self.knowledge = knowledge or Knowledge(tables)
        self._embedder = embedder
        self._index = Index(embedder.dimension)
        self._guard = threading.Lock()  # of the index
        self._following = threading.Lock()  # of `sync`: reading the table holds up no search
        self._version = -1
        self._next_row_id = 0
        self._vectors: OrderedDict[str, Floats] = OrderedDict()
        self.sync()

    def search(self, query: Query) -> list[Hit]:
        """The observations that pass the filters, best first, `query.limit` of them at most.

        Without words the most recent come first. An unknown stream has none."""
        limit = min(query.limit, LIMIT)
        if limit <= 0:
            return []
        wordless = not words(query.text[:CHARACTERS_READ])
        found = self._most_recent(query, limit) if wordless else self._ranked(query, limit)
        return self._hits(found)

    def sync(self) -> None:
        """Take in what the table gained and drop what it lost. Free when nothing changed."""
        table = self._tables.observations
        if table.version == self._version:
            return
        with self._following:
            for _ in range(LOOKS):
                version = table.version
                if version == self._version:
                    return
                self._take_in_new_rows()
                if table.count_rows() != len(self._index):
                    self._drop_deleted_rows()
                self._version = version

    def reached(self, version: int) -> dict[str, float]:
        """How far each stream had come (seconds) at that version of memory; -inf: it was not there
        yet. A stream of which no observation is kept is not named."""
        with self._guard:
            stream, names = self._index.column("stream"), self._index.streams.names
            rows = self._rows(Query("", version=version))
            seconds = np.full(len(names), -np.inf)
            np.maximum.at(seconds, stream[rows], self._index.column("end")[rows])
            kept = np.unique(stream[self._index.column("live")])
            return {names[at]: float(seconds[at]) for at in kept}

    def features(self, query: Query) -> tuple[list[str], Floats]:
        """Ids and float32 [n, features] of every row that passes the filters, for training."""
        with self._guard:
            analysis = self._analyse(query, ())
        vector = self._embed(analysis.meaning)
        with self._guard:
            view = View(self._index, self._rows(query))
            similarity = self._index.similarity(vector, view.rows)
            lexis = lexical(view, analysis.terms)
            every = np.arange(len(view.rows))
            ids = [self._index.ids[at] for at in view.rows]
            return ids, features(view, analysis, lexis, similarity, every)

    def vector(self, text: str) -> Floats:
        """float32 [dimension], unit length; those of the last queries are kept."""
        return self._embed(text)

    def _analyse(self, query: Query, corrections: Sequence[Correction]) -> Analysis:
        """Only names of those who speak in the rows searched count as names."""
        known = dict(self._index.names)
        for correction in corrections:
            for right, wrong in product(words(correction.right), words(correction.wrong)):
                if wrong in known:
                    known[right] = known.get(right, frozenset()) | known[wrong]
        names = {word: known[word] for word in words(query.text[:CHARACTERS_READ]) if word in known}
        if names:
            speaking = self._index.column("speaker")[self._rows(query)]
            turns = np.bincount(speaking + 1)  # -1, not known, comes first
            present = frozenset((np.flatnonzero(turns) - 1).tolist())
            names = {word: codes & present for word, codes in names.items() if codes & present}
        return analyse(query.text, names)

    def _rows(self, query: Query) -> Rows:
        return rows_passing(self._index, query)

    def _ranked(self, query: Query, limit: int) -> list[Found]:
        corrections = self.knowledge.corrections(query.stream_id)
        with self._guard:
            analysis = self._analyse(query, corrections)
        vector = self._embed(analysis.meaning)
        with self._guard:
            aliases = aliases_of(self._index, corrections)
            ranked = rank(View(self._index, self._rows(query), aliases), analysis, vector, limit)
            return self._found(ranked)

    def _most_recent(self, query: Query, limit: int) -> list[Found]:
        with self._guard:
            rows = self._rows(query)
            newest = rows[np.argsort(-self._index.column("wall")[rows], kind="stable")[:limit]]
            none = np.zeros(len(newest), np.float32)
            return self._found(Ranked(newest, none, none, none))

    def _found(self, ranked: Ranked) -> list[Found]:
        index = self._index
        row_ids = index.column("row_id")[ranked.positions]
        return [
            Found(index.ids[at], int(row_id), float(score), float(cosine), float(coverage))
            for at, row_id, score, cosine, coverage in zip(
                ranked.positions,
                row_ids,
                ranked.scores,
                np.clip(ranked.similarity, -1, 1),
                np.clip(ranked.coverage, 0, 1),
                strict=True,
            )
        ]

    def _embed(self, text: str) -> Floats:
        with self._guard:
            if text in self._vectors:
                self._vectors.move_to_end(text)
                return self._vectors[text]
        vector: Floats = self._embedder.embed([text])[0]
        with self._guard:
            self._vectors[text] = vector
            while len(self._vectors) > QUERIES_CACHED:
                self._vectors.popitem(last=False)
        return vector

    def _hits(self, found: list[Found]) -> list[Hit]:
        rows = self._looked_up(found)
        corrections = self.knowledge.corrections()
        keyframes = self.keyframes({row["moment_id"] for row in rows.values()})
        return [
            Hit(
                observation=observation_of(rows[f.id]),
                moment_id=rows[f.id]["moment_id"],
                score=f.score,
                similarity=f.similarity,
                coverage=f.coverage,
                wall_start=rows[f.id]["wall"] - timedelta(seconds=rows[f.id]["start"]),
                keyframe=keyframes.get(rows[f.id]["moment_id"]),
                corrected=put_right(
                    corrections,
                    f.id,
                    *(rows[f.id][name] for name in ("stream_id", "start", "text")),
                ),
            )
            for f in found
            if f.id in rows  # else it was forgotten this very moment
        ]

    def _looked_up(self, found: list[Found]) -> dict[str, Row]:
        """By place in the table, which is fast; what upkeep has moved meanwhile, by id."""
        table = self._tables.observations
        wanted = {f.id for f in found}
        if not wanted:
            return {}
        taken = table.take_row_ids([f.row_id for f in found]).select(OBSERVATION_COLUMNS)
        rows = {row["id"]: row for row in taken.to_arrow().to_pylist() if row["id"] in wanted}
        moved = sorted(wanted - rows.keys())
        if moved:
            for row in select(table, any_of("id", moved), OBSERVATION_COLUMNS):
                rows[row["id"]] = row
        return rows

    def keyframes(self, moment_ids: set[str]) -> dict[str, str]:
        """By moment, the keyframe that it shows."""
        if not moment_ids:
            return {}
        where = f"keyframe IS NOT NULL AND {any_of('id', sorted(moment_ids))}"
        rows = select(self._tables.moments, where, ["id", "keyframe"])
        return {row["id"]: row["keyframe"] for row in rows}

    def _take_in_new_rows(self) -> None:
        """Lance numbers rows by fragment and place, and fragments grow: what is new, or was moved
        by compaction, is numbered above all that has been seen."""
        new = self._tables.observations.search().where(f"_rowid >= {self._next_row_id}")
        placed = new.with_row_id(True).select(["id", "role", "end"]).to_arrow()
        unknown: list[int] = []
        for batch in placed.to_batches(max_chunksize=NOTED_AT_ONCE):
            ids, roles = batch["id"].to_pylist(), batch["role"].to_pylist()
            row_ids, ends = batch["_rowid"].to_numpy().astype(np.int64), batch["end"].to_numpy()
            with self._guard:
                known = self._index.moved(ids, row_ids, roles, ends)
            unknown += row_ids[~known].tolist()
        for first in range(0, len(unknown), LOADED_AT_ONCE):
            self._load(unknown[first : first + LOADED_AT_ONCE])
        if len(placed):
            self._next_row_id = max(self._next_row_id, pc.max(placed["_rowid"]).as_py() + 1)

    def _load(self, row_ids: list[int]) -> None:
        taken = self._tables.observations.take_row_ids(row_ids).with_row_id()
        rows = taken.select([*_INDEXED, "vector"]).to_arrow()
        if not len(rows):
            return  # compaction has just moved them: the next look finds them where they are now
        vectors = vectors_of(rows)
        fields = rows.select([*_INDEXED, "_rowid"]).rename_columns([*_INDEXED, "row_id"])
        entries = [Entry(**row) for row in fields.to_pylist()]
        with self._guard:
            self._index.add(entries, vectors)

    def _drop_deleted_rows(self) -> None:
        ids = self._tables.observations.search().select(["id"]).to_arrow()["id"].to_pylist()
        with self._guard:
            self._index.keep_only(set(ids))
            self._vectors.clear()
            if self._index.dead_rows <= max(DEAD_ROWS, len(self._index)):
                return
        self._made_anew()

    def _made_anew(self) -> None:
        """The same without the places of dead rows; until it is whole, searches go on in the old."""
        fresh = Searcher(self._tables, self._embedder, self.knowledge)
        with self._guard:
            self._index, self._next_row_id = fresh._index, fresh._next_row_id


def rows_passing(index: Index, query: Query) -> Rows:
    """Positions of the rows that the query's filters leave."""
    column = index.column
    keep = column("live").copy()
    if query.stream_id is not None:
        keep &= column("stream") == index.streams.get(query.stream_id)
    if query.stream_ids:
        keep &= np.isin(column("stream"), [index.streams.get(one) for one in query.stream_ids])
    if query.kinds:
        keep &= np.isin(column("kind"), [index.kinds.get(kind) for kind in query.kinds])
    if query.roles:
        keep &= np.isin(column("role"), [index.roles.get(role) for role in query.roles])
    if query.start is not None:
        keep &= column("end") >= query.start
    if query.end is not None:
        keep &= column("start") <= query.end
    if query.before is not None:
        keep &= column("end") <= query.before
    if query.version is not None:
        keep &= column("version") <= query.version
    if query.before_wall is not None:
        ended = column("wall") + (column("end") - column("start"))
        keep &= ended <= query.before_wall.timestamp()
    return np.flatnonzero(keep)


def aliases_of(index: Index, corrections: Sequence[Correction]) -> list[Alias]:
    """What else is looked up for a word that was heard as another."""
    return [
        Alias(
            right=right,
            wrong=tuple(stems(correction.wrong)),
            stream=index.streams.get(correction.stream_id),
            since=correction.since,
            until=correction.until,
            row=index.position.get(correction.target, -1) if correction.target else None,
        )
        for correction in corrections
        for right in stems(correction.right)
    ]
