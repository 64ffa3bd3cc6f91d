"""What search finds, and what it leaves out, on a store with a deterministic embedder."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory import ranking, search
from memory.embedder import HashEmbedder
from memory.records import Query, Selection
from memory.store import Store
from tests.memory.searching import heard, remember, texts

pytestmark = pytest.mark.unit

TALK = [
    heard(0, "Where did you leave the ladder?", speaker="Ruth"),
    heard(5, "Behind the greenhouse, next to the blue barrel.", speaker="Tomas"),
    heard(10, "Thanks Tomas!", speaker="Ruth"),
    heard(400, "The plumber comes at nine.", speaker="Ruth"),
    heard(405, "I painted two fences this morning.", speaker="Tomas"),
    heard(800, "INVOICE 7741", kind="screen_text"),
    heard(805, "What does the invoice say?", role="question"),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", HashEmbedder()) as opened:
        yield opened


@pytest.fixture
def talk(store: Store) -> Store:
    remember(store, TALK)
    return store


def test_the_observation_that_holds_the_words_comes_first(talk: Store) -> None:
    assert texts(talk, "which fence did somebody paint?")[0] == TALK[4].text


def test_the_answer_is_found_by_the_question_before_it(talk: Store) -> None:
    assert TALK[1].text in texts(talk, "ladder", limit=2)


def test_a_named_speaker_is_looked_for_as_who_says_it(talk: Store) -> None:
    by_tomas = talk.search(Query("What did Tomas say?", limit=2, roles=("statement",)))
    assert {hit.observation.speaker for hit in by_tomas} == {"Tomas"}


def test_what_is_remembered_is_found_by_the_next_search(talk: Store) -> None:
    assert "a heron landed" not in texts(talk, "heron")
    remember(talk, [heard(900, "a heron landed")])
    assert texts(talk, "heron")[0] == "a heron landed"


def test_what_is_forgotten_is_not_found(talk: Store) -> None:
    assert texts(talk, "plumber")[0] == TALK[3].text
    talk.forget(Selection(stream_id="yard", start=399, end=404))
    assert TALK[3].text not in texts(talk, "plumber", limit=100)


def test_neighbours_close_up_over_what_was_forgotten(talk: Store) -> None:
    talk.forget(Selection(stream_id="yard", start=4.5, end=8.5))
    assert "Thanks Tomas!" in texts(talk, "ladder", limit=2)


def test_the_sizes_of_batches_change_nothing(tmp_path: Path) -> None:
    found = []
    for batch in (1, 3, 50):
        with Store(tmp_path / str(batch), HashEmbedder()) as one:
            shuffled = list(TALK)
            random.Random(batch).shuffle(shuffled)
            remember(one, shuffled, batch)
            hits = one.search(Query("where was the ladder left", limit=100))
            found.append([(hit.observation.text, round(hit.score, 4)) for hit in hits])
    assert found[0] == found[1] == found[2]


def test_filters_hold(talk: Store) -> None:
    everything = texts(talk, "the invoice", limit=100)
    assert len(everything) == len(TALK)
    assert texts(talk, "the invoice", kinds=("screen_text",)) == ["INVOICE 7741"]
    assert TALK[6].text not in texts(talk, "the invoice", roles=("statement",), limit=100)
    assert set(texts(talk, "x", start=400, end=406, limit=100)) == {TALK[3].text, TALK[4].text}
    assert TALK[3].text not in texts(talk, "the plumber", before=402.9, limit=100)
    assert TALK[3].text in texts(talk, "the plumber", before=403, limit=100)


def test_streams_are_kept_apart(talk: Store) -> None:
    remember(talk, [heard(3, "the ladder is in the attic", stream_id="house")])
    assert texts(talk, "ladder", stream_id="house", limit=100) == ["the ladder is in the attic"]
    assert texts(talk, "ladder", stream_id="nowhere") == []


def test_without_words_the_most_recent_come_first(talk: Store) -> None:
    assert texts(talk, "  ?! ", limit=2) == [TALK[6].text, TALK[5].text]


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert texts(store, "anything") == []
    assert texts(store, "") == []


@pytest.mark.parametrize(
    "query",
    [
        "word " * 20_000,
        '"ladder" AND (NOT blue) OR text:*~ ^2 \'; DROP TABLE',
        "Где лестница? 梯子はどこ 🪜 \u0000 \ud800",
        "x" * 100_000,
    ],
    ids=["huge", "operators", "unicode", "one long word"],
)
def test_no_query_breaks_it(talk: Store, query: str) -> None:
    assert len(talk.search(Query(query, limit=3))) == 3


def test_coverage_is_the_share_of_words_found(talk: Store) -> None:
    whole = talk.search(Query("blue barrel"))[0]
    half = talk.search(Query("blue zeppelin"))[0]
    assert whole.coverage == pytest.approx(1)
    assert 0 < half.coverage < 0.6
    assert talk.search(Query("zeppelin"))[0].coverage == 0


def test_no_more_than_the_limit(talk: Store) -> None:
    assert len(texts(talk, "the", limit=3)) == 3
    assert texts(talk, "the", limit=0) == []


def test_the_rough_pass_over_many_rows_finds_what_the_exact_one_finds(
    talk: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(talk, [heard(1000 + 9 * n, f"crate {n} holds part {n * 7}") for n in range(60)])
    exact = texts(talk, "which crate holds part 84", limit=3)
    monkeypatch.setattr(ranking, "EXACT_ROWS", 10)
    assert texts(talk, "which crate holds part 84", limit=3) == exact


def test_a_reopened_store_finds_the_same(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder()) as first:
        remember(first, TALK)
        before = [(h.observation.id, h.score) for h in first.search(Query("the fences"))]
    with Store(tmp_path, HashEmbedder()) as second:
        assert [(h.observation.id, h.score) for h in second.search(Query("the fences"))] == before


def test_the_index_is_made_anew_when_most_of_it_was_forgotten(
    talk: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "DEAD_ROWS", 3)
    talk.forget(Selection(stream_id="yard", start=0, end=500))
    assert texts(talk, "invoice", limit=100) == [TALK[5].text, TALK[6].text]
