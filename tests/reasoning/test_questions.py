"""Every question of the set, with a model that says nothing of use: what is found, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from reasoning import Agent, Answer, Question, ScriptedGenerator, WordVectors
from tests.reasoning.memories import HandMadeMemory, from_rows, load_cases, right

pytestmark = pytest.mark.model  # of word vectors

CASES = load_cases()


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda c: f"{c['memory']}: {c['question']}")
async def test_the_evidence_alone_answers(case: dict[str, Any], near: WordVectors) -> None:
    memory = HandMadeMemory(from_rows(CASES["memories"][case["memory"]]))
    agent = Agent(memory, ScriptedGenerator(), near=near)
    *_, answer = [e async for e in agent.answer(Question(case["question"], at=case.get("at")))]
    assert isinstance(answer, Answer)
    assert right(case, answer), answer
