"""What is told of the opposite of what is asked is no answer to it."""

from __future__ import annotations

import pytest

from reasoning.opposites import kept, opposed

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("When does the bakery close?", "The bakery opens at six."),
        ("What time does the ferry to Oban get in and land?", "The ferry to Oban leaves at nine."),
        ("Who bought the piano?", "Agatha sold the piano last spring."),
        ("When did we switch the pump off?", "We switched the pump on at noon."),
        ("When did they move out?", "They moved in on Friday."),
        ("How many came in the second week?", "Forty came in the first week."),
        ("What's the maximum load?", "The minimum load is forty kilos."),
    ],
)
def test_the_opposite_is_told(question: str, told: str) -> None:
    assert opposed(question, told)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("When does the bakery close?", "The bakery opens at six and closes at noon."),
        ("When does the bakery shut?", "They close at noon."),
        ("Who bought the piano?", "Agatha sold the piano to her niece."),
        ("When did we switch the pump off?", "We switched the pump off at noon."),
        ("Why is the gate shut?", "The gate won't open."),
        ("Where did I leave the ladder?", "I left the ladder by the shed."),
        ("How long was the second trip?", "The first trip was long, the second trip longer."),
        ("What's on in the hall?", "The choir is on in the hall."),
    ],
)
def test_the_opposite_is_not_told(question: str, told: str) -> None:
    assert not opposed(question, told)


def test_a_screen_is_read_without_the_lines_of_the_opposite() -> None:
    assert (
        kept("When does it close?", "ARCHIVE\nOpens 8:15\nCloses 16:45") == "ARCHIVE\nCloses 16:45"
    )
