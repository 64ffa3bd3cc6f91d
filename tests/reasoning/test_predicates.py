"""The verb of a question, found by where it stands; whether a word names who does something."""

from __future__ import annotations

import pytest

from reasoning.analysis import analyse
from reasoning.predicates import verb_of
from reasoning.words import does_it

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("asked", "verb"),
    [
        ("How many goals did Ada Lund score?", "score"),
        ("What does the invoice amount to?", "amount"),
        ("Where do they usually gather?", "gather"),
        ("What did Mr. Osei's parrot whistle?", "whistle"),
        ("Where does the ferry terminal lie?", ""),  # a verb by the list
        ("What did the parrot?", ""),
        ("Where is the parrot?", ""),
        ("What should Ada Lund varnish?", "varnish"),
        ("When does that lorry dock?", "dock"),
        ("When does tram 9 reach Hill Street?", "reach"),
    ],
)
def test_the_verb_stands_behind_the_subject(asked: str, verb: str) -> None:
    assert verb_of(asked) == verb


@pytest.mark.parametrize(
    ("verb", "doer", "does"),
    [
        ("catering", "caterer", True),
        ("supervises", "supervisor", True),
        ("coaching", "coach", False),  # the same stem anyway
        ("meeting", "meter", False),
        ("painting", "butcher", False),
    ],
)
def test_who_does_it_is_named_after_it(verb: str, doer: str, does: bool) -> None:
    assert does_it(verb, doer) is does


def test_how_sure_it_must_be_is_nothing_to_look_for() -> None:
    asked = analyse("Roughly how many minutes in did someone mention the kiln?")
    assert [t.word for t in asked.required] == ["kiln"]


def test_a_contraction_owns_nothing() -> None:
    asked = analyse("Who's washing the windows?")
    assert [t.word for t in asked.required] == ["windows"]


def test_what_is_counted_is_a_thing_though_the_word_may_be_a_verb() -> None:
    asked = analyse("How many orders did the stall take in week two?")
    assert "orders" in [t.word for t in asked.required]


def test_how_often_something_is_to_be_done_is_no_count_of_mentions() -> None:
    assert analyse("How often should the ferns be watered?").asked == "thing"
    assert analyse("How often did you mention the ferns?").asked == "count"


def test_what_somebody_speaks_about_is_a_thing() -> None:
    assert "hiring" in [t.word for t in analyse("Who is speaking about hiring?").required]
