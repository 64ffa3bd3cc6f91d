"""Search skips most rows by a rough score and keeps vectors at eight bits: what that misses of the ten
best by exact scores, every row and every vector in full."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from memory import ranking
from memory.index import Entry, Floats, Index, Rows
from memory.quantised import directions, quantised
from memory.queries import analyse
from memory.ranking import View, rank

WORDS = [f"w{n}" for n in range(3000)]
WALL = datetime(2025, 1, 1, tzinfo=UTC)
QUESTIONS = 40


class Whole(Index):
    """An index whose vectors are float32, as they were given."""

    vectors: Floats

    def similarity(self, query: Floats, rows: Rows) -> Floats:
        cosines: Floats = self.vectors[rows] @ query
        return cosines


def filled(index: Index, said: Rows, vectors: Floats) -> None:
    """Streams of 500 rows, so that every row has the context of its own."""
    for first in range(0, len(said), 5000):
        entries = [
            Entry(
                n,
                f"s:{n}",
                f"s{n // 500}",
                "speech",
                "statement",
                n % 500 * 9.0,
                n % 500 * 9.0 + 3,
                WALL,
                " ".join(WORDS[at] for at in row),
                "Ada",
                0,
            )
            for n, row in enumerate(said[first : first + 5000].tolist(), first)
        ]
        index.add(entries, vectors[first : first + 5000])


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(12_000, marks=pytest.mark.unit),
        pytest.param(100_000, marks=pytest.mark.soak),
    ],
)
def test_search_finds_what_exact_scores_of_every_row_find(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(rows)
    meanings = random.standard_normal((len(WORDS), 384)).astype(np.float32)
    said = random.zipf(1.25, (rows, 9)) % len(WORDS)
    vectors = meanings[said].sum(axis=1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    searched, exact = Index(384), Whole(384)
    exact.vectors = vectors
    filled(searched, said, directions(quantised(vectors)))  # as the table gives them
    filled(exact, said, vectors)
    every = np.arange(rows)
    shared, best = [], []
    for row in random.integers(0, rows, QUESTIONS):
        asked = random.permutation(said[row])[:4]
        vector = meanings[asked].sum(axis=0)
        query = analyse(" ".join(WORDS[at] for at in asked), {}), vector / np.linalg.norm(vector)
        found = rank(View(searched, every), *query, 10).positions
        with monkeypatch.context() as whole:
            whole.setattr(ranking, "EXACT_ROWS", rows)
            right = rank(View(exact, every), *query, 10).positions
        shared.append(len(set(found) & set(right)) / 10)
        best.append(found[0] == right[0])
    assert np.mean(shared) >= 0.99
    assert np.mean(best) >= 0.97
