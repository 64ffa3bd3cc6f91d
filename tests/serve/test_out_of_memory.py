"""A GPU without memory left fails one call of perception, not the streams that share it."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from perception.errors import OutOfMemory, PerceiverError
from perception.faces import NoFaces
from perception.perceiver import LocalPerceiver
from perception.reader import FixedReader
from perception.recognizer import Effort, ScriptedRecognizer, Transcript
from perception.records import Audio
from perception.sounds import SilentListener, SoundSpan
from perception.tagger import BrightnessTagger
from serve import metrics, patient
from serve.patient import PatientPerceiver, WaitingPerceiver

pytestmark = pytest.mark.unit

SECOND = np.full(16_000, 0.1, np.float32)


class Full(ScriptedRecognizer):
    """Has no memory for its first calls, in CTranslate2's words."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    def recognize(self, utterances: Sequence[Audio], effort: Effort = "full") -> list[Transcript]:
        if self.left:
            self.left -= 1
            raise RuntimeError("CUDA failed with error out of memory\nat line 7")
        return super().recognize(utterances, effort)


class FullListener(SilentListener):
    def listen(self, windows: Sequence[Audio]) -> list[tuple[SoundSpan, ...]]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


class BrokenTagger(BrightnessTagger):
    def tag(self, images: Any) -> Any:
        raise RuntimeError("Expected all tensors to be on the same device")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> LocalPerceiver:
    monkeypatch.setattr(patient, "AGAIN", 0.0)
    return LocalPerceiver(Full(2), FixedReader(), BrokenTagger(), NoFaces(), FullListener())


async def test_what_a_library_raises_is_told_in_one_line(full: LocalPerceiver) -> None:
    with pytest.raises(OutOfMemory) as refused:
        await full.recognize(SECOND)
    said = "speech recognition: no memory is left (CUDA failed with error out of memory)"
    assert str(refused.value) == said
    with pytest.raises(OutOfMemory, match="hearing sounds"):
        await full.listen(SECOND)
    with pytest.raises(PerceiverError, match="tagging failed: Expected all tensors"):
        await full.look(np.zeros((8, 8, 3), np.uint8), False)
    full.close()


async def test_a_live_stream_goes_on_and_its_speech_is_asked_for_again(
    full: LocalPerceiver,
) -> None:
    """Out of GPU memory once, every live stream ended."""
    live = PatientPerceiver(full, lambda _: None)
    let_go = metrics.LET_GO.labels("sound")
    before = let_go._value.get()
    assert (await live.recognize(SECOND)).text
    assert await live.listen(SECOND) == ()
    assert (await live.look(np.zeros((8, 8, 3), np.uint8), True)).tags == ()
    assert let_go._value.get() == before + 1
    full.close()


async def test_a_recording_waits_for_memory(full: LocalPerceiver) -> None:
    assert (await WaitingPerceiver(full).recognize(SECOND)).text
    full.close()


def test_it_is_the_same_error_beyond_a_process() -> None:
    error = pickle.loads(pickle.dumps(OutOfMemory("tagging: no memory is left (why)")))
    assert isinstance(error, OutOfMemory)
    assert str(error) == "tagging: no memory is left (why)"
