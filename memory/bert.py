"""A BERT encoder (Devlin et al. 2018, arXiv 1810.04805) in numpy, for texts of a sentence or two.

One small encoder is all that memory needs of a deep-learning framework, and the frameworks weigh
300 MB in each process that imports them: more than the weights, the index and the tables together.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_PADDING = np.float32(-1e9)  # added to the attention paid to what is not there
# erf(x) for x >= 0 within 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26).
_ERF = np.array([0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429], np.float32)
_ERF_P = np.float32(0.3275911)


class Bert:
    """`folder` holds config.json and model.safetensors (float32). Safe to use from many threads.

    Raises KeyError where the weights are not a BERT's.
    """

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._heads: int = config["num_attention_heads"]
        self._epsilon = np.float32(config["layer_norm_eps"])
        self._weights: dict[str, Floats] = load_file(folder / "model.safetensors")
        self._layers: list[dict[str, Any]] = [
            self._layer(f"encoder.layer.{number}.") for number in range(config["num_hidden_layers"])
        ]

    def __call__(self, ids: Ints, mask: Ints) -> Floats:
        """The last hidden states, float32 [texts, tokens, width]. `ids` and `mask` (1: a token,
        0: padding) int64 [texts, tokens]."""
        weights = self._weights
        states = (
            weights["embeddings.word_embeddings.weight"][ids]
            + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        states = self._normed(states, "embeddings.LayerNorm.")
        absent = np.where(mask[:, None, None, :] == 0, _PADDING, np.float32(0))
        for layer in self._layers:
            mixed = self._attended(states, absent, layer)
            states = self._normed(states + mixed, layer["attention_norm"])
            wide = _gelu(states @ layer["up"] + layer["up_bias"])
            states = self._normed(states + wide @ layer["down"] + layer["down_bias"], layer["norm"])
        return states

    def _layer(self, name: str) -> dict[str, Any]:
        """A layer's matrices as they are multiplied by; query, key and value as one."""
        taken = self._weights.pop
        each = [f"{name}attention.self.{part}." for part in ("query", "key", "value")]
        return {
            "qkv": np.concatenate([taken(f"{one}weight") for one in each]).T.copy(),
            "qkv_bias": np.concatenate([taken(f"{one}bias") for one in each]),
            "out": taken(f"{name}attention.output.dense.weight").T.copy(),
            "out_bias": taken(f"{name}attention.output.dense.bias"),
            "up": taken(f"{name}intermediate.dense.weight").T.copy(),
            "up_bias": taken(f"{name}intermediate.dense.bias"),
            "down": taken(f"{name}output.dense.weight").T.copy(),
            "down_bias": taken(f"{name}output.dense.bias"),
            "attention_norm": f"{name}attention.output.LayerNorm.",
            "norm": f"{name}output.LayerNorm.",
        }

    def _attended(self, states: Floats, absent: Floats, layer: dict[str, Any]) -> Floats:
        texts, tokens, width = states.shape
        each = width // self._heads
        mixed = states @ layer["qkv"] + layer["qkv_bias"]
        query, key, value = mixed.reshape(texts, tokens, 3, self._heads, each).transpose(
            2, 0, 3, 1, 4
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(each**0.5) + absent
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares = scores / scores.sum(axis=-1, keepdims=True)
        joined = (shares @ value).transpose(0, 2, 1, 3).reshape(texts, tokens, width)
        found: Floats = joined @ layer["out"] + layer["out_bias"]
        return found

    def _normed(self, states: Floats, name: str) -> Floats:
        centred = states - states.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        scaled: Floats = centred / np.sqrt(variance + self._epsilon)
        return scaled * self._weights[f"{name}weight"] + self._weights[f"{name}bias"]


def _gelu(x: Floats) -> Floats:
    size = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + _ERF_P * size)
    a1, a2, a3, a4, a5 = _ERF
    erf = 1 - t * (a1 + t * (a2 + t * (a3 + t * (a4 + t * a5)))) * np.exp(-size * size)
    half: Floats = np.float32(0.5) * x * (1 + np.copysign(erf, x))
    return half
