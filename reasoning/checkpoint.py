"""A vision-language model of transformers, loaded: weights, tokenizer, image processor.

Taken are models whose pictures come as grids of patches (`image_grid_thw`) and whose layers all
attend to everything before them: Qwen2-VL, Qwen2.5-VL, Qwen3-VL and others built like them. Others
answer through an endpoint. torchvision is not needed: without it, pictures are prepared by PIL.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoTokenizer,
)

from reasoning.errors import ModelUnusable

# PyTorch's own, which runs its FlashAttention kernel where a pass has no mask. The flash-attn package
# is not used: given one row, it takes positions that do not rise by one each (those of pictures) for
# several texts packed into it (transformers, `_is_packed_sequence`), and keeps them from each other.
ATTENTION = "sdpa"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model in evaluation mode on its device, and what prepares its input."""

    model: Any
    tokenizer: Any
    image_processor: Any
    name: str = "the language model"

    @property
    def device(self) -> torch.device:
        return torch.device(self.model.device)

    @property
    def patch(self) -> int:
        """Pixels of the side of what becomes one token."""
        return int(self.image_processor.patch_size * self.image_processor.merge_size)


def load(path: Path, *, device: str | None = None, four_bit: bool = False) -> Checkpoint:
    """From a folder of Hugging Face form. bfloat16 on CUDA, float32 on the CPU. Raises ModelUnusable
    with one line."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if not path.is_dir():
        raise ModelUnusable(f"language model {path} is not a folder")
    options: dict[str, Any] = {
        "dtype": torch.bfloat16 if device.startswith("cuda") else torch.float32,
        "attn_implementation": ATTENTION,
        "local_files_only": True,
    }
    if four_bit:
        options["quantization_config"] = _four_bit(device)
    elif importlib.util.find_spec("accelerate") is not None:
        options["device_map"] = {"": device}  # straight there, not through this machine's memory
    try:
        check(AutoConfig.from_pretrained(path, local_files_only=True), str(path))
        model: Any = AutoModelForImageTextToText.from_pretrained(path, **options)
        if "device_map" not in options and not four_bit:
            model = model.to(device)
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        processor = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]  # transformers' own
            path, local_files_only=True, backend=_pictures_by()
        )
    except torch.OutOfMemoryError as error:
        raise ModelUnusable(
            f"language model {path} needs more GPU memory than is free ({_free(device)}): "
            "use a smaller one, 4-bit weights, or give it a larger share"
        ) from error
    except ModelUnusable:
        raise
    except Exception as error:  # each file format of a checkpoint has errors of its own
        raise ModelUnusable(f"language model {path} does not load: {first_line(error)}") from error
    if tokenizer.chat_template is None:
        tokenizer.chat_template = _template(path)
    return Checkpoint(model.eval(), tokenizer, processor, str(path))


def check(config: Any, name: str) -> None:
    """Raises ModelUnusable for a model that is not of the kind taken here, and says why."""
    text = config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ()) - {"full_attention"}
    if kinds or getattr(text, "sliding_window", None) and getattr(text, "use_sliding_window", True):
        kept = ", ".join(sorted(kinds)) or "sliding windows"
        raise ModelUnusable(
            f"language model {name} keeps more than keys and values of every position ({kept}): "
            "serve it through an endpoint"
        )
    if getattr(config, "image_token_id", None) is None or not hasattr(config, "vision_config"):
        raise ModelUnusable(
            f"language model {name} ({config.model_type}) takes no pictures as patches: "
            "serve it through an endpoint"
        )


def first_line(error: Exception) -> str:
    """An error in one line."""
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__


def _four_bit(device: str) -> Any:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelUnusable(
            "4-bit weights need the package bitsandbytes, which is not installed: "
            "pip install bitsandbytes, or turn answer_four_bit off"
        )
    if not device.startswith("cuda"):
        raise ModelUnusable("4-bit weights need a CUDA device: turn answer_four_bit off")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]  # transformers' own
        load_in_4bit=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        bnb_4bit_quant_type="nf4",
    )


def _pictures_by() -> str:
    return "torchvision" if importlib.util.find_spec("torchvision") is not None else "pil"


def _template(path: Path) -> str:
    """The chat template, where a checkpoint keeps it beside its tokenizer."""
    file = path / "chat_template.json"
    if not file.is_file():
        raise ModelUnusable(f"language model {path} has no chat template: it is no chat model")
    return str(json.loads(file.read_text())["chat_template"])


def _free(device: str) -> str:
    if not device.startswith("cuda"):
        return "none is asked for"
    free, total = torch.cuda.mem_get_info(device)
    return f"{free / 1e9:.1f} of {total / 1e9:.1f} GB"
