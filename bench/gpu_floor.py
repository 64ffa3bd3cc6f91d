"""What the device can do at best, and what that makes the least time of each step.

Peak arithmetic and bandwidth are measured in the same run, by a matrix product and a copy, so that a
slowed-down or shared card is compared with itself. The floor of a step is the longer of its
operations at that rate and the bytes it must read at that bandwidth: nothing that computes the same
is faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

TRIES = 5


@dataclass(frozen=True, slots=True)
class Peak:
    """Operations a second (a multiply and an add are two), and bytes a second read and written."""

    flops: float
    bandwidth: float


@dataclass(frozen=True, slots=True)
class Work:
    """What a vision-language model must do for a prompt, or a token."""

    flops: float
    bytes: float

    def seconds(self, peak: Peak) -> float:
        return max(self.flops / peak.flops, self.bytes / peak.bandwidth)


def milliseconds(work: Work, peak: Peak | None) -> float | None:
    """The least that the work takes; None where the device's peak is not known."""
    return None if peak is None else round(work.seconds(peak) * 1e3, 2)


def synchronize(device: torch.device) -> None:
    """Waits for what the device was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def fastest(call: Callable[[], object], device: torch.device, tries: int = TRIES) -> float:
    """Seconds of the fastest of some calls, after one to warm up."""
    times = []
    for _ in range(tries + 1):
        synchronize(device)
        began = time.perf_counter()
        call()
        synchronize(device)
        times.append(time.perf_counter() - began)
    return min(times[1:])


def peak(device: torch.device) -> Peak:
    """Measured: a product of square matrices and a copy, large where the device is a GPU."""
    found = Peak(_product(device), _copy(device))
    if device.type == "cuda":  # what this took is not to count as the model's
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    return found


def _product(device: torch.device) -> float:
    gpu = device.type == "cuda"
    side, dtype = (8192, torch.bfloat16) if gpu else (256, torch.float32)
    left = torch.randn(side, side, device=device, dtype=dtype)
    right = torch.randn(side, side, device=device, dtype=dtype)
    return 2 * side**3 / fastest(lambda: left @ right, device)


def _copy(device: torch.device) -> float:
    count = 2 * 10**9 if device.type == "cuda" else 4 * 10**6
    source = torch.empty(count // 4, device=device, dtype=torch.float32).fill_(1)
    target = torch.empty_like(source)
    return 2 * source.nbytes / fastest(lambda: target.copy_(source), device)


def of_prompt(model: Any, tokens: int, pictures: int, patches: int) -> Work:
    """To evaluate a prompt of `tokens` positions (those of the pictures among them) of which
    `pictures`, of so many patches each, have to be encoded."""
    text, vision = model.config.get_text_config(), model.config.vision_config
    seen = sum(p.numel() for p in model.model.visual.parameters())
    read = _read_weights(model)
    width = getattr(text, "head_dim", 0) or text.hidden_size // text.num_attention_heads
    attending = 2 * text.num_hidden_layers * tokens**2 * text.num_attention_heads * width
    looking = 4 * vision.depth * patches**2 * vision.hidden_size
    flops = 2.0 * read * tokens + attending + pictures * (2.0 * seen * patches + looking)
    size = next(model.parameters()).element_size()
    return Work(flops, float(size) * (read + (seen if pictures else 0)))


def of_step(model: Any, answers: int, tokens: int) -> Work:
    """To give so many answers one more token each, after `tokens` positions."""
    text = model.config.get_text_config()
    width = getattr(text, "head_dim", 0) or text.hidden_size // text.num_attention_heads
    size = next(model.parameters()).element_size()
    read = _read_weights(model) + model.get_output_embeddings().weight.numel()
    kept = 2 * text.num_hidden_layers * text.num_key_value_heads * width * tokens
    return Work(2.0 * answers * (read + kept), float(size) * (read + answers * kept))


def of_encoder(network: Any, pictures: int) -> Work:
    """To encode pictures with a two-tower network's picture tower."""
    config = network.config.vision_config
    weights = sum(p.numel() for p in network.vision_model.parameters())
    patches = (config.image_size // config.patch_size) ** 2
    attending = 4 * config.num_hidden_layers * patches**2 * config.hidden_size
    size = next(network.parameters()).element_size()
    return Work(pictures * (2.0 * weights * patches + attending), float(size) * weights)


def _read_weights(model: Any) -> int:
    """Weights of the language model that every token goes through: all but the embeddings."""
    language = model.model.language_model
    every = sum(p.numel() for p in language.parameters())
    return int(every - language.embed_tokens.weight.numel())
