from __future__ import annotations

import pytest

from reasoning.followup import follows_up, resolve
from reasoning.records import Exchange

pytestmark = pytest.mark.unit

KEYS = Exchange("Where did I leave the car keys?", "On the shelf.", 40.0)


@pytest.mark.parametrize(
    "text",
    ["And before that?", "Before that?", "What about the wallet?", "And the wallet?", "When was that?",
     "How about at first?", "Okay, and earlier?"],
)  # fmt: skip
def test_a_question_that_leans_on_another_is_known(text: str) -> None:
    assert follows_up(text)


@pytest.mark.parametrize(
    "text",
    [
        "Um, okay.",
        "And then we left.",
        "Where is the wallet?",
        "What about it is strange, I think.",
    ],  # fmt: skip
)
def test_what_stands_alone_is_not(text: str) -> None:
    assert not follows_up(text)


def test_before_that_asks_the_same_of_the_time_before_the_evidence() -> None:
    resolved = resolve("And before that?", KEYS)
    assert resolved.text == "Where did I leave the car keys?"
    assert resolved.before is not None
    assert 39.9 < resolved.before < 40.0


def test_at_first_asks_the_same_of_the_beginning() -> None:
    last = Exchange("Where is the parcel now?", "In the hall.", 40.0)
    assert resolve("And at first?", last).text == "Where was the parcel at first?"


@pytest.mark.parametrize(
    ("last", "text", "whole"),
    [
        ("Where did I leave the car keys?", "What about the wallet?", "Where did I leave the wallet?"),
        ("What is the door code of project Heron?", "And project Otter?", "What is the door code of project Otter?"),
        ("Did you see any cars?", "What about bicycles?", "Did you see bicycles?"),
        ("Who is the contact for project Heron?", "And the door code?", "What is the door code of project Heron?"),
        ("Where is the parcel?", "What color is it?", "What color is the parcel?"),
        ("What day is the review meeting on?", "When did I mention that?", "When did someone mention the review meeting?"),
        ("Where is the parcel?", "What day is the review meeting on?", "What day is the review meeting on?"),
    ],
)  # fmt: skip
def test_what_is_left_out_comes_from_the_last_question(last: str, text: str, whole: str) -> None:
    assert resolve(text, Exchange(last, "yes", 1.0)).text == whole
