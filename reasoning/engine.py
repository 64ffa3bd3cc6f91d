"""Many answers from one model at once: continuous batching over rows of keys and values.

One thread owns the model. It takes requests as they come, evaluates their prompts in pieces, and
between two pieces gives every answer under way its next token, all in one pass. A request goes on
from what a row already holds of its beginning, and a picture whose keys and values are there is not
even looked up. Tokens are chosen greedily.

transformers' own continuous batching takes texts only (`ContinuousBatchingManager`, 5.23).
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from reasoning.checkpoint import Checkpoint, first_line
from reasoning.encoded import Prepared, VisionTower
from reasoning.errors import GenerationFailed
from reasoning.kv import Held, Row, Rows

log = logging.getLogger("lookback.reasoning")

PIECE = 1024  # positions of a prompt evaluated at once: what other answers wait for, at most


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture of a prompt, and the positions it takes."""

    start: int
    prepared: Prepared

    @property
    def end(self) -> int:
        return self.start + self.prepared.tokens


@dataclass(slots=True, eq=False)
class Request:
    """A prompt as tokens, with its pictures' places. `put` is called from the model's thread: with
    each token, then with None, or with the error that ended it. `cancelled` ends it in silence."""

    ids: list[int]
    pictures: Sequence[Placed]
    max_tokens: int
    put: Callable[[int | Exception | None], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    # Of the engine, from here on.
    held: Held = field(default_factory=lambda: np.empty(0, np.int64))
    positions: torch.Tensor | None = None  # 3 x tokens where positions are of time, height, width
    ahead: int = 0  # by how much a position is ahead of its place, after the prompt
    row: Row | None = None
    done: int = 0  # positions evaluated
    given: int = 0  # tokens
    last: int = 0


@dataclass(slots=True)
class Counts:
    """What the engine has done since it started."""

    requests: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0  # of prompts: their keys and values were there
    tokens: int = 0
    steps: int = 0  # passes that gave tokens; tokens / steps is how many answers shared one
    out_of_memory: int = 0


class Engine:
    """Serves requests until closed. `rows`: answers at once; `capacity`: positions of each."""

    def __init__(
        self, checkpoint: Checkpoint, tower: VisionTower, *, rows: int, capacity: int
    ) -> None:
        self._model, self._tower = checkpoint.model, tower
        self._device = checkpoint.device
        text = self._model.config.get_text_config()
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        like = self._model.get_input_embeddings().weight
        self.rows = Rows(rows, capacity, text.num_hidden_layers, heads, width, like)
        self._ends = _ends(checkpoint)
        self.counts = Counts()
        self._coming: queue.Queue[Request | None] = queue.Queue()
        self._waiting: deque[Request] = deque()
        self._reading: deque[Request] = deque()  # their prompts are being evaluated
        self._writing: list[Request] = []
        self._closed = False
        self._submitting = threading.Lock()  # nothing is put behind what closing leaves
        self.thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self.thread.start()

    @property
    def longest(self) -> int:
        """Positions that a prompt and its answer may take together."""
        return self.rows.capacity - 1

    def submit(self, request: Request) -> None:
        """Raises GenerationFailed where the prompt is too long, or the engine is closed."""
        if len(request.ids) + request.max_tokens > self.longest:
            raise GenerationFailed(
                f"the prompt has {len(request.ids)} tokens, {self.longest - request.max_tokens} fit"
            )
        with self._submitting:
            if self._closed:
                raise GenerationFailed("the language model was closed")
            self._coming.put(request)

    def close(self) -> None:
        """Ends what is under way."""
        with self._submitting:
            self._closed = True
            self._coming.put(None)
        self.thread.join(timeout=30)

    @torch.inference_mode()
    def _run(self) -> None:
        while not self._closed:
            self._take(block=not (self._waiting or self._reading or self._writing))
            self._drop_cancelled()
            while self._waiting:
                first = self._waiting[0]
                if not self._guarded(partial(self._admit, first), [first]):
                    break
            if self._reading:
                self._guarded(self._read_piece, [self._reading[0]])
            if self._writing:
                self._guarded(self._write_step, list(self._writing))
        while not self._coming.empty():  # what came while it was being closed
            self._take(block=False)
        for request in (*self._waiting, *self._reading, *self._writing):
            request.put(GenerationFailed("the language model was closed"))

    def _take(self, block: bool) -> None:
        while True:
            try:
                request = self._coming.get(block=block)
            except queue.Empty:
                return
            if request is None:
                return
            block = False
            self._waiting.append(request)

    def _drop_cancelled(self) -> None:
        for group in (self._waiting, self._reading, self._writing):
            for request in [r for r in group if r.cancelled.is_set()]:
                self._end(request, None)

    def _admit(self, request: Request) -> bool:
        """Gives the request a row, if one is free."""
        if not len(request.held):
            self._place(request)
        taken = self.rows.take(request.held)
        if taken is None:
            return False
        self._waiting.popleft()
        request.row, request.done = taken
        for placed in request.pictures:
            if placed.start < request.done < placed.end:
                request.done = placed.start
        self.counts.requests += 1
        self.counts.prompt_tokens += len(request.ids)
        self.counts.reused_tokens += request.done
        self._reading.append(request)
        return True

    def _guarded(self, work: Callable[[], bool], concerned: list[Request]) -> bool:
        """Does a piece of work; False where there is none. Out of memory ends what asked for most,
        anything else all that is concerned; the others go on."""
        try:
            return work()
        except torch.OutOfMemoryError:
            self.counts.out_of_memory += 1
            largest = max(concerned, key=lambda request: request.done)
            self._end(largest, GenerationFailed("the GPU has no memory left for this answer"))
            self._tower.cache.clear()
            self.rows.forget()
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            log.warning("out of GPU memory: one answer ended, encoded pictures dropped")
        except Exception as error:  # noqa: BLE001 - one request must not take the thread with it
            log.exception("generation failed")
            for request in concerned:
                self._end(request, GenerationFailed(first_line(error)))
        return True

    def _end(self, request: Request, with_: Exception | None) -> None:
        for group in (self._waiting, self._reading, self._writing):
            if request in group:
                group.remove(request)
        if request.row is not None:
            row, request.row = request.row, None
            row.busy = False
            # What it wrote is not kept: no prompt goes on from an answer.
            row.held = request.held[: min(request.done, len(request.held))]
        request.put(with_)

    def _place(self, request: Request) -> None:
        """What each position holds, and where it is in time, height and width."""
        held = np.asarray(request.ids, dtype=np.int64)
        for placed in request.pictures:
            base = int(placed.prepared.key[:15], 16)  # 60 bits of a hash: never a token's number
            held[placed.start : placed.end] = -1 - base - np.arange(placed.prepared.tokens)
        request.held = held
        if not hasattr(self._model.model, "get_rope_index"):
            return
        kinds = torch.zeros((1, len(held)), dtype=torch.int32)
        for placed in request.pictures:
            kinds[0, placed.start : placed.end] = 1
        grids = torch.tensor([placed.prepared.grid for placed in request.pictures])
        found, ahead = self._model.model.get_rope_index(
            torch.tensor([request.ids]),
            mm_token_type_ids=kinds,
            image_grid_thw=grids if len(grids) else None,
        )
        request.positions, request.ahead = found[:, 0].to(self._device), int(ahead)

    def _read_piece(self) -> bool:
        """The next piece of the oldest prompt; after its last piece, the first token."""
        request = self._reading[0]
        assert request.row is not None
        start, end = request.done, _piece_end(request)
        seen = [p for p in request.pictures if start <= p.start and p.end <= end]
        given: dict[str, Any] = {}
        if seen:
            features = self._tower.features([p.prepared for p in seen])
            given["mm_encoder_outputs"] = {"image": self._tower.output(features)}
        if request.positions is not None:
            given["position_ids"] = request.positions[:, None, start:end]
        logits = self._model(
            input_ids=torch.tensor([request.ids[start:end]], device=self._device),
            past_key_values=self.rows.one(request.row, start, end),
            use_cache=True,
            logits_to_keep=1,
            **given,
        ).logits
        request.done = end
        if end == len(request.ids):
            request.row.held = request.held
            self._reading.popleft()
            self._writing.append(request)
            self._give(request, int(logits[0, -1].argmax()))
        return True

    def _write_step(self) -> bool:
        """One more token for every answer."""
        lengths = {r.row.index: r.done for r in self._writing if r.row is not None}
        cache, mask, count = self.rows.all(lengths)
        ids = torch.zeros((count, 1), dtype=torch.long)
        positions = torch.zeros((count, 1), dtype=torch.long)
        mrope = False
        for request in self._writing:
            assert request.row is not None
            ids[request.row.index] = request.last
            positions[request.row.index] = request.done + request.ahead
            mrope = request.positions is not None
        positions = positions.to(self._device)
        logits = self._model(
            input_ids=ids.to(self._device),
            position_ids=positions.expand(3, -1, -1) if mrope else positions,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        chosen = logits[:, -1].argmax(-1).tolist()
        self.counts.steps += 1
        for request in list(self._writing):
            assert request.row is not None
            request.done += 1
            self._give(request, chosen[request.row.index])
        return True

    def _give(self, request: Request, token: int) -> None:
        request.last, request.given = token, request.given + 1
        self.counts.tokens += 1
        ended = token in self._ends
        if not ended:
            request.put(token)
        if ended or request.given >= request.max_tokens:
            self._end(request, None)


def _piece_end(request: Request) -> int:
    """Where the next piece ends: never inside a picture, never past the prompt."""
    end = min(request.done + PIECE, len(request.ids))
    for placed in request.pictures:
        if placed.start < end < placed.end:
            return placed.start if placed.start > request.done else placed.end
    return end


def _ends(checkpoint: Checkpoint) -> frozenset[int]:
    """The tokens that end an answer."""
    said = getattr(checkpoint.model.generation_config, "eos_token_id", None)
    ends = set(said if isinstance(said, list) else [said]) | {checkpoint.tokenizer.eos_token_id}
    return frozenset(int(token) for token in ends if token is not None)
