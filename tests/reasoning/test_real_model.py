"""The real language model over hand-made memories: right answers, reused prefix, prompt cancelling."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from reasoning import Agent, Answer, GgufGenerator, Prompt, Question, WordVectors
from tests.reasoning.memories import HandMadeMemory, from_rows, load_cases, right

pytestmark = pytest.mark.model

CASES = load_cases()
DOZEN = [c for c in CASES["cases"] if c["kind"] in ("updated", "screen", "reason", "misheard")][:14]


@pytest.mark.parametrize("case", DOZEN, ids=lambda c: c["question"])
async def test_planted_facts_are_answered_with_their_evidence(
    case: dict[str, Any], generator: GgufGenerator, near: WordVectors
) -> None:
    memory = HandMadeMemory(from_rows(CASES["memories"][case["memory"]]))
    agent = Agent(memory, generator, near=near, first_token=60)  # right, however slowly
    *_, answer = [e async for e in agent.answer(Question(case["question"], at=case.get("at")))]
    assert isinstance(answer, Answer)
    assert right(case, answer), answer


async def test_only_what_follows_the_examples_is_evaluated(generator: GgufGenerator) -> None:
    await generator.warm()
    prompt = Prompt(('00:31 heard: "The lamp is in the cellar."',), "Where is the lamp?")
    said = "".join([piece async for piece in generator.stream(prompt, 20)])
    assert "cellar" in said
    assert generator.timings["prompt_n"] <= 40
    assert generator.timings["cache_n"] >= 100


async def test_closing_the_stream_stops_the_model(generator: GgufGenerator) -> None:
    prompt = Prompt(
        ('00:31 heard: "One two three four five six seven eight nine ten."',), "Count slowly."
    )
    pieces = generator.stream(prompt, 200)
    await anext(pieces)
    await pieces.aclose()
    workers = [t for t in threading.enumerate() if t.name == "generate"]
    for worker in workers:
        worker.join(timeout=10)
    assert not any(w.is_alive() for w in workers)


async def test_a_prompt_that_is_dropped_is_not_evaluated_to_its_end(
    generator: GgufGenerator,
) -> None:
    """It was, and the next question waited for all of it."""
    await generator.warm()
    notes = tuple(
        f'00:{n} heard: "Box {n * 71} stands beside box {n * 93}."' for n in range(10, 20)
    )
    dropped = generator.stream(Prompt(notes, "Where is box 710?"), 5)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(dropped), 0.05)
    async for _ in generator.stream(Prompt(notes, "Where is box 710?"), 1):
        pass
    assert generator.timings["prompt_n"] > 64


@pytest.mark.parametrize(("a", "b"), [("bike", "bicycle"), ("film", "movie"), ("car", "vehicle")])
def test_near_words_are_nearer_than_others(a: str, b: str, near: WordVectors) -> None:
    assert near(a, b) > 0.58 > near(a, "garden")
    assert near("cat", "dog") < 0.58
    assert near("zzxqy", "dog") == 0.0
