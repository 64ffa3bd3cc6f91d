"""Screens that list several things are read entry by entry."""

from __future__ import annotations

import pytest

from reasoning.entries import listing

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "shared", "entries"),
    [
        (
            "Codes\nProject Owl: 5521\nProject Jay: 9381",
            "Codes",
            ("Project Owl: 5521", "Project Jay: 9381"),
        ),
        (
            "Room Ash\n10 seats\nRoom Elm\n12 seats",
            "",
            ("Room Ash\n10 seats", "Room Elm\n12 seats"),
        ),
        ("Ada\ncontact: Pia\nBert\ncontact: Lou", "", ("Ada\ncontact: Pia", "Bert\ncontact: Lou")),
        ("Menu / Tea 2.50 / Steak 11.20", "Menu", ("Tea 2.50", "Steak 11.20")),
        ("Opening\nPool 2: 9:00\nPool 4: 7:30", "Opening", ("Pool 2: 9:00", "Pool 4: 7:30")),
        ("Gates\nRiga 4\nBari 17", "Gates", ("Riga 4", "Bari 17")),
        ("Due\nBoiler: in May\nPump: in June", "Due", ("Boiler: in May", "Pump: in June")),
        ("Oslo\n08:15\nTurin\n09:40", "", ("Oslo\n08:15", "Turin\n09:40")),
    ],
)
def test_entries_are_told_apart(text: str, shared: str, entries: tuple[str, ...]) -> None:
    found = listing(text)
    assert found is not None
    assert (found.shared, found.entries) == (shared, entries)


@pytest.mark.parametrize(
    "text",
    [
        "Board Meeting\nWednesday 09:15\nHall Cedar\ncall 4471",
        "Oslo\nTurin\n08:15\n09:40",
        "Bus 47 departs 07:52\nPlatform 6",
        "Welcome",
        "",
    ],
)
def test_what_is_one_thing_or_lost_its_order_is_left_whole(text: str) -> None:
    assert listing(text) is None
