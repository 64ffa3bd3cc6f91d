"""Captions: one sentence by a generator that is shown the picture, and gives way to answers."""

from __future__ import annotations

import asyncio

import pytest

from bench.random_models import checkpoint
from reasoning.captions import GeneratorCaptioner, SizeCaptioner, told
from reasoning.generator import Capabilities, ScriptedGenerator
from reasoning.giving_way import GivingWay
from reasoning.transformer import TransformersGenerator
from tests.reasoning import seeing_model

pytestmark = pytest.mark.unit


async def test_the_generator_is_shown_the_picture_and_nothing_else() -> None:
    generator = ScriptedGenerator(["A red kite hangs in a tree."], Capabilities(visual_tokens=512))
    assert await GeneratorCaptioner(generator).caption(b"...") == "A red kite hangs in a tree."
    (prompt,) = generator.prompts
    assert [shown.encoded for shown in prompt.pictures] == [b"..."]
    assert prompt.memories == ()


@pytest.mark.parametrize(
    ("said", "caption"),
    [
        ("A red kite hangs in a tree.\nIt is windy.", "A red kite hangs in a tree."),
        ("A kite hangs in a tree. The sky is ov", "A kite hangs in a tree."),
        ("  two people at a desk", "two people at a desk"),
        ("I don't know.", ""),
        ("", ""),
        ("Unclear.", ""),
    ],
)
def test_what_is_kept_of_what_it_says(said: str, caption: str) -> None:
    assert told(said) == caption


class Endless:
    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = False

    async def caption(self, encoded: bytes) -> str:
        self.begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.ended = True
        return ""


async def test_an_answer_ends_the_caption_under_way_and_lets_none_begin() -> None:
    slow, giving_way = Endless(), GivingWay()
    caption = asyncio.create_task(giving_way.unless_answering(lambda: slow.caption(b"...")))
    await slow.begun.wait()
    with giving_way.answering():
        assert await caption is None
        assert slow.ended
        slow.begun.clear()
        assert await giving_way.unless_answering(lambda: slow.caption(b"...")) is None
        assert not slow.begun.is_set()
    with giving_way.answering(), giving_way.answering():
        pass
    said = await giving_way.unless_answering(lambda: SizeCaptioner().caption(b"..."))
    assert said == "A picture of 3 bytes."


async def test_cancelling_ends_it_too() -> None:
    slow = Endless()
    caption = asyncio.create_task(GivingWay().unless_answering(lambda: slow.caption(b"...")))
    await slow.begun.wait()
    caption.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caption
    assert slow.ended


async def test_a_real_architecture_is_shown_the_keyframe_and_can_be_stopped() -> None:
    generator = TransformersGenerator(checkpoint("tiny"), rows=1)
    try:
        captioner = GeneratorCaptioner(generator)
        assert isinstance(await captioner.caption(seeing_model.picture(3)), str)
        giving_way, shown = GivingWay(), seeing_model.picture(4)
        caption = asyncio.create_task(giving_way.unless_answering(lambda: captioner.caption(shown)))
        await asyncio.sleep(0)
        with giving_way.answering():
            assert await caption is None
    finally:
        generator.close()
