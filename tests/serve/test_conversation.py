from __future__ import annotations

import asyncio
from typing import Any

import pytest

from memory.errors import StoreFull
from perception.records import Moment, Observation
from reasoning.records import Replace, Token
from serve import remembering
from serve.errors import Unavailable
from tests.serve.talking import ScriptedReasoning, Talk, settle

pytestmark = pytest.mark.unit


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch) -> Talk:
    return Talk(monkeypatch)


async def test_a_spoken_question_is_answered_in_text_and_voice(talk: Talk) -> None:
    async with talk:
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
        assert [t["text"] for t in talk.of("token")] == ["In the top drawer."]
        (answer,) = talk.of("answer")
        assert answer["trigger"] == "spoken"
        assert answer["utterance"] == {"text": "Where did I leave the umbrella?", "start": 10.0, "end": 12.0}  # fmt: skip
        assert talk.talking.speaker.said == ["In the top drawer."]
        assert talk.states == ["listening", "hearing", "listening", "thinking", "speaking"]
        talk.voice.finish()
        await settle()
        assert talk.states[-1] == "listening"


async def test_memory_is_pinned_when_the_voice_starts(talk: Talk) -> None:
    async with talk:
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
    assert talk.reasoning.questions[0].at == 10.0


async def test_fillers_and_statements_trigger_nothing(talk: Talk) -> None:
    async with talk:
        for n, text in enumerate(("Um, okay.", "Well, whatever.", "I put it there.", "Thank you.")):
            await talk.says(text, 10.0 * n, 10.0 * n + 2)
    assert talk.reasoning.questions == []
    assert "thinking" not in talk.states


async def test_a_voice_that_starts_while_it_speaks_silences_it(talk: Talk) -> None:
    async with talk:
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
        assert talk.voice.speaking
        await talk.starts(13.0)
        assert talk.voice.silenced == 1
        assert talk.of("interrupted") == [{"generation": 1}]


async def test_an_interrupted_answer_is_remembered_as_such(talk: Talk) -> None:
    async with talk:
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
        await talk.starts(13.0)
        (said,) = talk.pipeline.remarks
        assert (said.role, said.ref, said.text) == ("answer", "interrupted", "In the top drawer.")


async def test_an_answer_heard_to_its_end_is_remembered_whole(talk: Talk) -> None:
    async with talk:
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
        assert talk.pipeline.remarks == []
        talk.now = 15.0
        talk.voice.finish()
        await settle()
        (said,) = talk.pipeline.remarks
        assert (said.role, said.ref, said.speaker, said.end) == ("answer", None, "Lookback", 15.0)


async def test_nothing_of_an_interrupted_answer_gets_out(talk: Talk) -> None:
    first = "It is in the top drawer. "
    talk.reasoning.answers = [[Token(first), Token("Next to "), Token("the keys.")], [Token("At noon.")]]  # fmt: skip
    async with talk:
        talk.reasoning.hold.clear()
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
        await talk.says("What time is the meeting?", 14.0, 15.0)
        talk.reasoning.hold.set()
        await settle(200)
    (interrupted,) = talk.of("interrupted")
    assert {t["generation"] for t in talk.of("token")}.isdisjoint({interrupted["generation"]})
    assert [a["answer"] for a in talk.of("answer")] == ["At noon."]
    assert talk.talking.speaker.said == ["At noon."]
    assert talk.reasoning.closed == 2


async def test_a_filler_while_it_thinks_does_not_lose_the_answer(talk: Talk) -> None:
    async with talk:
        talk.reasoning.hold.clear()
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
        await talk.says("Um.", 14.0, 14.4)
        talk.reasoning.hold.set()
        await settle(200)
        assert [a["answer"] for a in talk.of("answer")] == ["In the top drawer."]
        assert talk.of("interrupted") == []


async def test_it_does_not_start_to_speak_while_somebody_speaks(talk: Talk) -> None:
    async with talk:
        talk.reasoning.hold.clear()
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
        await talk.starts(13.0)
        talk.reasoning.hold.set()
        await settle(200)
        assert talk.of("answer")
        assert talk.voice.said == []


async def test_text_that_did_not_stand_is_not_said(talk: Talk) -> None:
    talk.reasoning.answers = [[Token("It is on the roof."), Replace("In the top drawer.")]]
    async with talk:
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
        (said,) = talk.voice.said
        assert said.seconds == talk.talking.speaker.speak("In the top drawer.").seconds
        assert [t["replace"] for t in talk.of("token")] == [False, True]


