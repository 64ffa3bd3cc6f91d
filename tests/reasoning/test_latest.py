"""What came first or last, everything that screens showed, and questions that name nothing."""

from __future__ import annotations

from typing import Any

import pytest

from reasoning import Agent, Answer, Question, ScriptedGenerator
from tests.reasoning.memories import HandMadeMemory, screen, speech, vision

pytestmark = pytest.mark.unit


async def ask(text: str) -> Answer:
    memory = HandMadeMemory(
        [
            vision(5, "harbour, boat"),
            speech(10, "The ferry leaves from pier nine."),
            screen(30, "Timetable\nPier 9"),
            screen(60, "Fares\nAdults 12"),
            vision(70, "bench"),
            screen(80, "Contact: Yolanda"),
            speech(90, "I left the thermos on the bench."),
            speech(95, "Um, okay."),
        ]
    )
    agent = Agent(memory, ScriptedGenerator(["Something."]))
    events: list[Any] = [e async for e in agent.answer(Question(text))]
    assert isinstance(events[-1], Answer)
    return events[-1]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("What's the last thing you heard?", ["thermos"]),
        ("What was the first thing that was said?", ["ferry"]),
        ("What was the last thing you saw?", ["bench"]),
        ("What is the latest text shown?", ["Yolanda"]),
        ("List everything that was on screen", ["Timetable", "Fares", "Yolanda"]),
        ("What slides were shown?", ["Timetable", "Fares", "Yolanda"]),
        ("Who is Yolanda?", ["Contact: Yolanda"]),
    ],
)
async def test_it_is_told_with_its_time(question: str, told: list[str]) -> None:
    answer = await ask(question)
    assert not answer.abstained
    assert all(word in answer.answer for word in told)
    assert "okay" not in answer.answer
    assert answer.citations


@pytest.mark.parametrize("question", ["Where was I?", "Where was I at 3:14 pm?", "Who is Zebulon?"])
async def test_where_nothing_is_named_or_known_it_says_so(question: str) -> None:
    assert (await ask(question)).abstained
