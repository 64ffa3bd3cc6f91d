"""What is asked of the product's generator, its tokens a second, and the library's own `generate`.

The model has the real architecture and random weights: what it says means nothing, how long it takes
does not depend on that.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from PIL import Image

from bench.gpu_floor import Peak, fastest, milliseconds, of_prompt, of_step, synchronize
from bench.gpu_parts import Rows
from reasoning.chat import turn
from reasoning.checkpoint import Checkpoint
from reasoning.pictures import Picture
from reasoning.prompt import Prompt
from reasoning.transformer import TransformersGenerator

LIVE = 4  # frames of now that come with each question
DIFFERENT = 16  # pictures that look different
NOTE = 'heard Ines: "The spare key of the boat house hangs behind the map of the harbour."'


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large and how often things are measured."""

    picture: tuple[int, int]  # width and height
    picture_tokens: int
    counts: tuple[int, ...]  # pictures of a prompt
    note_tokens: int
    rows: int
    answer_tokens: int
    tries: int


class Pictures:
    """Pictures as memory keeps them (WebP), each new to whoever remembers pictures by their bytes: a
    few are made, and a number is put behind each, where decoders do not look."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._made = [_encoded(size, seed) for seed in range(DIFFERENT)]
        self._taken = 0

    def take(self, count: int, live: bool = False) -> tuple[Picture, ...]:
        self._taken += count
        numbers = range(self._taken - count, self._taken)
        return tuple(
            Picture(self._made[n % DIFFERENT] + n.to_bytes(8, "big"), "at 00:10", live)
            for n in numbers
        )


def _encoded(size: tuple[int, int], seed: int) -> bytes:
    squares = np.random.default_rng(seed).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(squares).resize(size).save(written, "WEBP")
    return written.getvalue()


@dataclass(frozen=True, slots=True)
class First:
    """Seconds to a first token, the pictures that went through the vision tower for it, and the
    positions that went through the language model."""

    seconds: float
    encoded: int
    computed: int


class Answers:
    """A generator and what is asked of it."""

    def __init__(self, checkpoint: Checkpoint, sizes: Sizes) -> None:
        self.checkpoint, self.sizes = checkpoint, sizes
        most = max(sizes.counts)
        self.generator = TransformersGenerator(
            checkpoint,
            rows=sizes.rows,
            visual_tokens=most * sizes.picture_tokens,
            text_tokens=sizes.note_tokens,
            picture_tokens=sizes.picture_tokens,
        )
        self.pictures = Pictures(sizes.picture)
        lines = max(1, sizes.note_tokens // self.generator.count(NOTE))
        self.notes = tuple(f"{number} {NOTE}" for number in range(lines))

    def prompt(self, pictures: Sequence[Picture], question: str) -> Prompt:
        return Prompt(self.notes, question, pictures=tuple(pictures))

    async def first(self, prompt: Prompt) -> First:
        """To the first token; the rest is not waited for."""
        counts, cache = self.generator.engine.counts, self.generator.tower.cache
        encoded, computed = cache.encoded, counts.prompt_tokens - counts.reused_tokens
        began = time.perf_counter()
        async with aclosing(cast(Any, self.generator.stream(prompt, 4))) as pieces:
            async for _ in pieces:
                break
        took = time.perf_counter() - began
        computed = counts.prompt_tokens - counts.reused_tokens - computed
        return First(took, cache.encoded - encoded, computed)

    async def forget(self, pictures: bool) -> None:
        """What was kept is gone: keys and values and, if asked, encoded pictures."""
        rows = self.generator.engine.rows
        # An answer that was left ends with the model's next step; until then its row keeps all.
        while any(row.busy for row in rows.rows):  # noqa: ASYNC110 - its thread sets no event
            await asyncio.sleep(0.001)
        rows.forget()
        if pictures:
            self.generator.tower.cache.clear()


def positions_of(answers: Answers, count: int) -> tuple[int, int]:
    """Positions of a prompt with so many pictures, and patches of a picture."""
    generator = answers.generator
    each = generator.picture_tokens(Picture(_encoded(answers.sizes.picture, 0), "at 00:10"))
    text = turn(answers.prompt((), "What is this?"))
    words = sum(generator.count(part) for part in text.parts if isinstance(part, str))
    merged = answers.checkpoint.image_processor.merge_size**2
    return words + count * each, each * merged


async def speeds(answers: Answers, at_once: Sequence[int], peak: Peak | None) -> Rows:
    """Tokens a second while so many answers are written at once."""
    generator, model = answers.generator, answers.checkpoint.model
    for count in at_once:
        shown = answers.pictures.take(LIVE)
        prompts = [answers.prompt(shown, f"What is in drawer {n}?") for n in range(count)]
        for prompt in prompts:  # each prompt's keys and values are there: writing is measured
            await answers.first(prompt)
        counts = generator.engine.counts
        tokens, steps, began = counts.tokens, counts.steps, time.perf_counter()
        await asyncio.gather(*(_whole(answers, prompt) for prompt in prompts))
        took = time.perf_counter() - began
        given, passes = counts.tokens - tokens, max(1, counts.steps - steps)
        positions, _ = positions_of(answers, LIVE)
        step = of_step(model, count, positions)
        yield {
            "answers at once": count,
            "tokens/s": round(given / took, 1),
            "tokens/s each": round(given / took / count, 1),
            "answers a pass": round(given / passes, 2),
            "floor tokens/s": round(count / step.seconds(peak), 1) if peak else None,
        }


async def _whole(answers: Answers, prompt: Prompt) -> int:
    return len([p async for p in answers.generator.stream(prompt, answers.sizes.answer_tokens)])


async def control(answers: Answers, peak: Peak | None) -> Rows:
    """The library's own `generate` on the last four frames and the same notes, everything anew: what
    one would write first."""
    times, whole = [], []
    most = answers.sizes.answer_tokens
    for _ in range(answers.sizes.tries + 1):
        times.append(_generate(answers, answers.pictures.take(LIVE, live=True), 1))
        whole.append(_generate(answers, answers.pictures.take(LIVE, live=True), most))
        await asyncio.sleep(0)  # where a time limit takes hold
    first, rest = statistics.median(times[1:]), statistics.median(whole[1:])
    tokens, patches = positions_of(answers, LIVE)
    yield {
        "control": "generate on the last 4 frames",
        "first token p50 ms": round(first * 1e3, 1),
        "floor ms": milliseconds(of_prompt(answers.checkpoint.model, tokens, LIVE, patches), peak),
        "tokens/s": round((most - 1) / max(rest - first, 1e-9), 1),
    }


async def pictures(answers: Answers, peak: Peak | None) -> Rows:
    """Pictures encoded for the language model, by the tower alone."""
    tower, model = answers.generator.tower, answers.checkpoint.model
    for count in (1, 4, 8):
        began = time.perf_counter()
        prepared = [tower.prepare(p) for p in answers.pictures.take(count)]
        cut = time.perf_counter() - began

        def encode(prepared: Any = prepared) -> None:
            tower.cache.clear()
            with torch.inference_mode():
                tower.features(prepared)

        took = fastest(encode, answers.checkpoint.device, 3)
        tokens = sum(p.tokens for p in prepared)
        patches = prepared[0].tokens * answers.checkpoint.image_processor.merge_size**2
        yield {
            "pictures": count,
            "picture-tokens/s": round(tokens / took, 1),
            "ms": round(took * 1e3, 2),
            "floor ms": milliseconds(of_prompt(model, 0, count, patches), peak),
            "decode and cut, ms each on a core": round(cut / count * 1e3, 2),
        }
        await asyncio.sleep(0)


def _generate(answers: Answers, pictures: Sequence[Picture], most: int) -> float:
    model, tokenizer = answers.checkpoint.model, answers.checkpoint.tokenizer
    processor, device = answers.checkpoint.image_processor, answers.checkpoint.device
    pixels = answers.sizes.picture_tokens * answers.checkpoint.patch**2
    spoken = turn(answers.prompt(pictures, "What is this?"))
    began = time.perf_counter()
    images = [Image.open(io.BytesIO(p.encoded)).convert("RGB") for p in spoken.pictures]
    size = {"shortest_edge": pixels // 4, "longest_edge": pixels}
    cut = processor(images=images, size=size, return_tensors="pt")
    text = tokenizer.apply_chat_template(
        spoken.messages(), tokenize=False, add_generation_prompt=True
    )
    image = tokenizer.convert_ids_to_tokens(model.config.image_token_id)
    pieces = text.split(image)
    pads = [image * int(g.prod() // processor.merge_size**2) for g in cut["image_grid_thw"]]
    filled = "".join(p + q for p, q in zip(pieces, [*pads, ""], strict=True))
    ids = tokenizer(filled, return_tensors="pt", add_special_tokens=False).to(device)
    with torch.inference_mode():
        model.generate(
            input_ids=ids["input_ids"],
            attention_mask=ids["attention_mask"],
            mm_token_type_ids=(ids["input_ids"] == model.config.image_token_id).int(),
            pixel_values=cut["pixel_values"].to(device),
            image_grid_thw=cut["image_grid_thw"].to(device),
            max_new_tokens=most,
            min_new_tokens=most,
            do_sample=False,
        )
    synchronize(device)
    return time.perf_counter() - began