async def test_the_first_sentence_is_said_before_the_second_is_written(talk: Talk) -> None:
    talk.reasoning.answers = [[Token("In the drawer. "), Token("It is red.")]]
    async with talk:
        reasoning = talk.reasoning

        original = reasoning.answer

        async def stuck(question: Any) -> Any:
            async for piece in original(question):
                yield piece
                reasoning.hold.clear()

        talk.session._services.reasoning.answer = stuck  # type: ignore[method-assign]  # a stand-in, or the generator behind an iterator
        talk.reasoning.answers = [[Token("In the drawer. It"), Token(" is red.")]]
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
        assert talk.talking.speaker.said == ["In the drawer."]
        reasoning.hold.set()


async def test_how_an_answer_begins_is_said_while_the_rest_is_written(talk: Talk) -> None:
    opening = Token("The umbrella is", opening=True)
    talk.reasoning.answers = [[opening, Token(" in the top"), Token(" drawer.")]]
    async with talk:
        await talk.says("Where is the umbrella?", 10.0, 12.0)
        first, second = talk.voice.said
        speak = talk.talking.speaker.speak
        assert first.seconds == speak("The umbrella is").seconds
        assert second.seconds == speak("in the top drawer.").seconds


async def test_its_own_voice_is_not_taken_for_the_users(talk: Talk) -> None:
    talk.reasoning.answers = [[Token("Did you mean the umbrella in the top drawer?")]]
    async with talk:
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
        said = await talk.says("Did you mean the umbrella in the top drawer?", 12.6, 14.0)
        assert said.role == "answer"
        assert len(talk.reasoning.questions) == 1


async def test_repeating_the_answer_later_is_no_echo(talk: Talk) -> None:
    async with talk:
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
        talk.voice.finish()
        await settle()
        said = await talk.says("Is it in the top drawer?", 30.0, 32.0)
        assert said.role == "question"


async def test_an_answer_is_prepared_while_the_question_is_being_asked(talk: Talk) -> None:
    async with talk:
        await talk.starts(10.0)
        await talk.partial("Where did I leave", 10.0)
        assert talk.pipeline.cuts == [10.0]
        assert talk.talking.prepared == []
        await talk.partial("Where did I leave it?", 10.0, paused=True)
        assert [q.at for q in talk.talking.prepared] == [10.0]
        assert talk.of("partial")[0] == {"text": "Where did I leave", "start": 10.0}


async def test_a_statement_prepares_nothing(talk: Talk) -> None:
    async with talk:
        await talk.starts(10.0)
        await talk.partial("I left the umbrella", 10.0)
        assert talk.talking.prepared == []


async def test_a_follow_up_carries_what_it_follows(talk: Talk) -> None:
    async with talk:
        await talk.says("Where is the umbrella?", 10.0, 12.0)
        talk.voice.finish()
        await settle()
        await talk.says("And before that?", 20.0, 21.0)
        follows = talk.reasoning.questions[1].follows
        assert follows is not None
        assert (follows.question, follows.cited) == ("Where is the umbrella?", 5.9)


async def test_a_follow_up_with_nothing_before_it_is_left_alone(talk: Talk) -> None:
    async with talk:
        said = await talk.says("And before that?", 20.0, 21.0)
        assert said.role == "statement"


async def test_the_name_alone_makes_what_comes_next_a_question_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Talk(monkeypatch, answer_mode="named") as talk:
        await talk.says("Hey Lookback.", 10.0, 10.8)
        await talk.says("Where is the umbrella?", 12.0, 13.5)
        await talk.says("Where is the umbrella?", 30.0, 31.5)
        assert len(talk.reasoning.questions) == 1


async def test_a_question_cut_off_by_a_pause_is_asked_whole(talk: Talk) -> None:
    async with talk:
        talk.reasoning.hold.clear()
        await talk.says("Where did I leave my", 10.0, 11.0)
        assert talk.reasoning.questions == []
        await talk.says("Do you know where I left", 20.0, 21.0)
        await talk.says("The umbrella", 21.8, 22.4)
        talk.reasoning.hold.set()
        await settle(200)
        assert talk.reasoning.questions[-1].text.endswith("left The umbrella")
        assert talk.reasoning.questions[-1].at == 20.0


async def test_push_to_talk_answers_only_what_was_said_while_pushed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Talk(monkeypatch, answer_mode="push") as talk:
        await talk.says("Where is the umbrella?", 10.0, 12.0)
        assert talk.reasoning.questions == []
        talk.now = 20.0
        talk.session.control({"push": True})
        await talk.says("The umbrella", 20.2, 21.0)
        talk.session.control({"push": False})
        assert [q.text for q in talk.reasoning.questions] == ["The umbrella"]


