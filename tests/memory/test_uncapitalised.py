"""Corrections in transcripts without capitals and commas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.embedder import HashEmbedder
from memory.records import Query
from memory.store import Store
from memory.uncapitalised import taken_back_plainly, uncapitalised
from tests.memory.searching import heard, remember

pytestmark = pytest.mark.unit

CORRECTING = """
that's anna not hannah: hannah > Anna
no it's not steven it's stephen: steven > Stephen
no not jon john: jon > John
not marcus but markus: marcus > Markus
her first name is aoife not eva: eva > Aoife
the new girl is called yara not lara: lara > Yara
call me sanne not susan: susan > Sanne
thats elin not helen sorry: helen > Elin
wait it's not geoff it's jeff: geoff > Jeff
i said kerstin not christine: christine > Kerstin
i said thursday not tuesday: tuesday > Thursday
the meeting is on wednesday not tuesday: tuesday > Wednesday
no i meant friday: > Friday
it's fifteen not fifty: fifty > fifteen
no i said twelve: > twelve
no it's spelled k-a-t-y: > Katy
that's spelt r h y s i think: > Rhys
his name is spelled m a r c with a c: > Marc
it's spelled wyn w-y-n: > Wyn
no that's ines i n e s: > Ines
actually it's kowalski not kovalsky: kovalsky > Kowalski
"""
OTHERS = """
that's good not bad
that's cool not cold
it's red not read
i said maybe not now
ask anna not hannah
i like elin not far from here
that's soup not soap
it's spelled wrong
is it spelled with a k
no it is in the garage
he's tired not fired
sorry it's broken
no i said stop
it's thursday not far away
the winner is bob not helen
i said thursday but i'm not sure
we meet monday not every day
he said anna not hannah was late
plan a b c
the window was shut not shot
it's not what you think it's what you do
call him tomorrow not tonight
that's expensive not exclusive
"""


@pytest.mark.parametrize("line", CORRECTING.strip().splitlines())
def test_what_takes_something_back_is_recognised(line: str) -> None:
    text, _, expected = line.partition(":")
    wrong, _, right = expected.partition(">")
    found = taken_back_plainly(text)
    assert found is not None
    assert (found.wrong, found.right) == (wrong.strip(), right.strip())


@pytest.mark.parametrize("text", OTHERS.strip().splitlines())
def test_what_takes_nothing_back_is_not(text: str) -> None:
    assert taken_back_plainly(text) is None


def test_a_text_with_a_capital_is_read_by_the_other_rules() -> None:
    assert uncapitalised("no I said anna")
    assert not uncapitalised("No, I said Anna")
    assert not uncapitalised("anna")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", HashEmbedder()) as opened:
        yield opened


def shown(store: Store, query: str) -> list[str]:
    return [hit.corrected or hit.observation.text for hit in store.search(Query(query))]


def test_a_name_is_put_right_in_what_was_said_before_and_after(store: Store) -> None:
    remember(
        store,
        [
            heard(0, "hannah brought the accordion"),
            heard(8, "no that's anna not hannah"),
            heard(500, "hannah sold the canoe"),
        ],
    )
    assert {"Anna brought the accordion", "Anna sold the canoe"} <= set(shown(store, "anna"))


def test_what_may_be_about_anything_counts_only_if_it_was_heard_before(store: Store) -> None:
    remember(store, [heard(0, "the gravel is here"), heard(8, "that's marvin not martin")])
    assert store.corrections() == []


def test_a_spelled_name_stands_for_the_word_that_sounds_like_it(store: Store) -> None:
    remember(
        store,
        [heard(0, "kathy called about the boat today"), heard(6, "no it's spelled k-a-t-y")],
    )
    assert "Katy called about the boat today" in shown(store, "boat")


def test_a_day_is_put_right_once(store: Store) -> None:
    remember(
        store,
        [
            heard(0, "the shop opens on tuesday"),
            heard(500, "the ferry goes on tuesday"),
            heard(506, "i said thursday not tuesday"),
        ],
    )
    assert "the ferry goes on Thursday" in shown(store, "ferry")
    assert "the shop opens on tuesday" in shown(store, "shop")
