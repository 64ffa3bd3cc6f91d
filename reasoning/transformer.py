"""A vision-language model of transformers as a generator: notes and pictures in, text out.

Pictures are decoded and cut into patches in threads of their own, several at once; the rest is the
engine's. `checkpoint.py` loads, `encoded.py` sees, `kv.py` keeps keys and values, `engine.py`
batches.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from tokenizers.decoders import DecodeStream

from reasoning.chat import Turn, turn
from reasoning.checkpoint import Checkpoint, load
from reasoning.encoded import Prepared, VisionTower
from reasoning.engine import Engine, Placed, Request
from reasoning.errors import GenerationFailed, ModelUnusable, PictureUnusable
from reasoning.generator import Capabilities
from reasoning.pictures import Picture
from reasoning.prompt import Prompt

log = logging.getLogger("lookback.reasoning")

_AROUND = 1024  # tokens of instructions, a long question, and what a chat template adds
_ANSWER = 256


class TransformersGenerator:
    """`rows` answers at once, each over at most `visual_tokens` of pictures and `text_tokens` of
    notes. A picture takes at most `picture_tokens`: 512 show a keyframe of 960 x 540 as it is.
    Encoded pictures are kept in `cache_bytes` of the device. Raises ModelUnusable."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        rows: int = 4,
        visual_tokens: int = 4096,
        text_tokens: int = 1024,
        picture_tokens: int = 512,
        cache_bytes: int = 1_000_000_000,
    ) -> None:
        self.capabilities = Capabilities(visual_tokens, text_tokens)
        self._tokenizer = checkpoint.tokenizer
        self._image_token = int(checkpoint.model.config.image_token_id)
        most = min(picture_tokens, visual_tokens or picture_tokens)
        self.tower = VisionTower(checkpoint, most, cache_bytes)
        capacity = visual_tokens + text_tokens + _AROUND + _ANSWER
        try:
            self.engine = Engine(checkpoint, self.tower, rows=rows, capacity=capacity)
        except torch.OutOfMemoryError as error:
            raise ModelUnusable(
                f"{checkpoint.name} fits into GPU memory, but not the keys and values of {rows} "
                f"answers of {capacity} tokens: ask for fewer or shorter ones"
            ) from error

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        device: str | None = None,
        four_bit: bool = False,
        rows: int = 4,
        visual_tokens: int = 4096,
        text_tokens: int = 1024,
        cache_bytes: int = 1_000_000_000,
    ) -> TransformersGenerator:
        """From a folder of weights; a minute for 16 GB. Raises ModelUnusable."""
        checkpoint = load(path, device=device, four_bit=four_bit)
        return cls(
            checkpoint,
            rows=rows,
            visual_tokens=visual_tokens,
            text_tokens=text_tokens,
            cache_bytes=cache_bytes,
        )

    def close(self) -> None:
        """Ends every answer, and the model's thread; forgets encoded pictures. The weights go with
        the last reference to them."""
        self.engine.close()
        self.tower.cache.clear()

    def count(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def picture_tokens(self, picture: Picture) -> int:
        return self.tower.tokens(picture)

    async def warm(self) -> None:
        """Evaluate the constant beginning of every prompt, and see a first picture: what a GPU
        chooses or compiles for either is there then."""
        shown = Prompt((), "", pictures=(Picture(_grey(), "now", live=True),))
        for prompt in (shown, Prompt((), "")) if self.capabilities.sees else (Prompt((), ""),):
            async for _ in self.stream(prompt, 2):
                pass

    async def stream(self, prompt: Prompt, max_tokens: int) -> AsyncGenerator[str, None]:
        prompt, prepared = await self._prepared(prompt)
        loop = asyncio.get_running_loop()
        tokens: asyncio.Queue[int | Exception | None] = asyncio.Queue()

        def put(token: int | Exception | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop closed: nobody waits any more
                loop.call_soon_threadsafe(tokens.put_nowait, token)

        ids, placed = self._tokens(turn(prompt), prepared)
        request = Request(ids, placed, max_tokens, put)
        self.engine.submit(request)
        # Bytes of a letter that is not whole yet wait for the rest of it.
        decoding = DecodeStream(skip_special_tokens=True)
        backend = self._tokenizer.backend_tokenizer
        try:
            while (token := await tokens.get()) is not None:
                if isinstance(token, Exception):
                    raise token
                if text := decoding.step(backend, token):
                    yield text
        finally:
            request.cancelled.set()

    async def _prepared(self, prompt: Prompt) -> tuple[Prompt, list[Prepared]]:
        """The prompt with the pictures that can be shown, and those cut into patches."""
        done = await asyncio.gather(
            *(asyncio.to_thread(self.tower.prepare, p) for p in prompt.pictures),
            return_exceptions=True,
        )
        shown: list[Picture] = []
        by_key: dict[str, Prepared] = {}
        refused: PictureUnusable | None = None
        for picture, result in zip(prompt.pictures, done, strict=True):
            if isinstance(result, PictureUnusable):
                refused = result
                log.warning("a picture is left out: %s", result)
            elif isinstance(result, BaseException):
                raise result
            else:
                shown.append(picture)
                by_key[picture.digest] = result
        if refused is not None and not shown:
            raise GenerationFailed(str(refused))
        prompt = replace(prompt, pictures=tuple(shown))
        return prompt, [by_key[p.digest] for p in turn(prompt).pictures]

    def _tokens(self, asked: Turn, prepared: list[Prepared]) -> tuple[list[int], list[Placed]]:
        """The conversation as tokens, each picture's placeholder as often as it has tokens."""
        text = self._tokenizer.apply_chat_template(
            replace(asked, parts=tuple(map(self._plain, asked.parts))).messages(),
            tokenize=False,
            add_generation_prompt=True,
        )
        ids: list[int] = []
        placed: list[Placed] = []
        left = iter(prepared)
        for token in self._tokenizer(text + asked.begun, add_special_tokens=False)["input_ids"]:
            if token != self._image_token:
                ids.append(token)
                continue
            picture = next(left)
            placed.append(Placed(len(ids), picture))
            ids += [token] * picture.tokens
        return ids, placed

    def _plain(self, part: str | Picture) -> str | Picture:
        """A text in which no token of the model's own can be written: what somebody said or showed
        must not end a turn."""
        if isinstance(part, str):
            for token in self._tokenizer.get_added_vocab():
                if token in part:
                    part = part.replace(token, f"{token[0]} {token[1:]}")
        return part


def _grey() -> bytes:
    """A picture of a keyframe's size."""
    written = io.BytesIO()
    Image.new("RGB", (640, 360), (128, 128, 128)).save(written, "WEBP")
    return written.getvalue()
