"""From the rows of moments to episodes, and from episodes to longer ones: reads, never writes."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from memory.episode_rows import Placed, placed_of
from memory.episodes import LEVELS, Unit
from memory.records import Episode, Quote
from memory.rows import filters, rows_with
from memory.summary import Candidate, best, labels_of, merged, pictures, text_of
from memory.tables import (
    DIMENSIONS,
    OBSERVATION_COLUMNS,
    Tables,
    observation_of,
    quote,
    select,
    vectors_of,
)
from memory.vectors import Vectorizer
from memory.words import stems
from perception.records import Observation

Row = dict[str, Any]
Vector = npt.NDArray[np.float32]

TOLD = ("speech", "screen_text")
EPSILON = 0.0005  # half the grain of ids


@dataclass(frozen=True, slots=True)
class Held:
    """A moment with its observations and their vectors (float32 [n, 384])."""

    id: str
    start: float
    end: float
    keyframe: str | None
    observations: tuple[Observation, ...]
    vectors: Vector


def moments_of(tables: Tables, stream_id: str, start: float, end: float) -> list[Held]:
    """The stream's moments that start in [start, end], in order."""
    where = f"stream_id = {quote(stream_id)} AND start >= {start!r} AND start <= {end!r}"
    rows = sorted(select(tables.moments, where), key=lambda row: (row["start"], row["id"]))
    return _with_observations(tables, rows)


def moments_named(tables: Tables, ids: Sequence[str]) -> list[Held]:
    """Those of the moments that are kept, in order."""
    rows = sorted(rows_with(tables.moments, ids), key=lambda row: (row["start"], row["id"]))
    return _with_observations(tables, rows)


def _with_observations(tables: Tables, rows: list[Row]) -> list[Held]:
    held: dict[str, list[tuple[Observation, Vector]]] = {row["id"]: [] for row in rows}
    for where in filters("moment_id", list(held)):
        query = tables.observations.search().where(where)
        found = query.select([*OBSERVATION_COLUMNS, "vector"]).to_arrow()
        plain = found.drop(["vector"]).to_pylist()
        for row, vector in zip(plain, vectors_of(found), strict=True):
            held[row["moment_id"]].append((observation_of(row), vector))
    return [_held(row, held[row["id"]]) for row in rows]


def _held(row: Row, observations: list[tuple[Observation, Vector]]) -> Held:
    ordered = sorted(observations, key=lambda pair: (pair[0].start, pair[0].kind, pair[0].id))
    vectors = np.stack([v for _, v in ordered]) if ordered else np.empty((0, DIMENSIONS))
    return Held(
        id=row["id"],
        start=row["start"],
        end=row["end"],
        keyframe=row["keyframe"],
        observations=tuple(observation for observation, _ in ordered),
        vectors=vectors.astype(np.float32),
    )


def unit_of(moment: Held) -> Unit:
    """The moment as boundaries see it."""
    terms: Counter[str] = Counter()
    for seen in moment.observations:
        if seen.kind in TOLD:
            terms.update(stems(seen.text))
    return Unit(
        start=moment.start,
        end=moment.end,
        heard=_of_kinds(moment, TOLD),
        seen=_of_kinds(moment, ("vision",)),
        terms=terms,
        speakers=frozenset(o.speaker for o in moment.observations if o.speaker),
    )


def unit_above(child: Placed) -> Unit:
    """An episode as the boundaries of the level above see it."""
    episode = child.episode
    said = [quote.observation for quote in episode.quotes]
    terms = Counter(stem for seen in said if seen.kind in TOLD for stem in stems(seen.text))
    speakers = frozenset(seen.speaker for seen in said if seen.speaker)
    return Unit(episode.start, episode.end, child.vector, None, terms, speakers)


def compressed(
    moments: Sequence[Held],
    wall_start: datetime,
    vectorizer: Vectorizer,
    kept: Sequence[Quote] = (),
    children: Iterable[str] = (),
) -> Placed:
    """One episode of the lowest level. `kept`: quotes that outlived their observations, `children`:
    ids of moments that were given up, which an episode that is made anew takes over."""
    given = [Candidate(quote, vector) for quote, vector in _with_vectors(kept, vectorizer)]
    for moment in moments:
        for seen, vector in zip(moment.observations, moment.vectors, strict=True):
            if seen.role == "statement":
                given.append(Candidate(Quote(seen.id, seen, moment.id), vector))
    quotes = best(given)
    every = [*(moment.vectors for moment in moments), *(one.vector[None] for one in given)]
    shown = [(m.keyframe, _of_kinds(m, ("vision",))) for m in moments if m.keyframe is not None]
    ids = sorted({*(moment.id for moment in moments), *children}, key=place_of)
    starts = [m.start for m in moments] + [place_of(id) for id in ids]
    ends = [m.end for m in moments] + [quote.observation.end for quote in kept]
    episode = Episode(
        stream_id=ids[0].rsplit(":", 1)[0],
        level=1,
        start=min(starts),
        end=max([*ends, *starts]),
        wall_start=wall_start,
        text=text_of(quotes, _labels_in(one.quote for one in given)),
        quotes=quotes,
        keyframes=pictures([(digest, vector) for digest, vector in shown]),
        children=tuple(ids),
        moments=len(ids),
    )
    return Placed(episode, unit_length(np.concatenate(every) if every else None))


