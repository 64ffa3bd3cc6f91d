"""Vision-language models of the real architectures with random weights, tiny or at full size.

What they say means nothing; loading, preparing pictures, generating, batching and cancelling run
the real code, and how fast a model is does not depend on what its weights are. The tokenizer is one
of bytes whose vocabulary is filled up to the model's, with the control tokens that Qwen3-VL uses.
Sizes are those of the model cards of Qwen3-VL-2B, -4B and -8B-Instruct.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers import models as tokenizing
from transformers import (
    AutoModelForImageTextToText,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
)

from perception.checkpoints import dtype_of
from reasoning.checkpoint import ATTENTION, Checkpoint

Size = Literal["tiny", "2b", "4b", "8b"]

CONTROL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TEMPLATE = (
    "{%- for message in messages -%}<|im_start|>{{ message.role }}\n"
    "{%- for part in message.content -%}"
    "{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>"
    "{%- else -%}{{ part.text }}{%- endif -%}"
    "{%- endfor -%}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{% endif -%}"
)

_TEXT: dict[Size, dict[str, Any]] = {
    "tiny": {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
    },
    "2b": {"hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28},
    "4b": {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36},
    "8b": {"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36},
}
_HEADS: dict[Size, int] = {"tiny": 4, "2b": 16, "4b": 32, "8b": 32}
_VISION: dict[Size, dict[str, Any]] = {
    "tiny": {
        "depth": 3,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0, 1],
    },
    "2b": {
        "depth": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "deepstack_visual_indexes": [5, 11, 17],
    },
    "4b": {
        "depth": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "deepstack_visual_indexes": [5, 11, 17],
    },
    "8b": {"depth": 27, "hidden_size": 1152, "deepstack_visual_indexes": [8, 16, 24]},
}


def configuration(size: Size) -> Qwen3VLConfig:
    """Of Qwen3-VL at that size; the ids of control tokens are those of `tokenizer`."""
    text = {
        "vocab_size": 151936,
        "num_attention_heads": _HEADS[size],
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 262144,
        **_TEXT[size],
    }
    # Of each pair of dimensions, how many turn with time, height and width: 24, 20, 20 of 64.
    pairs = text["head_dim"] // 2
    sections = [pairs - 2 * (pairs * 5 // 16), pairs * 5 // 16, pairs * 5 // 16]
    text["rope_parameters"] = {
        "rope_type": "default",
        "rope_theta": 5_000_000.0,
        "mrope_section": sections,
    }
    ids = {token: text["vocab_size"] - len(CONTROL) + n for n, token in enumerate(CONTROL)}
    return Qwen3VLConfig(
        text_config=text,
        vision_config={"out_hidden_size": text["hidden_size"], **_VISION[size]},
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=size in ("2b", "4b"),
    )


def tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """Every byte a token, control tokens last, what lies between never used for a text."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {letter: n for n, letter in enumerate(letters)}
    words |= {f"w{n}": n for n in range(len(letters), vocabulary - len(CONTROL))}
    words |= {token: vocabulary - len(CONTROL) + n for n, token in enumerate(CONTROL)}
    plain = Tokenizer(tokenizing.BPE(vocab=words, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    plain.add_special_tokens([AddedToken(token, special=True) for token in CONTROL])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers' own
        tokenizer_object=plain,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=TEMPLATE,
    )


def image_processor() -> Qwen2VLImageProcessorPil:
    """Qwen3-VL's: patches of 16 pixels, four to a token."""
    return Qwen2VLImageProcessorPil(
        patch_size=16,
        merge_size=2,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
        size={"shortest_edge": 65536, "longest_edge": 16777216},
    )


def checkpoint(
    size: Size,
    device: str = "cpu",
    *,
    seed: int = 0,
    spread: float | None = None,
    dtype: torch.dtype | None = None,
) -> Checkpoint:
    """A model on the device: by default bfloat16 on CUDA, float32 on the CPU. `spread`: of its
    weights, about zero; where tiny, wide enough that each next token clearly wins."""
    config = configuration(size)
    torch.manual_seed(seed)
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(  # type: ignore[no-untyped-call]  # likewise
            config,
            dtype=dtype or dtype_of(device),
            attn_implementation=ATTENTION,
        )
    spread = spread or (0.15 if size == "tiny" else None)
    if spread is not None:
        for weight in model.parameters():
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=spread)
    words = tokenizer(config.get_text_config().vocab_size)
    model.generation_config.eos_token_id = words.convert_tokens_to_ids("<|im_end|>")
    return Checkpoint(model.eval(), words, image_processor(), f"random {size} Qwen3-VL")


def save(made: Checkpoint, folder: Path) -> Path:
    """As a folder that `reasoning.checkpoint.load` takes."""
    for part in (made.model, made.tokenizer, made.image_processor):
        part.save_pretrained(folder)
    return folder
