"""Encoded pictures: what the vision tower makes of each, kept under a bound, oldest use out first.

A picture is known by the SHA-256 of its bytes and the size it is looked at in, so a keyframe that
was encoded once is not encoded again while it is kept. With Qwen3-VL one holds, beside its tokens,
the features that go into the first layers of the language model (DeepStack, arXiv 2406.04334): four
vectors a token, 7 MB for a keyframe of 220 tokens in bfloat16 at a width of 4096.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from reasoning.checkpoint import Checkpoint
from reasoning.pictures import Picture, fit, fitted


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture as the vision tower takes it; `pixels` (patches x values) None where its features
    are there already. `grid`: patches in time, height and width."""

    key: str
    picture: Picture
    grid: tuple[int, int, int]
    tokens: int
    pixels: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Features:
    """`tokens` x width, and the same for each layer that features go into."""

    grid: tuple[int, int, int]
    pooled: torch.Tensor
    deep: tuple[torch.Tensor, ...] = ()

    @property
    def bytes(self) -> int:
        return self.pooled.nbytes + sum(part.nbytes for part in self.deep)


class PictureCache:
    """Features by key, at most `limit` bytes of them. For any thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.encoded = 0  # pictures that went through the vision tower
        self.reused = 0  # pictures that did not have to
        self._kept: OrderedDict[str, Features] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return key in self._kept

    def get(self, key: str) -> Features | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: str, features: Features) -> None:
        with self._lock:
            self._forget(key)
            self._kept[key] = features
            self.bytes += features.bytes
            while self.bytes > self.limit and self._kept:
                self._forget(next(iter(self._kept)))

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self.bytes = 0

    def _forget(self, key: str) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self.bytes -= gone.bytes


class VisionTower:
    """The part of a checkpoint that sees. `most_tokens`: of one picture; larger ones are made
    smaller."""

    def __init__(self, checkpoint: Checkpoint, most_tokens: int, cache_bytes: int) -> None:
        self._checkpoint = checkpoint
        self._processor = checkpoint.image_processor
        size = self._processor.size
        self.most_pixels = most_tokens * checkpoint.patch**2
        # In pixels of the whole picture. A small one is made larger, by less than would take it
        # past the most once its sides are rounded.
        self.size = {
            "shortest_edge": min(int(size["shortest_edge"]), self.most_pixels // 4),
            "longest_edge": min(int(size["longest_edge"]), self.most_pixels),
        }
        self._output: Any = None  # the class of what the vision tower returns
        self.cache = PictureCache(cache_bytes)

    def tokens(self, picture: Picture) -> int:
        """How many it becomes, from its header alone. Raises PictureUnusable."""
        width, height = fitted(picture.size, self.most_pixels)
        return self._patches(width, height)

    def _patches(self, width: int, height: int) -> int:
        count = self._processor.get_number_of_image_patches(
            height,
            width,
            {"min_pixels": self.size["shortest_edge"], "max_pixels": self.size["longest_edge"]},
        )
        return int(count) // int(self._processor.merge_size) ** 2

    def prepare(self, picture: Picture) -> Prepared:
        """Decoded, resized and cut into patches, unless its features are kept. For any thread.
        Raises PictureUnusable."""
        key = f"{picture.digest}:{self.most_pixels}"
        kept = self.cache.get(key)
        if kept is None:
            return self._cut(key, picture)
        return Prepared(key, picture, kept.grid, len(kept.pooled))

    def features(self, prepared: Sequence[Prepared]) -> list[Features]:
        """Of each, encoded together where they are not kept. For the model's thread."""
        found = [self.cache.get(p.key) for p in prepared]
        missing = {p.key: p for p, kept in zip(prepared, found, strict=True) if kept is None}
        encoded = self._encode(list(missing.values())) if missing else {}
        self.cache.reused += len(prepared) - len(missing)
        return [
            kept if kept is not None else encoded[p.key]
            for p, kept in zip(prepared, found, strict=True)
        ]

    def output(self, features: Sequence[Features]) -> Any:
        """What the model takes instead of pixels (`mm_encoder_outputs["image"]`)."""
        given = {"pooler_output": tuple(f.pooled for f in features)}
        if features[0].deep:
            layers = range(len(features[0].deep))
            given["deepstack_features"] = [tuple(f.deep[n] for f in features) for n in layers]  # type: ignore[assignment]  # one list among tuples
        return self._output(**given)

    def _cut(self, key: str, picture: Picture) -> Prepared:
        image = fit(picture, self.most_pixels)
        cut = self._processor(images=[image], size=self.size, return_tensors="pt")
        time, height, width = (int(n) for n in cut["image_grid_thw"][0])
        tokens = time * height * width // int(self._processor.merge_size) ** 2
        return Prepared(key, picture, (time, height, width), tokens, cut["pixel_values"])

    def _encode(self, pictures: Sequence[Prepared]) -> dict[str, Features]:
        whole = [p if p.pixels is not None else self._cut(p.key, p.picture) for p in pictures]
        device = self._checkpoint.device
        pixels = torch.cat([p.pixels for p in whole if p.pixels is not None]).to(device)
        grids = torch.tensor([p.grid for p in whole], device=device)
        seen = self._checkpoint.model.get_image_features(
            pixel_values=pixels, image_grid_thw=grids, return_dict=True
        )
        self._output = type(seen)
        deep = getattr(seen, "deepstack_features", None) or []
        encoded = {}
        for n, prepared in enumerate(whole):
            # Clones: a slice would keep the features of all that were encoded with it.
            features = Features(
                prepared.grid,
                seen.pooler_output[n].clone(),
                tuple(layer[n].clone() for layer in deep),
            )
            encoded[prepared.key] = features
            self.cache.put(prepared.key, features)
        self.cache.encoded += len(whole)
        return encoded