def joined(children: Sequence[Placed], level: int) -> Placed:
    """One episode of a level above, from those below it, in order."""
    episodes = [child.episode for child in children]
    quotes = merged([episode.quotes for episode in episodes])
    weights = np.array([[episode.moments] for episode in episodes], np.float32)
    shown = [
        (e.keyframes[0], c.vector) for e, c in zip(episodes, children, strict=True) if e.keyframes
    ]
    episode = Episode(
        stream_id=episodes[0].stream_id,
        level=level,
        start=min(episode.start for episode in episodes),
        end=max(episode.end for episode in episodes),
        wall_start=episodes[0].wall_start,
        text=text_of(quotes, _labels_in(quotes)),
        quotes=quotes,
        keyframes=pictures(list(shown)),
        children=tuple(episode.id for episode in episodes),
        moments=sum(episode.moments for episode in episodes),
    )
    return Placed(episode, unit_length(np.stack([c.vector for c in children]) * weights))


def stripped(
    episode: Episode, quotes: Sequence[Quote], keyframes: Sequence[str], vectorizer: Vectorizer
) -> Placed:
    """An episode that stands alone, made of these of its quotes and pictures only."""
    vectors = [vector for _, vector in _with_vectors(quotes, vectorizer)]
    left = replace(
        episode,
        text=text_of(quotes, _labels_in(quotes)),
        quotes=tuple(quotes),
        keyframes=tuple(keyframes),
        written="extract",
        rewritten=None,
    )
    return Placed(left, unit_length(np.stack(vectors) if vectors else None))


def beside(
    episodes: Sequence[Episode], moments: Sequence[Held]
) -> list[tuple[Episode | None, list[Held]]]:
    """Moments that no episode holds, by the episode after whose start they come. A moment that
    gained something goes with the episode that holds it."""
    starts = [episode.start - EPSILON for episode in episodes]
    groups: dict[int, list[Held]] = {}
    for moment in moments:
        at = max(0, bisect_right(starts, moment.start) - 1)
        groups.setdefault(at, []).append(moment)
    return [(episodes[at] if episodes else None, group) for at, group in groups.items()]


def near(old: Episode, late: Sequence[Held]) -> list[Held]:
    """Those that an episode can take in, or holds, and is not much longer than one may be."""
    begin, reach = old.start, old.end
    found = []
    for moment in late:
        begin_then, reach_then = min(begin, moment.start), max(reach, moment.end)
        if moment.id in old.children or reach_then - begin_then <= 1.5 * LEVELS[1].longest:
            found.append(moment)
            begin, reach = begin_then, reach_then
    return found


def episodes_named(tables: Tables, ids: Sequence[str]) -> list[Placed]:
    """Those episodes that are there, in order."""
    rows = rows_with(tables.episodes, ids)
    return sorted(map(placed_of, rows), key=lambda placed: placed.episode.start)


def place_of(id: str) -> float:
    """The stream time at which a moment or an episode starts, from its id."""
    return int(id.rsplit(":", 1)[1]) / 1000


def unit_length(vectors: Vector | None) -> Vector:
    """The direction of the sum of the rows; of none, a fixed one."""
    total = np.zeros(DIMENSIONS, np.float32) if vectors is None else vectors.sum(axis=0)
    length = float(np.linalg.norm(total))
    if length == 0.0:
        total = np.zeros(DIMENSIONS, np.float32)
        total[0] = length = 1.0
    direction: Vector = (total / np.float32(length)).astype(np.float32)
    return direction


def _labels_in(quotes: Iterable[Quote]) -> list[str]:
    """What was seen, of all of them."""
    seen = (quote.observation for quote in quotes)
    return [label for one in seen if one.kind == "vision" for label in labels_of(one.text)]


def _with_vectors(
    quotes: Sequence[Quote], vectorizer: Vectorizer
) -> Iterable[tuple[Quote, Vector]]:
    if not quotes:
        return ()
    vectors = vectorizer.vectors([replace(quote.observation, tags=()) for quote in quotes])
    return zip(quotes, vectors, strict=True)


def _of_kinds(moment: Held, kinds: Sequence[str]) -> Vector | None:
    at = [n for n, seen in enumerate(moment.observations) if seen.kind in kinds]
    if not at:
        return None
    total: Vector = moment.vectors[at].sum(axis=0)
    return total
