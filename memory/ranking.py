"""How an observation is scored against a query: seven features, one weighted sum.

1. coverage: the share of the query's words, weighted by rarity (idf among the rows searched), that
   the observation holds. Word counts and length are left out: beside it, BM25 added nothing.
2. context coverage: the same with the turns just before and after: an answer follows its question.
3. similarity: cosine of the vectors. 4. context similarity: its mean over two turns either side.
5. speaker: it is said by someone the query names (the name itself is then not searched for).
6. date: 1 on a day the query gives, 0.5 two days around it or anywhere in a month it gives.
7. asks: it ends as a question, which tells less than what answers it.
The weights are a listwise softmax regression (Cao et al. 2007) on questions about long
conversations: `python -m bench weights FILE...` makes them and reports recall with each
conversation left out. No step drops near-duplicates: that costs recall where evidence repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from memory.index import Floats, Index, Rows, weighed
from memory.queries import Analysis, DateMention

FEATURES = (
    "coverage",
    "context coverage",
    "similarity",
    "context similarity",
    "speaker",
    "date",
    "asks",
)
WEIGHTS: Floats = np.array([1.19, 4.7, 5.11, 5.92, 2.89, 4.29, -0.85], np.float32)

NEAR_DAYS = 2
# Up to this many rows every cosine is computed. Of more, those that score best alone by the rough
# cosine are scored with the rows around them, and the best of these by exact cosines.
EXACT_ROWS = 4096
ALONE = 8192
CANDIDATES = 2048
# Until they are looked at, the rows around one are taken to be this much as like the query as it is
# itself: what is said in one breath is alike.
AROUND = np.float32(0.75)
DAY_SECONDS = 86_400
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Alias:
    """Rows of a stream that start within [since, until] and hold the stems `wrong` hold `right`
    too; with `row`, only that position."""

    right: str
    wrong: tuple[str, ...]
    stream: int
    since: float
    until: float
    row: int | None = None


class View:
    """The rows of an index that a query searches, with neighbours as positions among them.

    A neighbour that the query's filters leave out counts as absent."""

    def __init__(self, index: Index, rows: Rows, aliases: Sequence[Alias] = ()) -> None:
        self.index = index
        self._aliases = aliases
        self.rows = rows
        self.previous: Rows = index.column("previous")
        self.next: Rows = index.column("next")
        self._at: Rows | None = None  # where a position of the index is among the rows
        if len(rows) < len(self.next):
            # One cell more than there are positions: -1, "none", then looks itself up.
            self._at = np.full(len(self.next) + 1, -1, np.int64)
            self._at[rows] = np.arange(len(rows))
            self.previous, self.next = self._at[self.previous[rows]], self._at[self.next[rows]]

    def holding(self, term: str) -> Rows:
        rows = self.index.postings(term)
        for alias in self._aliases:
            if alias.right == term:
                rows = np.union1d(rows, self._heard_as(alias))
        if self._at is None:
            return rows
        found = self._at[rows]
        return found[found >= 0]

    def _heard_as(self, alias: Alias) -> Rows:
        if alias.row is not None:
            return np.array([alias.row] if alias.row >= 0 else [], np.int64)
        rows = self.index.postings(alias.wrong[0]) if alias.wrong else np.empty(0, np.int64)
        for stem in alias.wrong[1:]:
            rows = np.intersect1d(rows, self.index.postings(stem))
        start = self.index.column("start")[rows]
        same = self.index.column("stream")[rows] == alias.stream
        heard: Rows = rows[same & (start >= alias.since) & (start <= alias.until)]
        return heard

    def column(self, name: str, at: Rows) -> npt.NDArray[Any]:
        column: npt.NDArray[Any] = self.index.column(name)[self.rows[at]]
        return column


def lexical(view: View, terms: Sequence[str]) -> tuple[Floats, Floats]:
    """Coverage and context coverage of each row, in [0, 1]."""
    size = len(view.rows)
    own, context = np.zeros(size, np.float32), np.zeros(size, np.float32)
    total = 0.0
    for term in terms:
        rows = view.holding(term)
        rarity = float(np.log(1 + (size - len(rows) + 0.5) / (len(rows) + 0.5)))
        total += rarity
        if not len(rows):
            continue
        own[rows] += np.float32(rarity)
        around = np.concatenate((rows, view.previous[rows], view.next[rows]))
        held = np.zeros(size + 1, np.bool_)
        held[around] = True  # -1, none, marks the spare cell
        context += held[:size] * np.float32(rarity)
    if total > 0:
        own /= np.float32(total)
        context /= np.float32(total)
    return own, context


