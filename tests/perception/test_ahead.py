from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from perception.ahead import Partial, is_whole
from perception.faces import NoFaces
from perception.perceiver import LocalPerceiver, Result, Stage
from perception.pipeline import (
    Event,
    Heard,
    MomentCut,
    PipelineSettings,
    StreamPipeline,
    VoiceEnded,
    VoiceStarted,
)
from perception.reader import FixedReader
from perception.recognizer import Effort, Transcript
from perception.records import SAMPLE_RATE, Audio, Observation, Stream
from perception.sounds import SilentListener
from perception.sources import AudioChunk
from perception.tagger import BrightnessTagger
from perception.vad import Endpointer, LoudnessDetector, Pause, Utterance, VoiceSettings

pytestmark = pytest.mark.unit

STREAM = Stream("s", datetime(2026, 3, 2, tzinfo=UTC))
TURNS = 20  # of the event loop: what a chunk sets off takes fewer
TALK = VoiceSettings(silence=0.7, pause=0.25, finished=0.45)


def sound(*parts: tuple[float, bool]) -> Audio:
    """Seconds of voice or silence."""
    rng = np.random.default_rng(0)
    return np.concatenate(
        [
            (rng.normal(0, 0.2 if voice else 0.0, int(seconds * SAMPLE_RATE))).astype(np.float32)
            for seconds, voice in parts
        ]
    )


class Counting:
    """Says `text`; keeps how long what it was given is, and whether it was partial."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.calls: list[tuple[float, Effort]] = []

    def recognize(self, utterances: Sequence[Audio], effort: Effort = "full") -> list[Transcript]:
        self.calls += [(len(audio) / SAMPLE_RATE, effort) for audio in utterances]
        return [Transcript(self.text, "en", 0.9)] * len(utterances)


class AtOnce(LocalPerceiver):
    """Whatever is asked of it is there before anything else happens."""

    async def on(self, stage: Stage, call: Callable[[], Result]) -> Result:
        return call()


class Chunks:
    """64 ms at a time; lets what was started finish in between."""

    seconds: float | None = None

    def __init__(self, audio: Audio, begins: float = 0.0) -> None:
        self._audio, self._begins = audio, begins

    async def __aiter__(self) -> AsyncGenerator[AudioChunk, None]:
        for start in range(0, len(self._audio), 1024):
            yield AudioChunk(self._begins + start / SAMPLE_RATE, self._audio[start : start + 1024])
            for _ in range(TURNS):
                await asyncio.sleep(0)


async def heard(
    audio: Audio, text: str, voice: VoiceSettings = TALK, begins: float = 0.0
) -> tuple[list[Event], Counting]:
    recognizer = Counting(text)
    perceiver = AtOnce(recognizer, FixedReader(), BrightnessTagger(), NoFaces(), SilentListener())
    pipeline = StreamPipeline(
        STREAM,
        perceiver,
        settings=PipelineSettings(voice=voice, partial_every=0.5, live=True, sound_window=0),
        detector=LoudnessDetector(),
        begins=begins,
    )
    events = [event async for event in pipeline.run(Chunks(audio, begins))]
    perceiver.close()
    return events, recognizer


def test_a_pause_gives_what_an_utterance_that_ends_there_would_hold() -> None:
    endpointer = Endpointer(LoudnessDetector(), VoiceSettings(pause=0.25, tail=0.25, silence=0.7))
    events = endpointer.feed(sound((0.5, False), (1.0, True), (1.0, False)))
    pause = next(event for event in events if isinstance(event, Pause))
    said = next(event for event in events if isinstance(event, Utterance))
    assert (pause.start, pause.end) == (said.start, said.end)
    assert np.array_equal(pause.samples, said.samples)


def test_an_utterance_is_not_ended_before_its_silence() -> None:
    endpointer = Endpointer(LoudnessDetector(), TALK)
    endpointer.feed(sound((0.3, False), (1.0, True), (0.3, False)))
    assert endpointer.end() == []
    endpointer.feed(sound((0.2, False)))
    (said,) = endpointer.end()
    assert isinstance(said, Utterance)
    assert endpointer.end() == []


async def test_what_is_being_said_is_recognised_while_it_is_said() -> None:
    events, recognizer = await heard(sound((0.3, False), (2.0, True), (1.0, False)), "So far")
    kinds = [type(event) for event in events]
    assert kinds.index(VoiceStarted) < kinds.index(Partial) < kinds.index(Heard)
    assert any(effort == "draft" for _, effort in recognizer.calls)


async def test_the_transcript_of_a_pause_that_ends_it_is_not_made_twice() -> None:
    _, recognizer = await heard(sound((0.3, False), (1.0, True), (1.0, False)), "It is here.")
    whole = [seconds for seconds, _ in recognizer.calls if seconds > 1.4]
    assert len(whole) == 1


async def test_a_finished_sentence_ends_sooner_than_one_that_goes_on() -> None:
    audio = sound((0.3, False), (1.0, True), (1.5, False))
    whole, _ = await heard(audio, "Where is it?")
    torn, _ = await heard(audio, "Where is the")
    ends = [
        next(event.time for event in events if isinstance(event, VoiceEnded))
        for events in (whole, torn)
    ]
    assert ends[0] == ends[1]  # the voice ended when it ended, whenever that was decided
    assert _decided(whole) <= _decided(torn)


async def test_a_sentence_that_goes_on_after_a_pause_stays_one() -> None:
    audio = sound((0.3, False), (1.0, True), (0.55, False), (1.0, True), (1.2, False))
    events, _ = await heard(audio, "I put it on the")
    assert len([event for event in events if isinstance(event, Heard)]) == 1


async def test_a_stream_may_begin_late() -> None:
    events, _ = await heard(sound((0.3, False), (1.0, True), (1.0, False)), "Here.", begins=500.0)
    said = next(event.observation for event in events if isinstance(event, Heard))
    assert 500.2 < said.start < said.end < 502.0
    assert all(e.moment.start >= 500.0 for e in events if isinstance(e, MomentCut))


async def test_what_the_agent_says_stands_in_the_moment() -> None:
    perceiver = AtOnce.fake()
    pipeline = StreamPipeline(STREAM, perceiver, detector=LoudnessDetector())
    answer = Observation("s", "speech", 1.0, 2.0, "In the drawer.", role="answer")
    events: list[Event] = []
    async for event in pipeline.run(Chunks(sound((3.0, False)))):
        if not events:
            pipeline.remark(answer)
        events.append(event)
    perceiver.close()
    assert answer in [o for e in events if isinstance(e, MomentCut) for o in e.moment.observations]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("Where did I leave it?", True),
        ("It is on the shelf.", True),
        ("It is on the.", False),
        ("Where did I", False),
        ("Well...", False),
        ("I put it and", False),
        ("", False),
    ],
)
def test_whether_a_sentence_is_over(text: str, whole: bool) -> None:
    assert is_whole(text) is whole


def _decided(events: list[Event]) -> int:
    """How many events came before the voice was known to have ended."""
    return next(n for n, event in enumerate(events) if isinstance(event, VoiceEnded))
