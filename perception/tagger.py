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
MEAN, SCALE = np.float32(127), np.float32(128)  # of its input values
LABELS = 1000
LABEL_FLOOR = 0.05  # tags below these are not worth their bytes
CATEGORY_FLOOR = 0.15
LABEL_SAID = 0.4  # tags below these are kept, but not put into words
CATEGORY_SAID = 0.42
MOST_SAID = 5
SURE_ONCE = 0.9  # what one view or one look is worth, when others do not see the same
UNSURE = "a scene in which nothing is recognised for sure"
UNSAID = frozenset({"animal"})  # implied by its parts; only searched for


class Tagger(Protocol):
    """Blocking."""

    def tag(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]:
        """The tags of each image (uint8 RGB), the most probable first."""
        ...


class EfficientNetTagger:
    """EfficientNet-Lite0 on torch. Sees the whole frame and a square at either end of it.

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
        self._network = network.eval().to(device)

    def tag(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]:
        """Labels and categories above their floors, the most probable first."""
        if not images:
            return []
        batch = np.stack([view for image in images for view in _views(image)])
        with self._torch.inference_mode():
            inputs = self._torch.from_numpy(batch).permute(0, 3, 1, 2).to(self._device)
            outputs = self._torch.softmax(self._network(inputs), dim=1).cpu().numpy()
        return [tags(seen) for seen in outputs.reshape(len(images), -1, LABELS)]


class BrightnessTagger:
    """The fake: "bright" or "dark", by the mean of the image."""

    def tag(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]:
        """The tags of each image (uint8 RGB), the most probable first."""
        return [(Tag("bright" if image.mean() > 127 else "dark", 0.9),) for image in images]


def tags(probabilities: npt.NDArray[np.float32]) -> tuple[Tag, ...]:
    """Labels of one frame by its mean view, and summed categories by its mean or surest view.

    Args:
        probabilities: views x 1000, each view summing to 1.
    """
    labels, categories = vocabulary()
    single = probabilities.mean(axis=0)
    found = [
        Tag(labels[i], round(float(single[i]), 3)) for i in np.flatnonzero(single >= LABEL_FLOOR)
    ]
    for name, members in categories.items():
        total = min(1.0, float(_over_views(probabilities[:, members].sum(axis=1))))
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
        label: round(max(sum(values) / len(looks), SURE_ONCE * max(values)), 3)
        for label, values in seen.items()
    }
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Tag(label, score) for label, score in ranked[:12])


def in_words(found: Sequence[Tag], faces: int | None) -> str:
    """A short English line of the surest tags and the faces."""
    _, categories = vocabulary()
    said = [
        tag.label
        for tag in found
        if tag.label not in UNSAID
        and tag.probability >= (CATEGORY_SAID if tag.label in categories else LABEL_SAID)
    ][:MOST_SAID]
    if faces:
        said.append("1 person, face seen" if faces == 1 else f"{faces} people, faces seen")
    return ", ".join(said) or UNSURE


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


def _over_views(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    mean, surest = probabilities.mean(axis=0), probabilities.max(axis=0)
    return np.asarray(np.maximum(mean, SURE_ONCE * surest), np.float32)


def _views(image: Image) -> list[npt.NDArray[np.float32]]:
    """The whole frame and the square at either end, 224 x 224 x 3, scaled as in training."""
    side = min(image.shape[:2])
    return [
        np.asarray((cv2.resize(view, (SIDE, SIDE), interpolation=cv2.INTER_AREA) - MEAN) / SCALE)
        for view in (image, image[:side, :side], image[-side:, -side:])
    ]
