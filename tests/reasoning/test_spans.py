from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from memory.records import Correction, Episode, GivenUp, Quote
from reasoning import Agent, Answer, Question, ScriptedGenerator
from reasoning.spans import asked
from tests.reasoning.memories import WALL, HandMadeMemory, screen, speech, vision

pytestmark = pytest.mark.unit


def episode(begin: float, text: str, outlived: bool = False, level: int = 1) -> Episode:
    seen = speech(begin + 30, text)
    moment = f"s:{round((begin + 30) * 1000):010d}"
    return Episode(
        stream_id="s",
        level=level,
        start=begin,
        end=begin + 590,
        wall_start=WALL,
        text=text,
        quotes=(Quote(seen.id, seen, moment, outlived),),
        keyframes=(),
        children=(moment,),
        moments=1,
    )


async def ask(memory: HandMadeMemory, text: str, at: float | None = None) -> Answer:
    agent = Agent(memory, ScriptedGenerator(["It was said."]))
    events: list[Any] = [e async for e in agent.answer(Question(text, at=at))]
    assert isinstance(events[-1], Answer)
    return events[-1]


def long_memory() -> HandMadeMemory:
    memory = HandMadeMemory([speech(7200 - 40, "Now Petra packs the tripod.")], seconds=7200)
    memory.made = [
        episode(n * 600.0, f"Chapter {n} is about lantern {n}.", outlived=n == 3) for n in range(11)
    ]
    return memory


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("Summarise", "summary"),
        ("Can you recap?", "summary"),
        ("Give me an overview of", "summary"),
        ("What's been going on?", "summary"),
        ("What did I miss?", "summary"),
        ("Give me a summary of the day", "summary"),
        ("What have we talked about?", "report"),
        ("What have we been talking about?", "report"),
        ("What was discussed?", "report"),
        ("Summarise what was said", "report"),
        ("Sum up what you've heard", "report"),
        ("Recap everything", "summary"),
        ("What did we discuss about the budget?", None),
        ("What happened to the kettle?", None),
        ("Summarise the contract", None),
        ("What did Rosa say?", None),
    ],
)
def test_only_questions_about_all_of_a_span_are_taken_for_one(text: str, span: str | None) -> None:
    assert asked(text) == span


@pytest.mark.parametrize(
    "text",
    ["What happened this morning?", "What have we talked about?", "Summarise the last two hours"],
)
async def test_a_long_span_is_told_from_its_episodes_over_all_of_it(text: str) -> None:
    answer = await ask(long_memory(), text)
    assert not answer.abstained
    assert "lantern 0" in answer.answer
    assert "lantern 10" in answer.answer
    assert "tripod" in answer.answer
    starts = [cited.start for cited in answer.citations]
    assert starts == sorted(starts)
    assert {cited.kind for cited in answer.citations[:-1]} == {"episode"}
    assert answer.citations[0].moment_id == "s:0000030000"


async def test_what_a_speaker_put_right_is_told_right() -> None:
    memory = long_memory()
    said = "No, it was a candle"
    memory.known_corrections = [
        Correction("c", "s", "m", "o", "lantern", "candle", said, since=0.0, until=100.0)
    ]
    answer = await ask(memory, "What have we talked about?")
    assert "candle 0" in answer.answer
    assert "lantern 0" not in answer.answer
    assert "lantern 10" in answer.answer
    assert "lantern 0" in (answer.citations[0].heard or "")


async def test_what_a_model_wrote_of_an_episode_is_told_and_cites_what_it_stands_in() -> None:
    memory = long_memory()
    told = "Lantern 0 is what chapter 0 is about. It was a dark night."
    memory.made[0] = replace(memory.made[0], rewritten=told, written="small")
    answer = await ask(memory, "What happened this morning?")
    assert "At 00:30: Lantern 0 is what chapter 0 is about." in answer.answer
    assert "dark night" not in answer.answer  # nothing there says so
    assert "lantern 10" in answer.answer
    assert answer.citations[0].quote == "Chapter 0 is about lantern 0."
    assert answer.method == "generated"
    assert (await ask(long_memory(), "What happened this morning?")).method == "quoted"


async def test_only_what_lies_in_the_span_is_told() -> None:
    answer = await ask(long_memory(), "What happened in the last hour?")
    assert "lantern 2" not in answer.answer
    assert "lantern 6" in answer.answer


async def test_a_question_asked_earlier_is_told_from_what_was_over_then() -> None:
    answer = await ask(long_memory(), "Summarise", at=3000.0)
    assert "lantern 4" in answer.answer
    assert "lantern 5" not in answer.answer


async def test_a_short_span_is_told_from_its_moments() -> None:
    memory = HandMadeMemory([speech(30, "The kiln is hot."), screen(60, "KILN 7")], seconds=300)
    memory.made = [episode(0.0, "Never shown.")]
    answer = await ask(memory, "What happened?")
    assert "Never shown" not in answer.answer
    assert [cited.start for cited in answer.citations] == [30, 60]


async def test_an_old_day_is_told_by_what_is_left_of_it_of_the_time_asked_about() -> None:
    memory = HandMadeMemory([speech(50_000, "Now Petra packs.")], seconds=50_040)
    parts = [episode(n * 3600.0, f"Chapter {n} is about lantern {n}.", True) for n in range(12)]
    quotes = tuple(quote for part in parts for quote in part.quotes)
    day = replace(parts[0], end=12 * 3600.0, quotes=quotes, level=3, children=(), alone=True)
    memory.made = [replace(day, level=level) for level in (1, 2, 3)]  # each level is told by it
    answer = await ask(memory, "What happened in the first two hours?")
    assert not answer.abstained
    assert "lantern 0" in answer.answer
    assert "lantern 1" in answer.answer
    assert "lantern 2" not in answer.answer


LOST = GivenUp("s", 100.0, 400.0, "speech", 12)


@pytest.mark.parametrize(
    ("text", "forgotten"),
    [
        ("What was said between 2:00 and 5:00?", True),
        ("Where is the ferret?", True),
        ("Did you see a ferret?", True),
        ("Where is the walrus?", False),
        ("What was said between 8:00 and 9:00?", False),
        ("Where was the walrus between 2:00 and 5:00?", False),
    ],
)
async def test_no_longer_remembered_is_told_from_never_seen(text: str, forgotten: bool) -> None:
    memory = HandMadeMemory([vision(590, "desk, lamp")], seconds=600)
    memory.lost = [(LOST, "ferret basket")]
    answer = await ask(memory, text)
    assert answer.abstained
    assert answer.citations == ()
    assert ("no longer keep" in answer.answer) == forgotten


async def test_a_count_says_at_least_where_some_is_no_longer_kept() -> None:
    heard = [speech(n * 50.0, f"The ferret escaped again, number {n}.") for n in range(1, 40)]
    memory = HandMadeMemory(heard, seconds=2000)
    answer = await ask(memory, "How often did the ferret escape?")
    assert answer.answer.startswith("39 times")
    memory.lost = [(LOST, "ferret escape")]
    answer = await ask(memory, "How often did the ferret escape?")
    assert answer.answer.startswith("At least 39 times")
