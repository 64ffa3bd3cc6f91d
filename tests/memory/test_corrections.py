"""What a speaker takes back: recognised, kept, and followed by what is shown and searched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.corrections import TakenBack, taken_back
from memory.embedder import HashEmbedder
from memory.errors import InvalidRequest, MomentNotFound
from memory.records import Query, Selection
from memory.store import Store
from tests.memory.searching import heard, remember, texts

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", HashEmbedder()) as opened:
        yield opened


def shown(store: Store, query: str) -> list[str]:
    return [hit.corrected or hit.observation.text for hit in store.search(Query(query))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("That's Elin, not Helen.", TakenBack("Helen", "Elin")),
        ("No, it's not Helen, it's Elin.", TakenBack("Helen", "Elin")),
        ("Her name is Elin, not Helen.", TakenBack("Helen", "Elin")),
        ("Not Helen, Elin.", TakenBack("Helen", "Elin")),
        ("It's seventeen, not seventy.", TakenBack("seventy", "seventeen")),
        ("The code is 2290, not 2219.", TakenBack("2219", "2290")),
        ("It's spelled Rhys, R-H-Y-S.", TakenBack("", "Rhys", True)),
        ("That is spelt R, H, Y, S.", TakenBack("", "Rhys", True)),
        ("No, I said seventeen.", TakenBack("", "seventeen")),
        ("Sorry, I meant Thursday.", TakenBack("", "Thursday")),
        ("Actually it's Dr. Weyl, not Dr. Veil.", TakenBack("Veil", "Weyl")),
        ("Correction: it's Elin, not Helen.", TakenBack("Helen", "Elin")),
        ("His name is actually Joris, not Boris.", TakenBack("Boris", "Joris")),
        ("She is called Elin, not Helen.", TakenBack("Helen", "Elin")),
        ("Call her Elin, not Helen.", TakenBack("Helen", "Elin")),
        ("You misheard: Elin, not Helen.", TakenBack("Helen", "Elin")),
        ("Not Helen - Elin.", TakenBack("Helen", "Elin")),
        ("That is Rhys, R-H-Y-S.", TakenBack("", "Rhys", True)),
        ("The ferry leaves at 7:40, not 7:14.", TakenBack("7:14", "7:40")),
        ("That's Bob, not Helen.", TakenBack("Helen", "Bob")),
        ("His name is Bob, not Helen.", TakenBack("Helen", "Bob")),
        ("Not Helen. It's Bob.", TakenBack("Helen", "Bob")),
        ("The contact is Elin, not Helen.", TakenBack("Helen", "Elin")),
        ("The winner is Bob, not Helen.", None),
        ("Ask Elin, not Helen.", None),
        ("Bring Plan A, B, C.", None),
        ("No, it is in the garage.", None),
        ("I like Elin, not far from here.", None),
        ("That's nice, not bad.", None),
        ("I said hello.", None),
    ],
)
def test_what_takes_something_back_is_recognised(text: str, found: TakenBack | None) -> None:
    assert taken_back(text) == found


def test_a_corrected_name_is_shown_and_found_before_and_after(store: Store) -> None:
    remember(
        store,
        [
            heard(0, "Helen brought the accordion."),
            heard(10, "That's Elin, not Helen."),
            heard(500, "Helen sold the canoe."),
            heard(900, "Rain all day."),
        ],
    )
    assert set(shown(store, "Elin")[:2]) >= {"Elin brought the accordion."} or set(
        shown(store, "Elin")[:3]
    ) == {"Elin brought the accordion.", "That's Elin, not Helen.", "Elin sold the canoe."}
    assert {hit.coverage for hit in store.search(Query("Elin", limit=3))} == {1.0}
    assert "Helen brought the accordion." in texts(store, "Elin")  # what was heard is kept
    assert texts(store, "Helen canoe")[0] == "Helen sold the canoe."
    (kept,) = store.corrections("yard")
    assert (kept.wrong, kept.right, kept.text) == ("Helen", "Elin", "That's Elin, not Helen.")


def test_another_stream_and_a_longer_name_are_left_alone(store: Store) -> None:
    remember(store, [heard(0, "Helen waved."), heard(5, "That's Elin, not Helen.")])
    remember(store, [heard(0, "Helen swam.", stream_id="pool"), heard(20, "Helena ran.")])
    assert {"Helen swam.", "Helena ran.", "Elin waved."} <= set(shown(store, "Helen Helena"))


def test_of_two_people_only_the_mention_before_is_meant(store: Store) -> None:
    remember(
        store,
        [
            heard(0, "Helen and Elin came by train."),
            heard(600, "Helen broke the vase."),
            heard(610, "That's Elin, not Helen."),
            heard(900, "Helen paid for it."),
        ],
    )
    assert "Elin broke the vase." in shown(store, "vase")
    assert "Helen paid for it." in shown(store, "paid")
    assert "Helen and Elin came by train." in shown(store, "train")


def test_a_spelled_name_stands_for_the_one_that_sounds_like_it(store: Store) -> None:
    remember(
        store,
        [
            heard(0, "Reese will bring Bob."),
            heard(8, "It's spelled Rhys, R-H-Y-S."),
        ],
    )
    assert "Rhys will bring Bob." in shown(store, "Rhys")


def test_a_corrected_number_is_put_right_once(store: Store) -> None:
    remember(
        store,
        [
            heard(0, "The bus takes seventy people."),
            heard(40, "The ladle costs seventy francs."),
            heard(45, "No, I said seventeen."),
        ],
    )
    assert "The ladle costs seventeen francs." in shown(store, "ladle")
    assert "The bus takes seventy people." in shown(store, "bus")
    assert [fact.value for fact in store.facts("ladle")] == ["seventeen francs"]


def test_a_fact_about_a_corrected_name_is_found_under_both(store: Store) -> None:
    remember(store, [heard(0, "Helen is at the dentist."), heard(5, "That's Elin, not Helen.")])
    (fact,) = store.facts("Elin")
    assert (fact.subject, fact.value, fact.text) == (
        "Elin",
        "at the dentist",
        "Helen is at the dentist.",
    )


def test_forgetting_takes_a_correction_and_what_it_put_right_is_as_heard(store: Store) -> None:
    remember(
        store,
        [
            heard(0, "Helen brought the accordion."),
            heard(300, "That's Quagga8841, not Helen."),
        ],
    )
    assert "Quagga8841 brought the accordion." in shown(store, "accordion")
    store.forget(Selection(stream_id="yard", start=299, end=304))
    assert shown(store, "accordion") == ["Helen brought the accordion."]
    files = [path for path in store.path.rglob("*") if path.is_file()]
    assert not [path for path in files if b"quagga8841" in path.read_bytes().lower()]


def test_a_correction_goes_with_the_words_it_was_about(store: Store) -> None:
    remember(store, [heard(0, "Quagga will bring Bob."), heard(60, "It's spelled Q-U-A-G-A.")])
    assert "Quaga will bring Bob." in shown(store, "bring")
    store.forget(Selection(stream_id="yard", start=0, end=2))
    assert store.corrections() == []
    files = [path for path in store.path.rglob("*") if path.is_file()]
    assert not [path for path in files if b"quagga" in path.read_bytes().lower()]


def test_an_entity_is_forgotten_with_every_moment_that_names_it(store: Store) -> None:
    remember(
        store,
        [
            heard(0, "Quaggo8841 brought the accordion."),
            heard(10, "That's Quagga8841, not Quaggo8841."),
            heard(500, "I like the accordion."),
            heard(900, "Fine.", speaker="Quagga8841"),
            heard(1200, "Quagga88412 is another."),
        ],
    )
    assert len(store.mentions("quagga8841")) == 3
    assert store.forget(Selection(entity="Quagga8841")).moments == 3
    assert len(store.timeline("yard")) == 2
    assert store.corrections() == []
    files = [path for path in store.path.rglob("*") if path.is_file()]
    assert not [path for path in files if b"quaggo8841" in path.read_bytes().lower()]
    with pytest.raises(MomentNotFound):
        store.forget(Selection(entity="Quagga8841"))
    with pytest.raises(InvalidRequest):
        store.forget(Selection(entity="?!"))


@pytest.mark.parametrize("name", ["Quaggo8841", "Quagga8841", "Zebra8841"])
def test_either_name_forgets_what_was_put_right_and_no_byte_of_either_is_left(
    store: Store, name: str
) -> None:
    remember(
        store,
        [
            heard(0, "Quaggo8841 brought the accordion."),
            heard(10, "That's Quagga8841, not Quaggo8841."),
            heard(400, "That's Zebra8841, not Quagga8841."),
            heard(900, "Quaggo8841 sold the canoe."),
            heard(1200, "I like the accordion."),
        ],
    )
    assert "Zebra8841 sold the canoe." in shown(store, "canoe")
    store.forget(Selection(entity=name))
    files = [path for path in store.path.rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in files).lower()
    assert name.lower().encode() not in content
    assert not [text for text in shown(store, name) if name in text]
    assert "I like the accordion." in shown(store, "accordion")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Herr Wei\u00dfm\u00fcller sang.", "weissm\u00fcller"),
        ("Jose\u0301 sang.", "Jos\u00e9"),
        ("\uff21\uff2e\uff2e\uff21 sang.", "Anna"),
        ("It's spelled Q-U-A-G-A.", "Quaga"),
    ],
)
def test_a_name_is_known_however_it_is_written(store: Store, said: str, name: str) -> None:
    remember(store, [heard(0, "Quagga will bring Bob."), heard(60, said), heard(90, "Fine.")])
    assert store.mentions(name)[-1].endswith(":0000060000")
    assert len(store.mentions("Bob")) == 1
