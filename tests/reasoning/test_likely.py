"""Passages that tell what is asked in words of their own, and those that only seem to."""

from __future__ import annotations

import pytest

import models
from memory.embedder import MiniLM
from reasoning import Agent, Answer, Question, ScriptedGenerator, WordVectors
from tests.reasoning.memories import HandMadeMemory, screen, speech, vision

pytestmark = pytest.mark.model  # of word vectors and sentences

GARAGE = [
    speech(5, "The respray on the estate car should be done by Tuesday."),
    speech(20, "Hold on, the respray has slipped to Friday."),
    speech(40, "Don't park on the ramp, the hydraulics are leaking."),
    screen(60, "PRICES\nOil change: 45\nWheel alignment: 60\nBrake pads: 110"),
    speech(80, "Set the compressor to eight bar."),
    speech(95, "Turned the compressor down to six bar, it was rattling."),
    speech(110, "Let's have the compressor at seven bar, and leave it there."),
    speech(120, "The rally's on the ninth of July."),
    vision(130, "cowboy boot, wallet"),
    vision(150, "saxophone, folding chair"),
    speech(170, "Gloria's welding mask is in the top locker."),
    speech(190, "The rye sandwiches are three euros."),
    screen(200, "DELIVERY\n30 gaskets\n12 bulbs"),
    screen(210, "BAYS\n1 Saab\n2 Volvo\n3 hearse\n4 empty"),
]


@pytest.fixture(scope="module")
def agent(near: WordVectors) -> Agent:
    embed = MiniLM(models.locate("minilm")).embed
    return Agent(HandMadeMemory(GARAGE, embed=embed), ScriptedGenerator(), near=near)


async def _asked(agent: Agent, question: str) -> Answer:
    *_, answer = [e async for e in agent.answer(Question(question))]
    assert isinstance(answer, Answer)
    return answer


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("Why can't the van go on the ramp?", "hydraulics"),  # no "because"
        ("It's filthy in here. When will the respray be done?", "Friday"),  # led up to; restated
        ("What pressure is the compressor on now?", "seven"),
        ("What pressure did we start the compressor at?", "eight"),
        ("What was the compressor on before the last change?", "six"),
        ("How much is a wheel alignment check?", "60"),
        ("What's in bay two?", "Volvo"),  # a number in words tells one of a list
        ("What date's the rally?", "ninth"),
        ("What footwear did you see?", "boot"),
        ("What instrument was on camera?", "saxophone"),
    ],
)
async def test_what_is_told_in_other_words_is_found(agent: Agent, question: str, told: str) -> None:
    answer = await _asked(agent, question)
    assert told in answer.answer
    assert not answer.abstained


@pytest.mark.parametrize(
    "question",
    [
        "Where's Gloria's toolbox?",  # what she has is another thing
        "Where is Gloria's brother's welding mask?",
        "How much are the wheat sandwiches?",  # others are of rye
        "What's in bay six?",
        "How many litres does the compressor hold?",
        "How long do the bulbs last?",  # how many there are is told
        "What dinosaur was on camera?",
    ],
)
async def test_what_is_told_of_something_else_is_no_answer(agent: Agent, question: str) -> None:
    assert (await _asked(agent, question)).abstained


async def test_what_is_only_like_the_question_is_said_to_be(agent: Agent) -> None:
    assert (await _asked(agent, "Why can't the van go on the ramp?")).answer.startswith("I am not")
    assert (await _asked(agent, "Where is Gloria's welding mask?")).answer.startswith("At ")
