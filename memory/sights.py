"""Moments by what their keyframes show: a query's words against picture vectors, and how what they
find takes its place among what words find.

The two lists are fused by reciprocal rank (Cormack et al. 2009, doi 10.1145/1571941.1572114), each
vote weighed by what it rests on. Where somebody said, or a screen showed, the very words of the
query, these tell more than a likeness: a picture's vote counts as much as the query's words are
*not* covered by the best text; a text's as much as it covers them, or is near them in meaning.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from memory.encoding import PictureEncoder
from memory.picture_index import PictureIndex
from memory.queries import CHARACTERS_READ
from memory.records import Hit, Query
from memory.tables import OBSERVATION_COLUMNS, Tables, any_of, observation_of, quote, select
from memory.words import words
from perception.records import Observation

log = logging.getLogger(__name__)

Vector = npt.NDArray[np.float32]

SIGHTS = 10  # pictures that a query may bring in
TRIED = 400  # of the likest pictures, those whose moments are looked up first
RANK_CONSTANT = 10  # of reciprocal rank fusion; the paper's 60, of lists of a thousand, would make
# the ranks within lists of ten worth nothing beside the weights
# Among fewer pictures nothing stands out; among more, what is no likelier than most is no find.
CROWD = 8
STANDS_OUT = 1.0  # standard deviations above the mean cosine of all pictures
QUERIES_CACHED = 256
AGAIN = 5.0  # seconds until a model that failed is asked again
UNSAID = "a picture"  # the text of a find in a moment of which no observation is kept


@dataclass(frozen=True, slots=True)
class Sight:
    """A moment whose keyframe looks like what is asked for."""

    moment_id: str
    stream_id: str
    start: float
    end: float
    keyframe: str
    cosine: float


class Sights:
    """`beginnings` gives those of all streams on the wall clock; `reached` how far each had
    come (seconds) at a version of memory. Safe to use from many threads."""

    def __init__(
        self,
        tables: Tables,
        index: PictureIndex,
        encoder: PictureEncoder,
        beginnings: Callable[[], Mapping[str, datetime]],
        reached: Callable[[int], Mapping[str, float]],
    ) -> None:
        self._tables = tables
        self._index = index
        self._encoder = encoder
        self._beginnings, self._reached = beginnings, reached
        self._vectors: OrderedDict[str, Vector] = OrderedDict()
        self._guard = threading.Lock()
        self._away_until = 0.0  # a model that does not answer makes searches wait once, not each
        self.failed = 0  # searches that had to do without pictures

    def seen(self, query: Query) -> list[Sight]:
        """The moments whose pictures look most like the query, best first."""
        text = query.text[:CHARACTERS_READ]
        asks_for_others = (query.kinds and "vision" not in query.kinds) or (
            query.roles and "statement" not in query.roles
        )
        if asks_for_others or not words(text) or not len(self._index):
            return []
        vector = self._vector(text)
        if vector is None:
            return []
        digests, cosines = self._index.cosines(vector)
        if not digests:
            return []
        floor = -1.0
        if len(digests) >= CROWD:
            floor = float(cosines.mean() + STANDS_OUT * cosines.std())
        order = np.argsort(-cosines)
        likest = [(digests[at], float(cosines[at])) for at in order if cosines[at] >= floor]
        found = self._moments(query, likest[:TRIED])
        if len(found) < SIGHTS and len(likest) > TRIED:
            found = self._moments(query, likest)
        return found[:SIGHTS]

    def hits(self, query: Query, sights: Sequence[Sight]) -> list[Hit]:
        """Each sight as what was seen then; where nothing seen is kept, as something of its moment."""
        if not sights:
            return []
        where = any_of("moment_id", [sight.moment_id for sight in sights])
        if query.version is not None:
            where = f"({where}) AND version <= {int(query.version)}"
        held: dict[str, list[Observation]] = {}
        for row in select(self._tables.observations, where, OBSERVATION_COLUMNS):
            held.setdefault(row["moment_id"], []).append(observation_of(row))
        beginnings = self._beginnings()
        hits = []
        for sight in sights:
            seen = [o for o in held.get(sight.moment_id, ()) if _passes(o, query)]
            seen.sort(key=lambda o: (o.kind != "vision", o.start, o.id))
            one = seen[0] if seen else _unsaid(sight)
            if sight.stream_id in beginnings:
                hits.append(
                    Hit(
                        observation=one,
                        moment_id=sight.moment_id,
                        score=0.0,
                        similarity=0.0,
                        coverage=0.0,
                        wall_start=beginnings[sight.stream_id],
                        keyframe=sight.keyframe,
                        likeness=sight.cosine,
                    )
                )
        return hits

    def _vector(self, text: str) -> Vector | None:
        with self._guard:
            if text in self._vectors:
                self._vectors.move_to_end(text)
                return self._vectors[text]
            if time.monotonic() < self._away_until:
                self.failed += 1
                return None
        try:
            vector: Vector = self._encoder.encode_texts([text])[0]
        except Exception as failure:  # noqa: BLE001 - it may run elsewhere; words still find
            self.failed += 1
            self._away_until = time.monotonic() + AGAIN
            log.warning("pictures are not searched: %s", type(failure).__name__)
            return None
        with self._guard:
            self._vectors[text] = vector
            while len(self._vectors) > QUERIES_CACHED:
                self._vectors.popitem(last=False)
        return vector

    def _moments(self, query: Query, likest: Sequence[tuple[str, float]]) -> list[Sight]:
        """The moments that show these pictures and pass the query's filters, best first."""
        cosine = dict(likest)
        clauses = [_filter(query)]
        if len(cosine) <= TRIED:
            clauses.append(any_of("keyframe", cosine))
        columns = ["id", "stream_id", "start", "end", "keyframe"]
        search = self._tables.moments.search().where(" AND ".join(clauses)).select(columns)
        rows = search.to_arrow()
        shown = pc.is_in(rows["keyframe"], value_set=_strings(cosine))
        sights = [
            Sight(
                row["id"],
                row["stream_id"],
                row["start"],
                row["end"],
                row["keyframe"],
                cosine[row["keyframe"]],
            )
            for row in rows.filter(shown).to_pylist()
        ]
        return sorted(self._then(query, sights), key=lambda s: (-s.cosine, s.moment_id))

    def _then(self, query: Query, sights: list[Sight]) -> list[Sight]:
        """Those that were there at the version, and on the wall clock, that the query asks of."""
        if query.version is not None:
            reached = self._reached(query.version)
            sights = [s for s in sights if s.start <= reached.get(s.stream_id, np.inf)]
        if query.before_wall is not None:
            beginnings, until = self._beginnings(), query.before_wall
            sights = [
                s
                for s in sights
                if s.stream_id in beginnings
                and beginnings[s.stream_id] + timedelta(seconds=s.end) <= until
            ]
        return sights


