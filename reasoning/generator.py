"""The language model: a prompt in, text out piece by piece.

`GgufGenerator` runs a GGUF file through llama.cpp (xllamacpp) in this process. A slot keeps the
keys and values of its last prompt, so a prompt costs only what follows the beginning it shares
with that: prompts start with the same examples, and `warm` evaluates those once. There are two
slots, one for answers and one for what is judged before them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import secrets
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from reasoning.chat import turn
from reasoning.completions import messages
from reasoning.errors import GenerationFailed, ModelUnusable
from reasoning.pictures import Picture, fitted
from reasoning.prompt import PREFIX, Prompt

log = logging.getLogger(__name__)

_CHARS_PER_TOKEN = 3.3  # of Qwen2.5 over the short lines prompts are made of; rounds up
_SLOTS = 2  # the request takes the one whose last prompt began as it does
_CONTEXT = 2048  # tokens of a slot
# Tokens evaluated between two looks at whether the request still stands: what a dropped question
# may still cost the next one. 64 take no more CPU time a token than 256 do, 32 take an eighth more.
_BATCH = 64
_VISUAL = 4096  # tokens of a prompt's pictures
_PICTURE = 512  # tokens of one
_LIKELIEST = 20  # tokens that are asked for where one of two is expected
_SIDE = 28  # pixels of a token's side, about


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a generator takes. `visual_tokens`: of all pictures of a prompt together, 0 where it sees
    none; `text_tokens`: of all memory lines; `continues`: whether an answer can be begun for it;
    `prepares`: whether evaluating a prompt ahead makes its answer begin sooner, and costs nobody;
    `gives_way`: it runs on cores that perception goes first on, so that its first word may be late
    on any busy machine."""

    visual_tokens: int = 0
    text_tokens: int = 160
    continues: bool = True
    prepares: bool = True
    gives_way: bool = False

    @property
    def sees(self) -> bool:
        return self.visual_tokens > 0


class Generator(Protocol):
    """Closing the iterator that `stream` returns ends generation at once. Raises GenerationFailed.

    `picture_tokens` says what a picture takes of `capabilities.visual_tokens`; it raises
    PictureUnusable for one that cannot be shown. `close` ends what is under way, and lets go of
    threads, memory and connections; once it was called nothing can be asked any more."""

    capabilities: Capabilities

    def picture_tokens(self, picture: Picture) -> int: ...
    def stream(self, prompt: Prompt, max_tokens: int) -> AsyncGenerator[str, None]: ...
    def count(self, text: str) -> int: ...
    async def warm(self) -> None: ...
    def close(self) -> None: ...


