from __future__ import annotations

import numpy as np
import pytest

from perception.records import Audio
from perception.vad import (
    Endpointer,
    LoudnessDetector,
    Onset,
    Released,
    Utterance,
    VoiceEvent,
    VoiceSettings,
)
from tests.perception.conftest import silence, tone

pytestmark = pytest.mark.unit


def events(
    audio: Audio, chunk: int = 8000, settings: VoiceSettings | None = None
) -> list[VoiceEvent]:
    endpointer = Endpointer(LoudnessDetector(), settings)
    found: list[VoiceEvent] = []
    for at in range(0, len(audio), chunk):
        found += endpointer.feed(audio[at : at + chunk])
    return found + endpointer.flush()


def utterances(found: list[VoiceEvent]) -> list[Utterance]:
    return [event for event in found if isinstance(event, Utterance)]


def test_an_utterance_ends_after_the_silence_that_the_setting_asks_for() -> None:
    audio = np.concatenate([silence(1), tone(2), silence(2)])
    (said,) = utterances(events(audio))
    assert said.start == pytest.approx(1.0, abs=0.05)
    assert said.end == pytest.approx(3.0, abs=0.05)
    assert said.decided == pytest.approx(3.6, abs=0.1)
    assert len(said.samples) / 16000 == pytest.approx(2.8, abs=0.1)


def test_a_short_pause_does_not_end_it_and_a_long_one_does() -> None:
    audio = np.concatenate([tone(1), silence(0.4), tone(1), silence(1), tone(1), silence(1)])
    said = utterances(events(audio))
    assert [round(u.start, 1) for u in said] == [0.0, 3.4]


def test_the_onset_is_said_before_the_utterance_ends() -> None:
    found = events(np.concatenate([silence(0.5), tone(1), silence(1)]))
    assert [type(event) for event in found] == [Onset, Utterance]
    assert found[0].time == pytest.approx(0.5, abs=0.05)  # type: ignore[union-attr]  # an Onset


def test_a_click_is_no_utterance() -> None:
    audio = np.concatenate([silence(1), tone(0.05), silence(1)])
    assert events(audio) == []


def test_a_cough_that_was_announced_is_released() -> None:
    settings = VoiceSettings(onset=0.1, shortest=0.5)
    found = events(np.concatenate([silence(1), tone(0.25), silence(1)]), settings=settings)
    assert [type(event) for event in found] == [Onset, Released]


@pytest.mark.parametrize("chunk", [100, 512, 7919, 160_000])
def test_chunking_changes_nothing(chunk: int) -> None:
    audio = np.concatenate([silence(0.7), tone(1.3), silence(0.9), tone(0.8), silence(1.1)])
    expected = utterances(events(audio))
    found = utterances(events(audio, chunk))
    assert [(u.start, u.end) for u in found] == [(u.start, u.end) for u in expected]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(found, expected, strict=True))


def test_a_monologue_is_split_at_its_pause_and_nothing_is_lost() -> None:
    audio = np.concatenate([tone(25), silence(0.3), tone(20), silence(1)])
    first, second = utterances(events(audio))
    assert first.end == pytest.approx(25.15, abs=0.3)
    assert second.start == first.end
    assert second.end == pytest.approx(45.3, abs=0.1)
    assert max(len(u.samples) for u in (first, second)) <= 30.5 * 16000


def test_speech_up_to_the_last_sample_is_kept() -> None:
    (said,) = utterances(events(tone(2)))
    assert said.end == pytest.approx(2.0, abs=0.05)


def test_an_hour_of_silence_keeps_little() -> None:
    endpointer = Endpointer(LoudnessDetector())
    for _ in range(3600):
        endpointer.feed(silence(1))
    assert len(endpointer._kept) < 20