def fused(hits: Sequence[Hit], seen: Sequence[Hit], limit: int) -> list[Hit]:
    """Both lists, each best first, as one. Who stands at a place gets the score that the text list
    has there, so that the order of scores is that of the list."""
    uncovered = 1.0 - max((hit.coverage for hit in hits), default=0.0)
    votes: dict[str, float] = {}
    known: dict[str, Hit] = {}
    best_of: dict[str, str] = {}
    weight = 1.0  # of a text no more than of those before it: their order is not for this to change
    for rank, hit in enumerate(hits, 1):
        weight = max(0.0, min(weight, max(hit.coverage, hit.similarity)))
        votes[hit.observation.id] = weight / (RANK_CONSTANT + rank)
        known[hit.observation.id] = hit
        best_of.setdefault(hit.moment_id, hit.observation.id)
    for rank, hit in enumerate(seen, 1):
        id = best_of.get(hit.moment_id, hit.observation.id)
        votes[id] = votes.get(id, 0.0) + uncovered / (RANK_CONSTANT + rank)
        known[id] = replace(known[id], likeness=hit.likeness) if id in known else hit
    order = sorted(votes, key=lambda id: -votes[id])[:limit]
    scores = [hit.score for hit in hits] or [0.0]
    return [
        replace(known[id], score=scores[min(place, len(scores) - 1)])
        for place, id in enumerate(order)
    ]


def _filter(query: Query) -> str:
    clauses = ["keyframe IS NOT NULL"]
    if query.stream_id is not None:
        clauses.append(f"stream_id = {quote(query.stream_id)}")
    if query.stream_ids:
        clauses.append(any_of("stream_id", query.stream_ids))
    if query.start is not None:
        clauses.append(f"`end` >= {float(query.start)!r}")
    if query.end is not None:
        clauses.append(f"start <= {float(query.end)!r}")
    if query.before is not None:
        clauses.append(f"`end` <= {float(query.before)!r}")
    return " AND ".join(clauses)


def _passes(seen: Observation, query: Query) -> bool:
    return (
        (not query.kinds or seen.kind in query.kinds)
        and (not query.roles or seen.role in query.roles)
        and (query.start is None or seen.end >= query.start)
        and (query.end is None or seen.start <= query.end)
        and (query.before is None or seen.end <= query.before)
    )


def _unsaid(sight: Sight) -> Observation:
    return Observation(sight.stream_id, "vision", sight.start, sight.end, UNSAID)


def _strings(values: Iterable[str]) -> object:
    import pyarrow as pa

    return pa.array(list(values), pa.string())
