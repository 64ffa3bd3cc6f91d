"""The real models, on speech and slides made here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from perception import Audio, Tag
from perception.keyframes import LARGEST, encode
from perception.perceiver import LocalPerceiver
from perception.pipeline import Heard, MomentCut, StreamPipeline
from perception.reader import as_text
from perception.sources import RecordingSource
from perception.tagger import in_words, tags, together, vocabulary
from perception.vad import Endpointer, SileroDetector, Utterance
from tests.perception.conftest import STREAM, silence, slide, texture

pytestmark = pytest.mark.model
Speak = Callable[[str], Audio]


@pytest.fixture(scope="module")
def perceiver() -> Iterator[LocalPerceiver]:
    loaded = LocalPerceiver.load()
    yield loaded
    loaded.close()


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def noise(seconds: float, level: float, seed: int = 0) -> Audio:
    samples = np.random.default_rng(seed).normal(0, level, round(seconds * 16000))
    return samples.astype(np.float32)


async def test_a_spoken_sentence_is_recognised(perceiver: LocalPerceiver, speak: Speak) -> None:
    audio = np.concatenate([silence(0.5), speak("The ferry leaves from the second pier at nine.")])
    heard = await perceiver.recognize(audio)
    assert words(heard.text)[:8] == "the ferry leaves from the second pier at".split()
    assert heard.language == "en"
    assert heard.confidence > 0.6


async def test_a_partial_transcript_has_the_words_too(
    perceiver: LocalPerceiver, speak: Speak
) -> None:
    audio = np.concatenate([silence(0.5), speak("The ferry leaves from the second pier.")])
    heard = await perceiver.recognize(audio, "draft")
    assert {"ferry", "second", "pier"} <= set(words(heard.text))


@pytest.mark.parametrize("level", [0.0, 0.002, 0.02, 0.1])
async def test_silence_and_noise_have_no_words(perceiver: LocalPerceiver, level: float) -> None:
    for seconds in (1, 3, 8):
        assert (await perceiver.recognize(noise(seconds, level))).text == ""


@pytest.mark.parametrize("level", [0.002, 0.05])
def test_noise_is_no_voice(level: float) -> None:
    endpointer = Endpointer(SileroDetector())
    assert endpointer.feed(noise(20, level)) + endpointer.flush() == []


def test_voice_activity_is_the_same_however_the_audio_is_chunked(speak: Speak) -> None:
    audio = np.concatenate(
        [noise(1, 0.002), speak("Good morning."), noise(1.5, 0.002), speak("Anyone in?")]
    )
    spans = []
    for chunk in (1600, 8000, len(audio)):
        endpointer = Endpointer(SileroDetector())
        found = []
        for at in range(0, len(audio), chunk):
            found += endpointer.feed(audio[at : at + chunk])
        found += endpointer.flush()
        spans.append([(e.start, e.end) for e in found if isinstance(e, Utterance)])
    assert len(spans[0]) == 2
    assert spans[0] == spans[1] == spans[2]


@pytest.mark.parametrize("size", [22, 40])
async def test_a_slide_is_read_exactly(perceiver: LocalPerceiver, size: int) -> None:
    lines = ["Harvest festival", "Saturday 16:45", "locker 5082", "contact: Miriam"]
    look = await perceiver.look(slide(lines, size=size), read=True)
    assert as_text(look.lines) == " / ".join(lines)


async def test_a_picture_without_text_reads_as_nothing(perceiver: LocalPerceiver) -> None:
    assert (await perceiver.look(texture(3, 960, 540), read=True)).lines == ()


async def test_a_frame_that_is_not_to_be_read_is_not(perceiver: LocalPerceiver) -> None:
    assert (await perceiver.look(slide(["Exit 4", "Hall B"]), read=False)).lines == ()


async def test_speech_is_neither_music_nor_singing(perceiver: LocalPerceiver, speak: Speak) -> None:
    spans = await perceiver.listen(speak("Could you bring the ladder over here, please?"))
    assert {span.label for span in spans} == {"speech"}


def test_breeds_add_up_to_a_dog() -> None:
    labels, categories = vocabulary()
    assert len(labels) == 1000
    spread = np.zeros((1, 1000), np.float32)
    spread[0, categories["dog"][:10]] = 0.08
    found = {tag.label: tag.probability for tag in tags(spread)}
    assert found["dog"] == pytest.approx(0.8, abs=0.01)
    assert in_words(together([tags(spread)]), None) == "dog"


def test_faces_are_put_into_words() -> None:
    assert in_words((Tag("bottle", 0.8),), 2) == "bottle, 2 people, faces seen"


def test_keyframes_keep_to_their_size_whatever_the_picture() -> None:
    static = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), dtype=np.uint8)
    for picture in (static, texture(1, 1920, 1080)):
        assert len(encode(picture, text=True)) <= LARGEST


async def test_a_recording_becomes_moments(
    perceiver: LocalPerceiver, speak: Speak, recording: Callable[..., Path]
) -> None:
    said = speak("The ladder is behind the boat house.")
    audio = np.concatenate([silence(2), said, silence(9 - len(said) / 16000)])
    shown = slide(["Rowing club", "Sunday 8:30"])
    pictures = ((i / 10, shown if 50 <= i < 75 else texture(2, 960, 540)) for i in range(110))
    path = recording("day.mp4", video=pictures, audio=audio[None])
    events = [event async for event in StreamPipeline(STREAM, perceiver).run(RecordingSource(path))]
    (heard,) = [event.observation for event in events if isinstance(event, Heard)]
    assert {"ladder", "behind", "boat", "house"} <= set(words(heard.text))
    assert heard.start == pytest.approx(2.0, abs=0.4)
    moments = [event.moment for event in events if isinstance(event, MomentCut)]
    (read,) = [o for m in moments for o in m.observations if o.kind == "screen_text"]
    assert read.text == "Rowing club / Sunday 8:30"
    assert (read.start, read.end) == pytest.approx((5.0, 7.5), abs=0.3)
