"""An amount answers only where it is of the measure that is asked for."""

from __future__ import annotations

import pytest

from reasoning.measures import measures, units

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("question", "text", "value", "may"),
    [
        ("How long is the plank?", "The plank is three metres.", "three", True),
        ("How long does it bake?", "Bake it for forty minutes.", "forty", True),
        ("How long does it bake?", "There are forty loaves.", "forty", False),
        ("How heavy is the crate?", "The crate is two metres wide.", "two", False),
        ("How heavy is the crate?", "The crate is 48kg.", "48", True),
        ("How old is the boat?", "The boat is fifty.", "fifty", True),
        ("How old is the boat?", "The boat has six berths.", "six", False),
        ("How many berths are there?", "The boat has six berths.", "six", True),
    ],
)
def test_an_amount_is_of_a_measure(question: str, text: str, value: str, may: bool) -> None:
    assert measures(value, text, question) is may


@pytest.mark.parametrize(
    ("answer", "evidence"), [("It lasts 50 minutes.", "Massage 50 min"), ("I'm off.", "Off")]
)
def test_an_amount_counted_as_in_the_evidence(answer: str, evidence: str) -> None:
    assert units(answer) <= units(evidence)


def test_an_amount_counted_in_what_nobody_said() -> None:
    assert not units("A massage lasts 50 minutes.") <= units("Massage 50")
