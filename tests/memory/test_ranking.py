"""The parts of the score: words, dates, names."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from memory import ranking
from memory.embedder import HashEmbedder
from memory.index import Entry, Index
from memory.queries import DateMention, analyse, dates
from memory.ranking import EXACT_ROWS, FEATURES, WEIGHTS, View, dated, rank
from memory.words import stem, stems

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "forms",
    [
        ("run", "runs", "running", "ran"),
        ("love", "loves", "loved", "loving"),
        ("city", "cities"),
        ("buy", "bought", "buying"),
        ("child", "children", "kids"),
        ("donate", "donated", "donation"),
        ("class", "classes"),
    ],
)
def test_the_forms_of_a_word_share_a_stem(forms: tuple[str, ...]) -> None:
    assert len({stem(form) for form in forms}) == 1, {form: stem(form) for form in forms}


def test_unlike_words_do_not() -> None:
    assert len({stem(word) for word in ("universe", "nation", "relative", "station")}) == 4


def test_words_of_other_scripts_are_found() -> None:
    assert stems("Где Ключи?") == ["где", "ключи"]
    assert stems("梯子はどこ") == list("梯子はどこ")


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("on 9 October, 2024", [DateMention(10, 9, 2024)]),
        ("on October 9th", [DateMention(10, 9)]),
        ("in March 2024", [DateMention(3, None, 2024)]),
        ("since 2024-10-09", [DateMention(10, 9, 2024)]),
        ("in May", [DateMention(5)]),
        ("May I march?", []),
        ("30 February", []),
    ],
)
def test_written_dates_are_read(text: str, mentions: list[DateMention]) -> None:
    assert list(dates(text)) == mentions


def test_the_day_itself_fits_best_then_days_around_it() -> None:
    day = np.datetime64("2024-10-09").astype(int)
    fits = dated(np.array([day, day - 2, day + 3]), [DateMention(10, 9)])
    assert fits.tolist() == [1.0, 0.5, 0.0]


def test_a_speakers_name_is_not_a_word_to_find() -> None:
    analysis = analyse("What did Ruth's brother build?", {"ruth": frozenset({4})})
    assert analysis.speakers == {4}
    assert stem("ruth") not in analysis.terms
    assert analysis.meaning == "What did brother build?"


def test_a_name_alone_is_still_searched_for() -> None:
    analysis = analyse("Ruth", {"ruth": frozenset({4})})
    assert analysis.terms == ("ruth",)
    assert analysis.meaning == "Ruth"


def test_each_feature_has_a_weight() -> None:
    assert WEIGHTS.shape == (len(FEATURES),)


def test_the_fake_embedder_gives_unit_rows_and_nears_shared_words() -> None:
    one, two, other = HashEmbedder().embed(["red kite", "a red kite", "cold soup"])
    assert np.linalg.norm(one) == pytest.approx(1)
    assert one @ two > 0.5 > abs(one @ other)


def test_scoring_roughly_first_finds_what_scoring_every_row_exactly_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(11)
    words = [f"w{n}" for n in range(900)]
    directions = random.standard_normal((len(words), 384)).astype(np.float32)
    said = random.zipf(1.3, (EXACT_ROWS + 2000, 9)) % len(words)
    wall = datetime(2025, 1, 1, tzinfo=UTC)
    entries = [
        Entry(n, f"s:{n}", "s", "speech", "statement", n * 9.0, n * 9.0 + 3, wall, text, "Ada", 0)
        for n, text in enumerate(" ".join(words[at] for at in row) for row in said)
    ]
    vectors = directions[said].sum(axis=1)
    index = Index(384)
    index.add(entries, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    view = View(index, np.arange(len(entries)))
    shared, first = [], []
    for row in random.integers(0, len(said), 40):
        asked = said[row, :4]
        vector = directions[asked].sum(axis=0)
        query = analyse(" ".join(words[at] for at in asked), {}), vector / np.linalg.norm(vector)
        rough = rank(view, *query, 10).positions
        monkeypatch.setattr(ranking, "EXACT_ROWS", len(entries))
        exact = rank(view, *query, 10).positions
        monkeypatch.setattr(ranking, "EXACT_ROWS", EXACT_ROWS)
        shared.append(len(set(rough) & set(exact)) / 10)
        first.append(rough[0] == exact[0])
    assert np.mean(shared) >= 0.97
    assert np.mean(first) >= 0.97
