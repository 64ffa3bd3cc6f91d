from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from perception import Audio, Image, Role, keyframes
from perception.perceiver import LocalPerceiver, Look
from perception.pipeline import (
    Event,
    Heard,
    MomentCut,
    PipelineSettings,
    Progress,
    StreamPipeline,
    VoiceEnded,
    VoiceStarted,
)
from perception.recognizer import Effort, Transcript
from perception.sounds import SoundSpan
from perception.sources import AudioChunk, Frame
from perception.vad import LoudnessDetector
from tests.perception.conftest import STREAM, ListSource, in_order, plain, silence, texture, tone

pytestmark = pytest.mark.unit


class Unhurried:
    """A perceiver whose calls take turns in an order of their own."""

    def __init__(self, seed: int) -> None:
        self._inner = LocalPerceiver.fake()
        self._random = random.Random(seed)
        self.at_work = self.most_at_work = self.calls = 0

    async def _linger(self) -> None:
        self.calls += 1
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        for _ in range(self._random.randrange(60)):
            await asyncio.sleep(0)
        self.at_work -= 1

    async def recognize(self, audio: Audio, effort: Effort = "full") -> Transcript:
        await self._linger()
        return self._inner.recognize_batch([audio], effort)[0]

    async def listen(self, audio: Audio) -> tuple[SoundSpan, ...]:
        await self._linger()
        return self._inner.listen_batch([audio])[0]

    async def look(self, image: Image, read: bool) -> Look:
        await self._linger()
        return self._inner.look_batch([image], [read])[0]


def story() -> list[AudioChunk | Frame]:
    audio = np.concatenate(
        [silence(2), tone(1.5), silence(6), tone(2.5), silence(1), tone(1), silence(6)]
    )
    pictures = [(i / 4, texture(i // 20)) for i in range(80)]
    return in_order(audio, pictures)


async def perceive(
    perceiver: Unhurried, items: list[AudioChunk | Frame], **options: object
) -> list[Event]:
    pipeline = StreamPipeline(
        STREAM,
        perceiver,
        detector=LoudnessDetector(),
        **options,  # type: ignore[arg-type]  # passed on as given
    )
    return [event async for event in pipeline.run(ListSource(items))]


def lasting(events: list[Event]) -> list[Event]:
    """Without what is told out of turn, as soon as it is known."""
    passing = Progress | VoiceStarted | VoiceEnded
    return [event for event in events if not isinstance(event, passing)]


async def test_what_comes_out_does_not_depend_on_how_long_calls_take() -> None:
    expected = lasting(await perceive(Unhurried(0), story()))
    assert sum(isinstance(event, MomentCut) for event in expected) >= 4
    for seed in range(1, 6):
        assert lasting(await perceive(Unhurried(seed), story())) == expected


async def test_at_a_question_what_came_before_is_already_given() -> None:
    def role_of(text: str) -> Role:
        return "question" if "3.2" in text or "3.3" in text else "statement"

    events = await perceive(Unhurried(1), story(), role_of=role_of)
    (at,) = [
        i for i, e in enumerate(events) if isinstance(e, Heard) and e.observation.role == "question"
    ]
    question = events[at]
    assert isinstance(question, Heard)
    given = [e.moment for e in events[:at] if isinstance(e, MomentCut)]
    heard = [e.observation for e in events[:at] if isinstance(e, Heard)]
    assert heard
    assert all(any(h in m.observations for m in given) for h in heard)
    following = next(e.moment for e in events[at:] if isinstance(e, MomentCut))
    assert question.observation in following.observations
    assert following.start == question.pinned


async def test_moments_follow_each_other_and_name_their_keyframes() -> None:
    cuts = [e for e in await perceive(Unhurried(2), story()) if isinstance(e, MomentCut)]
    for before, after in zip(cuts, cuts[1:], strict=False):
        assert after.moment.start >= before.moment.end
    for cut in cuts:
        assert cut.keyframe is not None
        assert len(cut.keyframe) <= 40_000
        assert cut.moment.keyframe == keyframes.name_of(cut.keyframe)


async def test_calls_at_work_are_bounded() -> None:
    perceiver = Unhurried(3)
    pictures = [(i / 4, texture(i // 2)) for i in range(200)]
    await perceive(
        perceiver, in_order(silence(1), pictures), settings=PipelineSettings(in_flight=3)
    )
    assert perceiver.calls > 20
    assert perceiver.most_at_work <= 3


async def test_an_unchanged_picture_costs_one_call() -> None:
    perceiver = Unhurried(4)
    pictures = [(i / 4, plain(120)) for i in range(400)]
    await perceive(perceiver, in_order(silence(100), pictures))
    assert perceiver.calls == 1


async def test_a_voice_is_told_before_its_utterance() -> None:
    events = await perceive(Unhurried(5), story())
    first_voice = next(i for i, e in enumerate(events) if isinstance(e, VoiceStarted))
    first_heard = next(i for i, e in enumerate(events) if isinstance(e, Heard))
    assert first_voice < first_heard


async def test_progress_reaches_the_end() -> None:
    events = await perceive(Unhurried(6), story())
    times = [e.stream_time for e in events if isinstance(e, Progress)]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(20, abs=0.3)


async def test_a_failing_call_ends_the_run_with_its_error() -> None:
    class Failing(Unhurried):
        async def look(self, image: Image, read: bool) -> Look:
            raise RuntimeError("no room")

    with pytest.raises(RuntimeError, match="no room"):
        await asyncio.wait_for(perceive(Failing(0), story()), 20)


async def test_a_failing_source_ends_the_run_with_its_error() -> None:
    class Breaking(ListSource):
        async def __aiter__(self) -> AsyncGenerator[AudioChunk | Frame, None]:
            yield AudioChunk(0.0, silence(0.5))
            raise OSError("unplugged")

    pipeline = StreamPipeline(STREAM, Unhurried(0), detector=LoudnessDetector())
    with pytest.raises(OSError, match="unplugged"):
        async for _ in pipeline.run(Breaking([])):
            pass


async def test_closing_it_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    pipeline = StreamPipeline(STREAM, Unhurried(0), detector=LoudnessDetector())
    events = pipeline.run(ListSource(story()))
    await anext(events)
    await events.aclose()
    assert asyncio.all_tasks() == before


async def test_live_looks_beyond_the_bound_are_dropped_and_counted_and_speech_is_kept() -> None:
    class Stuck(Unhurried):
        def __init__(self) -> None:
            super().__init__(0)
            self.release = asyncio.Event()

        async def look(self, image: Image, read: bool) -> Look:
            await self.release.wait()
            return await super().look(image, read)

    perceiver = Stuck()

    class Live(ListSource):
        async def __aiter__(self) -> AsyncGenerator[AudioChunk | Frame, None]:
            for item in self._items:
                yield item
            perceiver.release.set()

    pictures = [(i / 4, texture(i // 4)) for i in range(40)]
    source = Live(in_order(silence(1), pictures))
    pipeline = StreamPipeline(
        STREAM,
        perceiver,
        detector=LoudnessDetector(),
        settings=PipelineSettings(in_flight=2, live=True),
    )
    events = [event async for event in pipeline.run(source)]
    assert [e for e in events if isinstance(e, Progress)][-1].dropped_frames >= 5
