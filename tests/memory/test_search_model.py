"""Search with the real embedder: meaning where no word is shared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models
from memory.bert import Bert
from memory.converted import converted
from memory.embedder import MiniLM
from memory.store import Store
from models.errors import CacheUnwritable
from tests.memory.searching import heard, remember, texts

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def embedder() -> MiniLM:
    return MiniLM(models.locate("minilm"))


def test_rows_are_unit_vectors_whatever_is_beside_them(embedder: MiniLM) -> None:
    alone = embedder.embed(["a boat"])
    beside = embedder.embed(["a boat", "a very much longer sentence about the harbour at night"])
    assert alone.shape == (1, 384)
    assert alone.dtype == np.float32
    assert np.linalg.norm(alone) == pytest.approx(1, abs=1e-5)
    assert np.allclose(alone[0], beside[0], atol=1e-4)
    assert embedder.embed([]).shape == (0, 384)


def test_vectors_are_those_of_the_reference_implementation(
    embedder: MiniLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sentence-transformers' recipe for this model: BertModel, mean of the tokens, unit length."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel

    folder = models.locate("minilm")
    said = ["Where is it?", "Ünïcode, 日本語 & numbers 15:30", "A much longer one, " * 30]
    reference: Any = BertModel.from_pretrained(folder, local_files_only=True).eval()
    monkeypatch.setenv("LOOKBACK_CACHE", str(tmp_path))
    at_full_length = Bert(folder, "float32")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.no_padding()
    for text, vector in zip(said, embedder.embed(said), strict=True):
        ids = tokenizer.encode(text).ids
        with torch.inference_mode():
            states = reference(input_ids=torch.tensor([ids])).last_hidden_state[0]
        assert np.allclose(at_full_length([ids])[0], states.numpy(), atol=1e-4)
        expected = torch.nn.functional.normalize(states.mean(dim=0), dim=0).numpy()
        assert vector @ expected > 0.985  # the weights are rounded to eight bits


def test_memory_needs_no_framework_of_deep_learning(embedder: MiniLM) -> None:
    """They weigh 200 MB in each process; CTranslate2's converters would import them."""
    code = """
import sys, models, memory.store
from memory.embedder import MiniLM
MiniLM(models.locate("minilm")).embed(["a boat"])
print(*{"torch", "transformers"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_weights_are_converted_once_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKBACK_CACHE", str(tmp_path))
    folder = models.locate("minilm")
    first = converted(folder, "int8")
    made = (first / "model.bin").stat()
    assert converted(folder, "int8") == first
    assert (first / "model.bin").stat().st_mtime_ns == made.st_mtime_ns
    assert {path.suffix for path in first.parent.iterdir()} <= {first.suffix, ".lock"}


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    monkeypatch.setenv("LOOKBACK_CACHE", str(tmp_path))
    with pytest.raises(CacheUnwritable, match="minilm"):
        converted(models.locate("minilm"), "int8")


def test_a_huge_text_is_cut_not_refused(embedder: MiniLM) -> None:
    assert embedder.embed(["harbour " * 15_000]).shape == (1, 384)


def test_a_synonym_finds_what_was_said(embedder: MiniLM, tmp_path: Path) -> None:
    with Store(tmp_path, embedder) as store:
        remember(
            store,
            [
                heard(0, "The cat sleeps on the radiator."),
                heard(100, "My automobile broke down on the motorway."),
                heard(200, "Dinner is at seven."),
            ],
        )
        assert "automobile" in texts(store, "car trouble")[0]
