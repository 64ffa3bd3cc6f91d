"""Questions about what came before, after or during something else."""

from __future__ import annotations

from typing import Any

import pytest

from reasoning import Agent, Answer, Question, ScriptedGenerator
from tests.reasoning.memories import HandMadeMemory, screen, speech, vision

pytestmark = pytest.mark.unit


def afternoon() -> HandMadeMemory:
    return HandMadeMemory(
        [
            vision(10, "desk, lamp"),
            speech(20, "The courier comes at four."),
            vision(40, "saxophone"),
            vision(48, "saxophone"),
            screen(52, "Rehearsal plan"),
            speech(60, "Marlene tuned the harp."),
            vision(62, "curtain"),
            speech(90, "We stop for tea."),
            speech(400, "Good night."),
        ]
    )


async def ask(text: str) -> Answer:
    agent = Agent(afternoon(), ScriptedGenerator(["Something."]))
    events: list[Any] = [e async for e in agent.answer(Question(text))]
    assert isinstance(events[-1], Answer)
    return events[-1]


@pytest.mark.parametrize(
    ("question", "told", "untold"),
    [
        ("What happened after the saxophone?", ["Rehearsal plan", "harp"], ["courier", "night"]),
        ("What happened right before the saxophone?", ["courier"], ["harp"]),
        ("What was said after Marlene tuned the harp?", ["tea"], ["courier", "curtain"]),
        ("What did you see when Marlene tuned the harp?", ["curtain"], ["saxophone", "tea"]),
        ("Before the rehearsal slide, what was said?", ["courier"], ["tea"]),
        ("What was on the screen after the courier was announced?", ["Rehearsal"], ["harp"]),
        ("What was said after we stopped for tea?", ["night"], ["courier"]),
    ],
)
async def test_what_stands_beside_something_is_told_with_it(
    question: str, told: list[str], untold: list[str]
) -> None:
    answer = await ask(question)
    assert not answer.abstained
    assert all(word in answer.answer for word in told)
    assert not any(word in answer.answer for word in untold)
    assert len(answer.citations) >= 2


@pytest.mark.parametrize(
    "question",
    [
        "What happened after the earthquake?",  # there was none
        "What colour was the car after the saxophone?",  # asks for something in particular
        "What did Torben say after the saxophone?",
        "What did you see before 4:15?",
    ],
)
async def test_where_there_is_nothing_to_go_by_or_to_tell_it_says_so(question: str) -> None:
    assert (await ask(question)).abstained
