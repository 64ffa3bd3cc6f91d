"""Whisper by folder, and several utterances in one pass, with the installed model."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import models
from perception.errors import ModelUnusable
from perception.recognizer import WhisperRecognizer
from perception.records import Audio
from tests.perception.conftest import silence

pytestmark = pytest.mark.model

SAID = (
    "The lighthouse keeper painted the railing green.",
    "Bring the long ladder to the north gate.",
    "Dinner is waiting for you in the kitchen.",
)


def test_utterances_of_a_batch_are_each_what_they_are_alone(
    speak: Callable[[str], Audio],
) -> None:
    spoken = [speak(text) for text in SAID]
    folder = models.locate("whisper-base")
    recognizer = WhisperRecognizer(str(folder), cpu_threads=1, batch=3)
    given = [spoken[0], silence(2.0), spoken[1], spoken[2], silence(0.0)]
    heard = recognizer.recognize(given)
    assert [bool(one.text) for one in heard] == [True, False, True, True, False]
    for text, one, audio in zip(SAID, (heard[0], heard[2], heard[3]), spoken, strict=True):
        said, found = (re.findall("[a-z]+", t.lower()) for t in (text, one.text))
        assert len(set(said) & set(found)) >= len(set(said)) - 1
        assert one.language == "en"
        assert one.segments[0][1] == pytest.approx(len(audio) / 16000)


def test_a_model_that_is_no_whisper_is_said_in_one_line(tmp_path: Path) -> None:
    for model in (str(tmp_path), "nobody/no-such-whisper"):
        with pytest.raises(ModelUnusable) as refused:
            WhisperRecognizer(model)
        assert "\n" not in str(refused.value)
    (tmp_path / "model.bin").write_bytes(b"\0" * 64)
    with pytest.raises(ModelUnusable):
        WhisperRecognizer(str(tmp_path))