def smoothed(view: View, similarity: Floats, at: Rows) -> Floats:
    """The mean of each row's similarity with those of up to two rows before and after it."""
    padded = np.append(similarity, np.float32(0))  # the spare cell again: nothing there adds 0
    total, count = similarity[at], np.ones(len(at), np.float32)
    for step in (view.previous, view.next):
        hop = np.append(step, -1)
        for neighbour in (hop[at], hop[hop[at]]):
            total = total + padded[neighbour]
            count += neighbour >= 0
    return total / count


def dated(days: npt.NDArray[Any], mentions: Sequence[DateMention]) -> Floats:
    """How well each day (days since 1970) fits the best of the dates mentioned, in [0, 1]."""
    unique, inverse = np.unique(days, return_inverse=True)
    fits = [
        max((_fit(_EPOCH + int(day), mention) for mention in mentions), default=0.0)
        for day in unique
    ]
    return np.array(fits, np.float32)[inverse]


def _fit(ordinal: int, mention: DateMention) -> float:
    day = date.fromordinal(ordinal)
    if _is(day, mention):
        return 0.5 if mention.day is None else 1.0
    around = (day + timedelta(days=shift) for shift in range(-NEAR_DAYS, NEAR_DAYS + 1))
    near = mention.day is not None and any(_is(other, mention) for other in around)
    return 0.5 if near else 0.0


def _is(day: date, mention: DateMention) -> bool:
    return (
        day.month == mention.month
        and mention.day in (None, day.day)
        and mention.year in (None, day.year)
    )


def features(
    view: View, analysis: Analysis, lexis: tuple[Floats, Floats], similarity: Floats, at: Rows
) -> Floats:
    """float32 [len(at), 7] of the rows `at`, in the order of `FEATURES`."""
    around = smoothed(view, similarity, at)
    return _columns(view, analysis, lexis, similarity[at], around, at)


def _columns(
    view: View,
    analysis: Analysis,
    lexis: tuple[Floats, Floats],
    similarity: Floats,
    around: Floats,
    at: Rows,
) -> Floats:
    """`similarity` and `around`, the context similarity: of the rows `at`."""
    coverage, context = lexis
    said_by = when = np.zeros(len(at), np.float32)
    if analysis.speakers:
        named = sorted(analysis.speakers)
        said_by = np.isin(view.column("speaker", at), named, kind="sort").astype(np.float32)
    if analysis.dates:
        when = dated(np.floor(view.column("wall", at) / DAY_SECONDS), analysis.dates)
    columns = (
        coverage[at],
        context[at],
        similarity,
        around,
        said_by,
        when,
        view.column("asks", at),
    )
    # Stacked column by column: five times as fast as row by row.
    return np.stack(columns, dtype=np.float32).T


@dataclass(frozen=True, slots=True)
class Ranked:
    """Positions in the index, best first, and what they were given."""

    positions: Rows
    scores: Floats
    similarity: Floats
    coverage: Floats


def rank(view: View, analysis: Analysis, vector: Floats, limit: int) -> Ranked:
    """The best `limit` rows of the view for a query whose unit vector is `vector`."""
    lexis = lexical(view, analysis.terms)
    at = np.arange(len(view.rows))
    if len(at) <= EXACT_ROWS:
        similarity = view.index.similarity(vector, view.rows)
    else:
        similarity = view.index.rough_similarity(vector, view.rows)
        supposed = similarity * AROUND
        alone = weighed(_columns(view, analysis, lexis, similarity, supposed, at), WEIGHTS)
        at = _among_highest(alone, max(ALONE, 4 * limit))
        rough = weighed(features(view, analysis, lexis, similarity, at), WEIGHTS)
        at = at[_highest(rough, max(CANDIDATES, 2 * limit))]
        exact = _with_context(view, at)
        similarity[exact] = view.index.similarity(vector, view.rows[exact])
    scores = weighed(features(view, analysis, lexis, similarity, at), WEIGHTS)
    best = _highest(scores, limit)
    chosen = at[best]
    return Ranked(view.rows[chosen], scores[best], similarity[chosen], lexis[0][chosen])


def _with_context(view: View, at: Rows) -> Rows:
    found = np.zeros(len(view.rows) + 1, np.bool_)
    found[at] = True
    for step in (view.previous, view.next):
        hop = np.append(step, -1)
        found[hop[at]] = True
        found[hop[hop[at]]] = True
    return np.flatnonzero(found[:-1])


def _highest(scores: Floats, count: int) -> Rows:
    """Where the highest are, highest first; of equals the earlier row."""
    at = _among_highest(scores, count)
    return at[np.argsort(-scores[at], kind="stable")[:count]]


def _among_highest(scores: Floats, count: int) -> Rows:
    """Where the highest are, in order of place, with all that equal the last of them."""
    if len(scores) <= count:
        return np.arange(len(scores))
    return np.flatnonzero(scores >= np.partition(scores, -count)[-count])
