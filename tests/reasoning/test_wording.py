"""Words put right on both sides of the model."""

from __future__ import annotations

import pytest

from reasoning.wording import opening

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("asked", "begins"),
    [
        ("Where are my spectacles?", "Your spectacles are"),
        ("What's the gate code for project Elm?", "The gate code for project Elm is"),
        ("Which room is the boat trip in?", "The boat trip is in"),
        ("What colour is Nora's fence right now?", "Nora's fence is"),
        ("Where was the car at first?", ""),
        ("What is our dog called?", ""),
        ("Where did I leave it?", ""),
        ("What is wrong with the printer?", ""),
        ("Where was the training moved to?", ""),
    ],
)
def test_a_plain_question_tells_how_its_answer_begins(asked: str, begins: str) -> None:
    assert opening(asked) == begins
