"""AudioSet labels as spans: the real architecture, tiny and untrained, made to hear what is wanted."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from perception.audioset import PIECE, AudioSetListener
from perception.errors import ModelUnusable
from perception.moments import Cut, MomentBuilder
from perception.pipeline import always_statement
from perception.records import SAMPLE_RATE
from perception.sounds import Listener, SoundSpan
from perception.untrained import untrained_listener
from tests.perception import tiny_models
from tests.perception.conftest import silence, tone

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.ast(tmp_path_factory.mktemp("ast"))


def hearing(checkpoint: Path, **likelihoods: float) -> AudioSetListener:
    """A listener that gives each of those sounds its likelihood, whatever it hears."""
    import torch

    listener = AudioSetListener.load(str(checkpoint), device="cpu")
    dense = listener.network.classifier.dense
    with torch.no_grad():
        dense.weight.zero_()
        dense.bias.fill_(-9.0)
        for name, likelihood in likelihoods.items():
            at = next(i for i, s in enumerate(tiny_models.SOUNDS) if s.startswith(name))
            dense.bias[at] = float(np.log(likelihood / (1 - likelihood)))
    return listener


def test_what_is_likely_is_heard_by_the_names_the_pipeline_knows(checkpoint: Path) -> None:
    listener: Listener = hearing(checkpoint, Dog=0.8, Music=0.6, Male=0.9, Doorbell=0.1)
    (spans,) = listener.listen([tone(2.0)])
    assert [span.label for span in spans] == ["speech", "dog", "music"]
    assert [round(span.score, 2) for span in spans] == [0.9, 0.8, 0.6]
    assert {(span.start, span.end) for span in spans} == {(0.0, 2.0)}


def test_rooms_and_silence_are_no_sounds(checkpoint: Path) -> None:
    assert hearing(checkpoint, Silence=0.99).listen([tone(2.0)]) == [()]


def test_a_sound_that_goes_on_across_pieces_is_one_span(checkpoint: Path) -> None:
    listener = hearing(checkpoint, Dog=0.7)
    (spans,) = listener.listen([tone(2 * PIECE + 3.0)])
    assert [(span.label, span.start, span.end) for span in spans] == [("dog", 0.0, 2 * PIECE + 3)]


def test_windows_of_several_streams_share_passes_and_keep_apart(checkpoint: Path) -> None:
    listener = AudioSetListener.load(str(checkpoint), device="cpu")
    windows = [tone(1.0), silence(1.0), tone(0.05), tone(2.0, 0.1), np.empty(0, np.float32)]
    together = listener.listen(windows)
    alone = [listener.listen([audio])[0] for audio in windows]
    assert [bool(spans) for spans in together] == [bool(spans) for spans in alone]
    assert together[1] == together[2] == together[4] == ()


def test_features_need_no_torchaudio(checkpoint: Path) -> None:
    """The extractor makes its mel bands in numpy: a louder tone gives higher values."""
    from transformers import AutoFeatureExtractor

    assert find_spec("torchaudio") is None
    extractor = AutoFeatureExtractor.from_pretrained(checkpoint)
    quiet, loud = (
        extractor(tone(1.0, level), sampling_rate=SAMPLE_RATE, return_tensors="np")["input_values"]
        for level in (0.01, 0.5)
    )
    assert loud.shape == (1, 128, 32)
    assert loud[0, :90].max() > quiet[0, :90].max()


def test_a_moment_tells_sounds_by_their_label_and_speech_by_its_words() -> None:
    builder = MomentBuilder("cam", always_statement)
    spans = [SoundSpan(label, 0.0, 5.0, 0.8) for label in ("speech", "dog", "music")]
    out = [*builder.sounds(0.0, 5.0, spans), *builder.finish(6.0)]
    texts = [o.text for cut in out if isinstance(cut, Cut) for o in cut.moment.observations]
    assert sorted(texts) == ["dog", "music playing"]


def test_what_cannot_be_used_is_said_in_one_line(checkpoint: Path, tmp_path: Path) -> None:
    for model in ("nobody/no-such-sounds@v2", str(tmp_path)):
        with pytest.raises(ModelUnusable) as refused:
            AudioSetListener.load(model, device="cpu")
        assert "\n" not in str(refused.value)
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = (tmp_path / "preprocessor_config.json").read_text()
    (tmp_path / "preprocessor_config.json").write_text(settings.replace("16000", "44100"))
    with pytest.raises(ModelUnusable, match="44100 Hz"):
        AudioSetListener.load(str(tmp_path), device="cpu")


def test_the_untrained_listener_listens(checkpoint: Path) -> None:
    from transformers import AutoFeatureExtractor

    small = AudioSetListener.load(str(checkpoint), device="cpu").network.config
    extractor = AutoFeatureExtractor.from_pretrained(checkpoint)
    assert len(untrained_listener(small, extractor, device="cpu").listen([tone(1.0)] * 3)) == 3