class GgufGenerator:
    """A GGUF model on the CPU. Loading takes about two seconds; raises ModelUnusable.

    A prompt is evaluated by `threads`, an answer's tokens by half of them: those wait for memory
    more than for cores. Weights are repacked for the CPU as they are loaded, a third faster, and not
    kept as a mapped file beside that. With a `projector` (mmproj), the model is shown pictures, and
    answers those prompts as a chat; without pictures a prompt is the same as without a projector.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 2,
        projector: Path | None = None,
        visual_tokens: int = _VISUAL,
    ) -> None:
        # Threads of one evaluation wait for each other at every step. Where they spin meanwhile,
        # a core that perception needs too makes two of them slower than one.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        import xllamacpp

        if not path.is_file():
            raise ModelUnusable(f"language model {path} is not a file")
        if projector is not None and not projector.is_file():
            raise ModelUnusable(f"projector {projector} is not a file")
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx, params.n_parallel = _SLOTS * _CONTEXT, _SLOTS
        params.n_batch = params.n_ubatch = _BATCH
        if projector is not None:
            params.mmproj.path = str(projector)
            params.n_ctx += _SLOTS * visual_tokens
            # Some projectors' pictures see themselves whole: one has to fit into a batch.
            params.n_batch = params.n_ubatch = _PICTURE
            params.image_max_tokens = _PICTURE
        params.cpuparams_batch.n_threads = threads
        params.cpuparams.n_threads = max(1, threads // 2)
        params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
        params.cache_ram_mib, params.n_ctx_checkpoints = 0, 0
        params.warmup, params.fit_params, params.verbosity = False, False, 0
        # The library also listens on a loopback port: nobody else knows its key.
        params.api_keys = [secrets.token_hex(32)]
        params.endpoint_slots, params.ui, params.cors_origins = False, False, ""
        try:
            self._server: Any = xllamacpp.Server(params)
        except RuntimeError as error:
            beside = f" with projector {projector}" if projector is not None else ""
            raise ModelUnusable(f"language model {path}{beside} does not load: {error}") from error
        self.timings: dict[str, Any] = {}  # of the last generation, as llama.cpp counts them
        self.capabilities = Capabilities(0 if projector is None else visual_tokens, gives_way=True)

    def close(self) -> None:
        self._server = None

    def picture_tokens(self, picture: Picture) -> int:
        """As many as a picture can take: projectors differ in how many it does."""
        width, height = fitted(picture.size, _PICTURE * _SIDE**2)
        return min(_PICTURE, -(-width // _SIDE) * -(-height // _SIDE))

    async def warm(self) -> None:
        """Evaluate the constant beginning of every prompt."""
        async for _ in self.stream(Prompt((), ""), 1):
            pass

    def count(self, text: str) -> int:
        """Tokens of a text, estimated from its length."""
        return int(len(text) / _CHARS_PER_TOKEN) + 1

    async def stream(self, prompt: Prompt, max_tokens: int) -> AsyncGenerator[str, None]:
        text = prompt.text if prompt.question else PREFIX
        request = {**_completion(text, max_tokens), "stop": ["\n"]}
        if prompt.pictures:
            request = self._chat(prompt, max_tokens)
        async with aclosing(self._chunks(request, chat=bool(prompt.pictures))) as chunks:
            async for chunk in chunks:
                self.timings = chunk.get("timings", self.timings)
                for choice in chunk.get("choices", ()):
                    if piece := choice.get("text") or (choice.get("delta") or {}).get("content"):
                        yield piece

    async def odds(self, text: str, one: str, other: str) -> float:
        """How probable it is, of the two, that the text goes on with the first: 0 to 1, a half where
        neither is among the likeliest. Raises GenerationFailed."""
        request = {**_completion(text, 1), "logprobs": _LIKELIEST}
        first = second = 0.0
        async with aclosing(self._chunks(request)) as chunks:
            async for chunk in chunks:
                for choice in chunk.get("choices", ()):
                    for token in (choice.get("logprobs") or {}).get("content") or ():
                        for told in token["top_logprobs"]:
                            word = told["token"].strip().lower()
                            first += math.exp(told["logprob"]) * (word == one)
                            second += math.exp(told["logprob"]) * (word == other)
        return first / (first + second) if first + second else 0.5

    async def _chunks(
        self, request: dict[str, Any], *, chat: bool = False
    ) -> AsyncGenerator[dict[str, Any], None]:
        """What the library tells of a request, as it comes. Raises GenerationFailed."""
        loop = asyncio.get_running_loop()
        told: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()
        cancelled = threading.Event()

        def put(chunk: dict[str, Any] | Exception | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop closed: nobody waits any more
                loop.call_soon_threadsafe(told.put_nowait, chunk)

        def receive(chunk: dict[str, Any]) -> bool:
            """Called by the library for each piece; True ends the generation."""
            if cancelled.is_set():
                return True
            if "error" in chunk:
                put(GenerationFailed(str(chunk["error"])))
                return True
            put(chunk)
            return False

        def generate() -> None:
            server = self._server
            try:
                if server is None:
                    raise GenerationFailed("the language model was closed")
                if chat:
                    server.handle_chat_completions(request, receive)
                else:
                    server.handle_completions(request, receive)
            except GenerationFailed as error:
                put(error)
            except Exception as error:  # the binding's own types are not public
                put(GenerationFailed(str(error)))
            finally:
                put(None)

        worker = threading.Thread(target=generate, name="generate", daemon=True)
        worker.start()
        try:
            while (chunk := await told.get()) is not None:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            cancelled.set()

    def _chat(self, prompt: Prompt, max_tokens: int) -> dict[str, Any]:
        """A prompt with pictures. Raises GenerationFailed where none of them opens."""
        return {
            "messages": messages(turn(prompt), _PICTURE * _SIDE**2),
            "max_tokens": max_tokens,
            "stream": True,
            "temperature": 0.0,
            "cache_prompt": True,
        }


def _completion(text: str, max_tokens: int) -> dict[str, Any]:
    return {
        "prompt": text,
        "max_tokens": max_tokens,
        "stream": True,
        "temperature": 0.0,
        "cache_prompt": True,
        # A piece after every batch of the prompt: without one, a request that was dropped
        # is noticed only at its first token.
        "return_progress": True,
    }


class ScriptedGenerator:
    """A fake that says what it is told: one answer a prompt, word by word, without what the prompt
    has it begin with; keeps the prompts."""

    def __init__(
        self, answers: Sequence[str] = (), capabilities: Capabilities | None = None
    ) -> None:
        self.capabilities = capabilities or Capabilities()
        self._answers = list(answers)
        self.prompts: list[Prompt] = []
        self.cancelled = 0
        self.warmed = False
        self.closed = False

    async def warm(self) -> None:
        self.warmed = True

    def close(self) -> None:
        self.closed = True

    def count(self, text: str) -> int:
        return len(text.split())

    def picture_tokens(self, picture: Picture) -> int:
        return 100

    async def stream(self, prompt: Prompt, max_tokens: int) -> AsyncGenerator[str, None]:
        self.prompts.append(prompt)
        answer = self._answers.pop(0) if self._answers else "I don't know."
        finished = False
        try:
            for word in answer.removeprefix(prompt.opening).split()[:max_tokens]:
                await asyncio.sleep(0)
                yield " " + word
            finished = True
        finally:
            self.cancelled += not finished