async def test_stop_stops_it_and_mute_leaves_the_text(talk: Talk) -> None:
    async with talk:
        await talk.says("Where is the umbrella?", 10.0, 12.0)
        talk.session.control({"stop": True})
        assert not talk.voice.speaking
        talk.session.control({"voice": False})
        await talk.says("Where is the passport?", 20.0, 22.0)
        assert len(talk.of("answer")) == 2
        assert len(talk.voice.said) == 1


async def test_control_messages_of_any_shape_are_survived(talk: Talk) -> None:
    async with talk:
        for message in ({}, {"voice": "loud"}, {"push": 3}, {"stop": "now"}, {"push": False}):
            talk.session.control(message)
        await talk.says("Where is the umbrella?", 10.0, 12.0)
        assert talk.of("answer")


async def test_an_answer_that_fails_is_said_and_the_next_one_comes(talk: Talk) -> None:
    class Failing(ScriptedReasoning):
        async def answer(self, question: Any) -> Any:
            self.questions.append(question)
            if len(self.questions) == 1:
                raise Unavailable("Reasoning is not answering")
            async for piece in super().answer(question):
                yield piece

    object.__setattr__(talk.session._services, "reasoning", Failing())
    async with talk:
        await talk.says("Where is the umbrella?", 10.0, 12.0)
        assert "failed" in talk.states
        await talk.says("Where is the passport?", 20.0, 22.0)
        assert len(talk.of("answer")) == 1


async def test_a_full_disk_loses_no_moment(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "AGAIN", 0.0)
    moment = Moment("kitchen", 0.0, 4.0, (Observation("kitchen", "speech", 1, 2, "hello"),))
    async with talk:
        talk.memory.refusal = StoreFull("no space left")
        await talk.cut(moment)
        assert talk.of("state")[-1]["state"] == "failed"
        talk.memory.refusal = None
        await settle()
        assert talk.memory.moments == [moment]
        assert talk.states[-1] == "listening"


async def test_an_answer_waits_for_what_was_said_before_it_to_be_remembered(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()
    remember = talk.memory.remember

    async def slow(*arguments: Any) -> int:
        await release.wait()
        return await remember(*arguments)

    monkeypatch.setattr(talk.memory, "remember", slow)
    async with talk:
        await talk.cut(Moment("kitchen", 0.0, 4.0, ()))
        await talk.says("Where is the umbrella?", 10.0, 12.0)
        assert talk.reasoning.questions == []
        release.set()
        await settle()
        assert len(talk.reasoning.questions) == 1


async def test_a_typed_question_is_asked_of_what_was_said_a_moment_ago(talk: Talk) -> None:
    """It was asked of memory without the moment that was not over yet: up to 20 s of the stream."""
    async with talk:
        said = await talk.says("The spare key is under the fern.", 10.0, 12.0)
        asking = asyncio.create_task(talk.session.up_to_now())
        await settle()
        assert talk.pipeline.cuts == [12.5]
        assert not asking.done()
        await talk.cut(Moment("kitchen", 0.0, 12.5, (said,)))
        await asyncio.wait_for(asking, 1)
        assert [moment.observations for moment in talk.memory.moments] == [(said,)]
        await asyncio.wait_for(talk.session.up_to_now(), 1)
        assert talk.pipeline.cuts == [12.5]  # nothing new was perceived


async def test_a_typed_question_cuts_nobody_off_and_waits_for_no_memory_that_refuses(
    talk: Talk,
) -> None:
    async with talk:
        await talk.says("The spare key is under the fern.", 10.0, 12.0)
        await talk.starts(14.0)
        await asyncio.wait_for(talk.session.up_to_now(), 1)
        assert talk.pipeline.cuts == []
        talk.memory.refusal = StoreFull("no space left")
        await talk.cut(Moment("kitchen", 0.0, 12.5, ()))
        await asyncio.wait_for(talk.session.up_to_now(), 1)


async def test_a_typed_question_does_not_wait_for_a_perception_that_stands_still(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "UP_TO_NOW", 0.0)
    async with talk:
        await talk.says("The spare key is under the fern.", 10.0, 12.0)
        await asyncio.wait_for(talk.session.up_to_now(), 1)
        assert talk.memory.moments == []


async def test_perception_that_dies_ends_the_session_with_its_reason(talk: Talk) -> None:
    await talk.__aenter__()
    await talk.give(RuntimeError("broken"))
    assert talk.task is not None
    with pytest.raises(RuntimeError, match="broken"):
        await asyncio.wait_for(talk.task, 5)
