"""Summaries in a model's words: which episode is next, what is kept, and when it goes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from memory.consolidate import QUIET
from memory.embedder import HashEmbedder
from memory.errors import WriteFailed
from memory.records import Episode, Selection, Unwritten
from memory.store import Store
from perception.records import Moment, Observation
from tests.memory.episodic import remember, said_in, talk
from tests.memory.storing import stream

pytestmark = pytest.mark.unit

TALK = [*talk(0, 240, 0), *talk(240, 300, 1), *talk(1200, 420, 2)]
CANARY = "zanzibarquokka"


def filled(path: Path, moments: list[Moment] = TALK) -> Store:
    """A store whose every moment is in an episode of each level."""
    store = Store(path, HashEmbedder())
    now = [0.0]
    store._longterm.consolidation._clock = lambda: now[0]
    remember(store, moments)
    store.consolidate()
    now[0] = QUIET + 1
    store.consolidate()
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with filled(tmp_path / "store") as opened:
        yield opened


def next_of(store: Store, writer: str = "small") -> Unwritten:
    found = store.unwritten(writer)
    assert found is not None
    return found


def write(store: Store, text: str | None, writer: str = "small") -> str:
    one = next_of(store, writer)
    assert store.rewrite(one.episode_id, one.material, writer, text)
    return one.episode_id


def every(store: Store) -> list[Episode]:
    return [episode for level in (3, 2, 1) for episode in store.episodes("cam", level=level)]


def traces(store: Store, word: str) -> list[str]:
    files = [path for path in store.path.rglob("*") if path.is_file()]
    return [str(path) for path in files if word.encode() in path.read_bytes().lower()]


def test_the_highest_level_comes_first_then_the_oldest_and_each_once(store: Store) -> None:
    expected = [episode.id for episode in every(store)]
    found: list[str] = []
    while store.unwritten("small") is not None:
        found.append(write(store, f"Told {len(found)}." if len(found) % 2 else None))
    assert found == expected
    told = [(e.written, e.told == e.text) for e in every(store)]
    assert told[:2] == [("extract", True), ("small", False)]


def test_the_extract_stays_beside_the_models_words(store: Store) -> None:
    before = store.episodes("cam", level=3)[0]
    write(store, "Ships and an orchard were talked of.")
    after = store.episodes("cam", level=3)[0]
    assert after == replace(before, written="small", rewritten=after.rewritten)
    assert after.told == "Ships and an orchard were talked of."
    assert after.text == before.text


def test_what_a_model_could_make_nothing_of_is_tried_again_by_another_only(store: Store) -> None:
    id = write(store, None)
    assert next_of(store).episode_id != id
    assert next_of(store, "large").episode_id == id
    write(store, "Ships were talked of.", "large")
    assert next_of(store, "large").episode_id != id
    assert next_of(store).episode_id != id  # another's words are good enough


def test_what_was_tried_is_known_after_a_crash(tmp_path: Path) -> None:
    with filled(tmp_path / "store") as store:
        refused = write(store, None)
        kept = write(store, "Ships were talked of.")
        third = next_of(store).episode_id
    with Store(tmp_path / "store", HashEmbedder()) as store:
        store.consolidate()
        assert next_of(store).episode_id == third
        assert {e.id: e.written for e in every(store) if e.id in (refused, kept)} == {
            refused: "extract",
            kept: "small",
        }


def test_words_that_were_not_sealed_are_gone_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled(tmp_path / "store") as store:
        one = next_of(store)

        def fails(versions: object) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(store.place, "seal", fails)
        with pytest.raises(WriteFailed):
            store.rewrite(one.episode_id, one.material, "small", "Told.")
    with Store(tmp_path / "store", HashEmbedder()) as store:
        store.consolidate()
        assert {episode.written for episode in every(store)} == {"extract"}
        assert write(store, "Told again.") == one.episode_id
        assert store.episodes("cam", level=3)[0].told == "Told again."


def test_nothing_is_next_while_more_is_to_be_compressed(store: Store) -> None:
    store._longterm.behind = True
    assert store.unwritten("small") is None


def test_what_comes_late_takes_the_words_of_its_episode_and_of_those_above(store: Store) -> None:
    while store.unwritten("small") is not None:
        write(store, "Told.")
    late = Observation("cam", "speech", 30.0, 32.0, "Oriel has code 9914")
    store.remember(stream(), [Moment("cam", 30.0, 32.0, (late,))], {})
    store.consolidate()
    written = {e.start: e.written for e in store.episodes("cam")}
    assert written == {0.0: "extract", 240.0: "small", 1200.0: "small"}
    assert [e.written for e in every(store)][:2] == ["extract", "extract"]
    assert any("9914" in q.observation.text for q in next_of(store).quotes)


def test_an_episode_made_anew_of_the_same_quotes_keeps_its_words(store: Store) -> None:
    """Pinning has the episode made anew."""
    while store.unwritten("small") is not None:
        write(store, "Told.")
    store.pin([TALK[3].id])
    store.consolidate()
    assert {e.written for e in every(store)} == {"small"}
    assert store.unwritten("small") is None


def test_a_correction_takes_the_words_at_once_and_what_is_told_is_put_right(
    tmp_path: Path,
) -> None:
    planted = list(TALK)
    planted[10] = said_in(TALK[10], "Helen keeps the spare key 4471 in the blue tin")
    with filled(tmp_path / "store", planted) as store:
        while store.unwritten("small") is not None:
            held = any("Helen" in q.observation.text for q in next_of(store).quotes)
            write(store, "Helen keeps the key." if held else "Told.")
        said = Observation("cam", "speech", 70.0, 72.0, "That's Elin, not Helen.")
        store.remember(stream(), [Moment("cam", 70.0, 72.0, (said,))], {})
        for episode in every(store):
            assert "Helen" not in episode.told
        first = store.episodes("cam")[0]
        assert first.written == "extract"
        assert "Elin keeps the spare key" in first.told
        store.consolidate()
        assert any("Elin keeps" in q.observation.text for q in next_of(store).quotes)


def test_quotes_put_right_since_they_were_given_are_not_what_is_kept(tmp_path: Path) -> None:
    planted = list(TALK)
    planted[10] = said_in(TALK[10], "Helen keeps the spare key 4471 in the blue tin")
    with filled(tmp_path / "store", planted) as store:
        one = next_of(store)
        said = Observation("cam", "speech", 70.0, 72.0, "That's Elin, not Helen.")
        store.remember(stream(), [Moment("cam", 70.0, 72.0, (said,))], {})
        assert not store.rewrite(one.episode_id, one.material, "small", "Helen keeps the key.")
        assert not store.rewrite("cam:e1:0000099999", one.material, "small", "Gone.")


@pytest.mark.parametrize("whole", [False, True])
def test_no_byte_of_the_words_is_left_when_what_they_tell_is_forgotten(
    tmp_path: Path, whole: bool
) -> None:
    planted = list(TALK)
    planted[10] = said_in(TALK[10], f"The {CANARY} 4471 sings in the tin")
    with filled(tmp_path / "store", planted) as store:
        while store.unwritten("small") is not None:
            held = any(CANARY in q.observation.text for q in next_of(store).quotes)
            write(store, f"A {CANARY}sings." if held else "Told.")
        assert traces(store, f"{CANARY}sings")
        moment = Selection(moment_ids=(planted[10].id,))
        store.forget(Selection(stream_id="cam") if whole else moment)
        assert traces(store, CANARY) == []
        if not whole:
            assert {e.start: e.written for e in store.episodes("cam")}[240.0] == "small"


def test_no_byte_is_left_of_words_that_rest_on_a_correction_forgotten(tmp_path: Path) -> None:
    """The correction was said in another episode than the one whose words it put right."""
    planted = list(TALK)
    planted[10] = said_in(TALK[10], "Quaggo keeps the spare key 4471 in the blue tin")
    planted[45] = said_in(TALK[45], f"That's {CANARY.title()}, not Quaggo.")
    with filled(tmp_path / "store", planted) as store:
        while store.unwritten("small") is not None:
            quotes = next_of(store).quotes
            right = any(f"{CANARY.title()} keeps" in q.observation.text for q in quotes)
            write(store, f"{CANARY.title()} keeps it." if right else "Told.")
        assert CANARY.title() in store.episodes("cam")[0].told
        store.forget(Selection(moment_ids=(planted[45].id,)))
        assert traces(store, CANARY) == []
        assert "Quaggo keeps the spare key" in store.episodes("cam")[0].told


def test_a_store_of_before_opens_and_its_episodes_are_next(tmp_path: Path) -> None:
    with filled(tmp_path / "store") as store:
        expected = every(store)
        with store._upkeep.held_off():
            store.tables.episodes.drop_columns(["rewritten", "tried", "tried_by"])
            store.tables.db.open_table("meta").delete("migration LIKE 'm007%'")
            store._seal()
    with Store(tmp_path / "store", HashEmbedder()) as store:
        assert every(store) == expected
        store.consolidate()
        assert write(store, "Told.") == expected[0].id


def test_archives_carry_the_words_and_older_ones_are_taken(tmp_path: Path) -> None:
    with filled(tmp_path / "store") as store:
        write(store, "Ships were talked of.")
        rows = store.rows("cam")
    old = dict(rows)
    whole = pq.read_table(io.BytesIO(rows["episodes"]))
    file = io.BytesIO()
    pq.write_table(whole.drop_columns(["rewritten", "tried", "tried_by"]), file)
    old["episodes"] = file.getvalue()
    for name, given, told in (("new", rows, "Ships were talked of."), ("old", old, None)):
        with Store(tmp_path / name, HashEmbedder()) as store:
            store.add_rows("cam", given)
            remember(store, TALK)
            assert store.episodes("cam", level=3)[0].rewritten == told
