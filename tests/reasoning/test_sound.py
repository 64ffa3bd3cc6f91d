"""What a recogniser may have confused, and what it has not."""

from __future__ import annotations

import pytest

from reasoning.sound import misheard, one_apart, rhymes, sounds_like

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("meant", "heard"), [("board", "bored"), ("seed", "seat"), ("team", "teen"), ("sale", "sail")]
)
def test_words_that_sound_alike_may_be_misheard(meant: str, heard: str) -> None:
    assert misheard(meant, heard)


@pytest.mark.parametrize(
    ("one", "other"), [("train", "plane"), ("staff", "team"), ("boat", "coat"), ("chess", "book")]
)
def test_words_that_begin_or_sound_otherwise_are_others(one: str, other: str) -> None:
    assert not misheard(one, other)


@pytest.mark.parametrize(("a", "b"), [("Emma", "Anna"), ("Emma", "Hannah"), ("Marta", "Rosa")])
def test_other_names_do_not_rhyme(a: str, b: str) -> None:
    assert not rhymes(a, b)
    assert not sounds_like(a, b)


def test_spellings_of_a_name_are_one() -> None:
    assert sounds_like("Anna", "Hannah")
    assert sounds_like("Catherine", "Katherine")


@pytest.mark.parametrize(
    ("a", "b", "near"),
    [("tent", "tens", True), ("cat", "cart", True), ("cat", "dog", False), ("x", "x", False)],
)
def test_one_letter_apart(a: str, b: str, near: bool) -> None:
    assert one_apart(a, b) is one_apart(b, a) is near
