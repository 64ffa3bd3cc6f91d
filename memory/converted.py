"""A BERT's weights in CTranslate2's form, made once and kept in the cache.

Made in a process of its own: what describes a model to CTranslate2 imports torch, 200 MB that would
stay in memory's process for good. `python -m memory.converted FOLDER COMPUTE_TYPE TARGET` makes one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from safetensors.numpy import load_file

from models.errors import CacheUnwritable
from models.joining import cache_directory, digest

if TYPE_CHECKING:
    from ctranslate2.specs import common_spec, transformer_spec

WEIGHTS = "model.safetensors"
MODEL = "model.bin"

Weights = Mapping[str, npt.NDArray[Any]]


def converted(folder: Path, compute_type: str) -> Path:
    """The folder in the cache that holds the model of `folder`, made where it is not there.

    Raises CacheUnwritable; CalledProcessError where the weights are not a BERT's."""
    weights = folder / WEIGHTS
    kept = cache_directory() / "models" / f"bert-{compute_type}-{digest(weights)[:12]}"
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{kept}.lock"):
            if not kept.is_dir():
                _make(folder, compute_type, kept)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CacheUnwritable("minilm", kept, weights.stat().st_size, reason) from error
    return kept


def _make(folder: Path, compute_type: str, kept: Path) -> None:
    """Whole or not at all."""
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".convert-") as scratch:
        target = Path(scratch) / "whole"
        target.mkdir()
        arguments = [str(folder), compute_type, str(target)]
        subprocess.run([sys.executable, "-m", "memory.converted", *arguments], check=True)
        with (target / MODEL).open("rb") as written:
            os.fsync(written.fileno())
        target.rename(kept)


def convert(folder: Path, compute_type: str, target: Path) -> None:
    """Write the model of `folder` (config.json, float32 weights) to `target`. Imports torch.

    Raises KeyError where the weights are not a BERT's."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    spec = _specified(config, load_file(folder / WEIGHTS))
    spec.validate()
    spec.optimize(quantization=compute_type)
    spec.save(str(target))


def _specified(
    config: Mapping[str, Any], weights: Weights
) -> transformer_spec.TransformerEncoderModelSpec:
    from ctranslate2.specs import common_spec, transformer_spec

    encoder = transformer_spec.TransformerEncoderSpec(
        config["num_hidden_layers"],
        config["num_attention_heads"],
        pre_norm=False,
        activation=common_spec.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,  # of the token, and of which of two texts it is in
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = weights["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
    _normed(encoder.layernorm_embedding, weights, "embeddings.LayerNorm")
    for number, layer in enumerate(encoder.layer):
        name = f"encoder.layer.{number}"
        attention = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        _linear(layer.self_attention.linear[0], weights, *attention)
        _linear(layer.self_attention.linear[1], weights, f"{name}.attention.output.dense")
        _normed(layer.self_attention.layer_norm, weights, f"{name}.attention.output.LayerNorm")
        _linear(layer.ffn.linear_0, weights, f"{name}.intermediate.dense")
        _linear(layer.ffn.linear_1, weights, f"{name}.output.dense")
        _normed(layer.ffn.layer_norm, weights, f"{name}.output.LayerNorm")
    spec = transformer_spec.TransformerEncoderModelSpec(encoder)
    # Texts come as ids: the names of the tokens are never asked for, only their number is checked.
    spec.register_vocabulary([str(token) for token in range(config["vocab_size"])])
    spec.config.unk_token = "0"
    spec.config.layer_norm_epsilon = config["layer_norm_eps"]
    return spec


def _linear(linear: common_spec.LinearSpec, weights: Weights, *names: str) -> None:
    """One layer in place of those named, which take in the same."""
    linear.weight = np.concatenate([weights[f"{name}.weight"] for name in names])
    linear.bias = np.concatenate([weights[f"{name}.bias"] for name in names])


def _normed(norm: common_spec.LayerNormSpec, weights: Weights, name: str) -> None:
    norm.gamma, norm.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


if __name__ == "__main__":
    convert(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
