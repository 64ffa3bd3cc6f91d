"""Words about time become spans, sides of history, or the present."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reasoning.timeparse import clock, parse, roughly
from tests.reasoning.memories import WALL

pytestmark = pytest.mark.unit

NOW = 4000.0
WALL_NOW = WALL + timedelta(seconds=NOW)


@pytest.mark.parametrize(
    ("asked", "inside", "outside"),
    [
        ("What did she say just now?", 3970.0, 3000.0),
        ("What happened an hour ago?", 400.0, 2500.0),
        ("What was on the slide ten minutes ago?", 3400.0, 3900.0),
        ("What happened in the first five minutes?", 200.0, 400.0),
        ("What happened in the last two minutes?", 3900.0, 3700.0),
        ("What was said at 2:30?", 150.0, 300.0),
        ("What was shown at 1:02:10?", 3730.0, 62.0),
        ("What was said about twelve minutes in?", 720.0, 60.0),
        ("What happened between 10:00 and 12:00?", 660.0, 800.0),
    ],
)
def test_a_span_holds_the_time_meant(asked: str, inside: float, outside: float) -> None:
    found = parse(asked, NOW, WALL_NOW)
    assert found.start is not None
    assert found.end is not None
    assert found.start <= inside <= found.end
    assert not found.start <= outside <= found.end


def test_a_clock_time_beyond_the_stream_is_on_the_wall() -> None:
    found = parse("What did he say at 9:40 am?", 2000.0, WALL + timedelta(hours=1))
    assert found.start is None
    assert found.wall_start is not None
    assert found.wall_end is not None
    assert found.wall_start <= WALL + timedelta(minutes=40) <= found.wall_end


def test_yesterday_is_the_day_before_on_the_wall() -> None:
    found = parse("What did Peter say yesterday?", NOW, WALL_NOW)
    assert found.wall_start is not None
    assert found.wall_start.day == WALL.day - 1


@pytest.mark.parametrize(
    ("asked", "side"),
    [
        ("Where was the umbrella at first?", "first"),
        ("Where was the lamp originally?", "first"),
        ("Where was it before it was moved?", "first"),
        ("Where were the keys before that?", "previous"),
        ("Where was the car before?", "previous"),
        ("Where did I previously keep it?", "previous"),
        ("Where is the umbrella now?", None),
        ("What is Anna's first name?", None),
        ("Who was first aid officer?", None),
    ],
)
def test_history_is_told_from_the_present(asked: str, side: str | None) -> None:
    assert parse(asked, NOW, WALL_NOW).history == side


@pytest.mark.parametrize(
    "asked",
    [
        "What is this?",
        "What do you see?",
        "What am I holding?",
        "What can you see right now?",
        "What's this thing?",
    ],
)
def test_pointing_means_the_present(asked: str) -> None:
    assert parse(asked, NOW, WALL_NOW).present


@pytest.mark.parametrize(
    "asked", ["Is the meeting at 14:30?", "Where is the cup?", "When is lunch?"]
)
def test_a_question_without_a_reference_has_no_bounds(asked: str) -> None:
    found = parse(asked, NOW, WALL_NOW)
    assert not found.bounded
    assert not found.present


def test_times_read_as_people_say_them() -> None:
    assert [clock(31), clock(108), clock(3730)] == ["00:31", "01:48", "1:02:10"]
    assert [roughly(31), roughly(62), roughly(190), roughly(7200)] == [
        "about half a minute", "about 1 minute", "about 3 minutes", "about 2 hours",
    ]  # fmt: skip
