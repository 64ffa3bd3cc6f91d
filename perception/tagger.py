"""Tags: what a frame shows, by EfficientNet-Lite0 on ImageNet-1k, with everyday categories on top.

ImageNet tells 120 breeds of dog apart and knows no "dog". So the probabilities of the labels of a
category (`labels.tsv`) are summed: a picture spread over ten breeds is surely of a dog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

import models
from perception.records import Image, Tag

SIDE = 224  # px, the network's input
LABELS = 1000
LABEL_FLOOR = 0.05  # tags below these are not worth their bytes
CATEGORY_FLOOR = 0.15
LABEL_SAID = 0.35  # tags below these are kept, but not put into words
CATEGORY_SAID = 0.4
MOST_SAID = 5
UNSAID = frozenset({"animal"})  # implied by its parts; only searched for


class Tagger(Protocol):
    """Blocking."""

    def tag(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]: ...


class EfficientNetTagger:
    """EfficientNet-Lite0 on torch. Sees the whole frame and its middle square, and averages.

    Args:
        cpu_threads: cores of each call. torch knows one such number for the whole process.
    """

    def __init__(self, *, device: str = "cpu", cpu_threads: int = 1) -> None:
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        torch.set_num_threads(cpu_threads)
        self._torch: Any = torch
        self._device = device
        network: Any = EfficientNet.from_name("efficientnet-lite0")
        weights = torch.load(models.locate("efficientnet-lite0"), weights_only=True)
        network.load_state_dict(weights)
        self._network = network.eval().to(device).to(memory_format=torch.channels_last)

    def tag(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]:
        """Labels and categories above their floors, the most probable first."""
        if not images:
            return []
        batch = np.stack([view for image in images for view in _views(image)])
        with self._torch.inference_mode():
            inputs = self._torch.from_numpy(batch).permute(0, 3, 1, 2).to(self._device)
            outputs = self._torch.softmax(self._network(inputs), dim=1).cpu().numpy()
        return [tags(pair.mean(axis=0)) for pair in outputs.reshape(len(images), -1, LABELS)]


class BrightnessTagger:
    """The fake: "bright" or "dark", by the mean of the image."""

    def tag(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]:
        return [(Tag("bright" if image.mean() > 127 else "dark", 0.9),) for image in images]


def tags(probabilities: npt.NDArray[np.float32]) -> tuple[Tag, ...]:
    """Labels and summed categories of one frame. `probabilities`: 1000, summing to 1."""
    labels, categories = vocabulary()
    found = [
        Tag(labels[i], round(float(probabilities[i]), 3))
        for i in np.flatnonzero(probabilities >= LABEL_FLOOR)
    ]
    for name, members in categories.items():
        total = min(1.0, float(probabilities[members].sum()))
        if total >= CATEGORY_FLOOR:
            found.append(Tag(name, round(total, 3)))
    merged: dict[str, float] = {}
    for tag in found:
        merged[tag.label] = max(tag.probability, merged.get(tag.label, 0.0))
    ranked = sorted(merged.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Tag(label, probability) for label, probability in ranked)


def together(looks: Sequence[Sequence[Tag]]) -> tuple[Tag, ...]:
    """The tags of a scene: what it shows throughout, or showed clearly once."""
    seen: dict[str, list[float]] = {}
    for look in looks:
        for tag in look:
            seen.setdefault(tag.label, []).append(tag.probability)
    scores = {
        label: round(max(sum(values) / len(looks), 0.8 * max(values)), 3)
        for label, values in seen.items()
    }
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Tag(label, score) for label, score in ranked[:12])


def in_words(found: Sequence[Tag], faces: int | None) -> str:
    """A short English line of the surest tags and the faces; empty when nothing is sure."""
    _, categories = vocabulary()
    said = [
        tag.label
        for tag in found
        if tag.label not in UNSAID
        and tag.probability >= (CATEGORY_SAID if tag.label in categories else LABEL_SAID)
    ][:MOST_SAID]
    if faces:
        said.append("1 person, face seen" if faces == 1 else f"{faces} people, faces seen")
    return ", ".join(said)


@lru_cache(maxsize=1)
def vocabulary() -> tuple[tuple[str, ...], Mapping[str, npt.NDArray[np.intp]]]:
    """The labels in output order, and each category's indices, from `labels.tsv`."""
    text = files("perception").joinpath("labels.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    members: dict[str, list[int]] = {}
    for index, _, names in rows:
        for name in filter(None, names.split(";")):
            members.setdefault(name, []).append(int(index))
    categories = {name: np.asarray(indices, np.intp) for name, indices in members.items()}
    return tuple(row[1] for row in rows), categories


def _views(image: Image) -> list[npt.NDArray[np.float32]]:
    """The whole frame and its middle square, 224 x 224 x 3, scaled as the network was trained."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = image[top : top + side, left : left + side]
    return [
        (cv2.resize(view, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) - 127)
        / 128
        for view in (image, middle)
    ]
