"""A tiny Qwen3-VL with random weights, pictures to show it, and what its own `generate` says."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image

from reasoning.chat import turn
from reasoning.checkpoint import Checkpoint
from reasoning.pictures import Picture
from reasoning.prompt import Prompt
from reasoning.transformer import TransformersGenerator

MOST = 10  # tokens
NOTE = 'heard Ines: "The kettle is in the pantry."'


def picture(seed: int, width: int = 320, height: int = 200, form: str = "WEBP") -> bytes:
    """A few coloured squares, other ones for each seed."""
    squares = np.random.default_rng(seed).integers(0, 255, (8, 10, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(squares).resize((width, height)).save(written, form)
    return written.getvalue()


def remembered(seed: int, when: str = "at 00:10") -> Picture:
    return Picture(picture(seed), when)


def live(seed: int, when: str = "at 02:00") -> Picture:
    return Picture(picture(seed), when, live=True)


def asked(question: str, *pictures: Picture, opening: str = "") -> Prompt:
    return Prompt((NOTE,), question, opening, pictures)


async def said(generator: TransformersGenerator, prompt: Prompt, most: int = MOST) -> str:
    return "".join([piece async for piece in generator.stream(prompt, most)]).rstrip("�")


def plain(checkpoint: Checkpoint, prompt: Prompt, pixels: int, most: int = MOST) -> str:
    """The control: everything encoded anew, through the library's own loop."""
    spoken = turn(prompt)
    tokenizer, processor = checkpoint.tokenizer, checkpoint.image_processor
    text = tokenizer.apply_chat_template(
        spoken.messages(), tokenize=False, add_generation_prompt=True
    )
    inputs: dict[str, torch.Tensor] = {}
    images = [Image.open(io.BytesIO(p.encoded)).convert("RGB") for p in spoken.pictures]
    if images:
        size = {"shortest_edge": pixels // 4, "longest_edge": pixels}
        cut = processor(images=images, size=size, return_tensors="pt")
        inputs = {name: cut[name] for name in ("pixel_values", "image_grid_thw")}
        for grid in inputs["image_grid_thw"]:
            pads = "<|image_pad|>" * int(grid.prod() // processor.merge_size**2)
            text = text.replace("<|vision_start|><|image_pad|>", f"<|vision_start|><PADS>{pads}", 1)
        text = text.replace("<PADS>", "")
    ids = tokenizer(text + spoken.begun, return_tensors="pt", add_special_tokens=False)
    kinds = (ids["input_ids"] == checkpoint.model.config.image_token_id).int()
    with torch.inference_mode():
        given = checkpoint.model.generate(
            input_ids=ids["input_ids"],
            attention_mask=ids["attention_mask"],
            mm_token_type_ids=kinds,
            max_new_tokens=most,
            do_sample=False,
            **inputs,
        )
    new = given[0, ids["input_ids"].shape[1] :]
    # A letter whose bytes are not whole is not given.
    return str(tokenizer.decode(new, skip_special_tokens=True)).rstrip("�")
