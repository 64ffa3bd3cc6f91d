"""Models built like Qwen3-VL, tiny and with random weights: each says what it says alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForImageTextToText,
    Qwen2_5_VLConfig,
    Qwen2VLConfig,
    Qwen2VLImageProcessorPil,
    Qwen3VLMoeConfig,
)

from bench.random_models import CONTROL, tokenizer
from reasoning.checkpoint import Checkpoint, check
from reasoning.transformer import TransformersGenerator
from tests.reasoning.seeing_model import asked, live, plain, remembered, said

pytestmark = pytest.mark.model

WORDS = 512
IDS = {token: WORDS - len(CONTROL) + n for n, token in enumerate(CONTROL)}
TEXT = {
    "vocab_size": WORDS,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": IDS["<|endoftext|>"],
    "eos_token_id": IDS["<|im_end|>"],
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 2, 2]},
}
EXPERTS = {"head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
SEES = {"depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2}
MODELS: dict[str, tuple[Any, dict[str, Any], dict[str, Any], int]] = {
    "Qwen2-VL": (
        Qwen2VLConfig,
        TEXT,
        {"depth": 3, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2},
        14,
    ),
    "Qwen2.5-VL": (
        Qwen2_5_VLConfig,
        TEXT,
        {**SEES, "out_hidden_size": 64, "fullatt_block_indexes": [1], "window_size": 56},
        14,
    ),
    "Qwen3-VL, experts": (
        Qwen3VLMoeConfig,
        {**TEXT, **EXPERTS},
        {
            **SEES,
            "out_hidden_size": 64,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        },
        16,
    ),
}


@pytest.mark.parametrize("name", MODELS)
async def test_it_says_what_the_model_alone_says(name: str) -> None:
    kind, text, vision, patch = MODELS[name]
    config = kind(
        text_config=text,
        vision_config={**vision, "patch_size": patch},
        image_token_id=IDS["<|image_pad|>"],
        video_token_id=IDS["<|video_pad|>"],
        vision_start_token_id=IDS["<|vision_start|>"],
        vision_end_token_id=IDS["<|vision_end|>"],
    )
    check(config, name)
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.15)
    processor = Qwen2VLImageProcessorPil(
        patch_size=patch, merge_size=2, size={"shortest_edge": 3136, "longest_edge": 1003520}
    )
    made = Checkpoint(model.eval(), tokenizer(WORDS), processor, name)
    generator = TransformersGenerator(
        made, rows=2, visual_tokens=512, text_tokens=128, picture_tokens=64
    )
    prompts = [
        asked("Where is the kettle?"),
        asked("What is this?", remembered(1), live(2)),
        asked("What was that?", remembered(2), live(1)),
    ]
    expected = [plain(made, prompt, 64 * made.patch**2) for prompt in prompts]
    assert await asyncio.gather(*(said(generator, p) for p in prompts)) == expected
    assert [await said(generator, p) for p in prompts] == expected
    generator.close()
