"""Tags: what a frame shows, by EfficientNet-Lite0 on ImageNet-1k, with everyday categories on top.

ImageNet tells 120 breeds of dog apart and knows no "dog". So the probabilities of the labels of a
category (`labels.tsv`) are summed: a picture spread over ten breeds is surely of a dog. And each of
its labels is as common as any other, mop as car. So probabilities are corrected for how common
things are before cameras (label shift: Saerens et al. 2002, doi 10.1162/089976602753284446).
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
from perception.regions import is_plain, squares

SIDE = 224  # px, the network's input
MEAN, SCALE = np.float32(127), np.float32(128)  # of its input values
LABEL_FLOOR = 0.05  # tags below these are not worth their bytes
CATEGORY_FLOOR = 0.15
LABEL_SURE = 0.6  # tags of a scene below these are not believed
CATEGORY_SURE = 0.5
MOST_SAID = 5
SURE_VIEW = 0.95  # what one view is worth, when the others do not see the same ...
SURE_LOOK = 0.9  # ... and one look
UNSAID = frozenset({"animal"})  # implied by its parts; only searched for
FACE_TAGS = (Tag("person", 0.95), Tag("face", 0.95))  # of a scene with faces, to be found by


class Tagger(Protocol):
    """Blocking."""

    def tag(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]:
        """The tags of each image (uint8 RGB), the most probable first."""
        ...


class EfficientNetTagger:
    """EfficientNet-Lite0 on torch. Sees the whole frame and at most two squares of it: around what
    stands out, or else at either end. A frame in which nothing can be made out costs nothing.

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
        views = [_views(image) for image in images]
        ends = np.cumsum([len(of_one) for of_one in views])
        if not any(views):
            return [()] * len(images)
        batch = np.stack([view for of_one in views for view in of_one])
        with self._torch.inference_mode():
            inputs = self._torch.from_numpy(batch).permute(0, 3, 1, 2).to(self._device)
            outputs = self._torch.softmax(self._network(inputs), dim=1).cpu().numpy()
        seen = np.split(as_common(outputs), ends[:-1])
        return [tags(of_one) if len(of_one) else () for of_one in seen]


class BrightnessTagger:
    """The fake: "bright" or "dark", by the mean of the image."""

    def tag(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]:
        """The tags of each image (uint8 RGB), the most probable first."""
        return [(Tag("bright" if image.mean() > 127 else "dark", 0.9),) for image in images]


def as_common(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Views x 1000, corrected for how common each label is in daily life."""
    weighted = probabilities * weights()
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True), np.float32)


def tags(probabilities: npt.NDArray[np.float32]) -> tuple[Tag, ...]:
    """Labels and summed categories of one frame, each by its mean or surest view.

    Args:
        probabilities: views x 1000, each view summing to 1.
    """
    labels, categories = vocabulary()
    single = _over_views(probabilities)
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


def together(looks: Sequence[Sequence[Tag]], faces: int | None = None) -> tuple[Tag, ...]:
    """What is sure of a scene: what it shows throughout, or showed clearly once, and its faces."""
    seen: dict[str, list[float]] = {}
    for look in looks:
        for tag in look:
            seen.setdefault(tag.label, []).append(tag.probability)
    scores = {
        label: round(max(sum(values) / len(looks), SURE_LOOK * max(values)), 3)
        for label, values in seen.items()
    }
    _, categories = vocabulary()
    sure = {
        label: score
        for label, score in scores.items()
        if score >= (CATEGORY_SURE if label in categories else LABEL_SURE)
    }
    for tag in FACE_TAGS if faces else ():
        sure[tag.label] = max(tag.probability, sure.get(tag.label, 0.0))
    ranked = sorted(sure.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Tag(label, score) for label, score in ranked[:12])


def in_words(sure: Sequence[Tag], faces: int | None) -> str:
    """A short English line of the surest tags and the faces; empty where there are none."""
    unsaid = UNSAID | {tag.label for tag in FACE_TAGS} if faces else UNSAID
    said = [tag.label for tag in sure if tag.label not in unsaid][:MOST_SAID]
    if faces:
        said.append("1 person, face seen" if faces == 1 else f"{faces} people, faces seen")
    return ", ".join(said)


@lru_cache(maxsize=1)
def vocabulary() -> tuple[tuple[str, ...], Mapping[str, npt.NDArray[np.intp]]]:
    """The labels in output order, and each category's indices, from `labels.tsv`."""
    members: dict[str, list[int]] = {}
    for index, _, names, _ in _rows():
        for name in filter(None, names.split(";")):
            members.setdefault(name, []).append(int(index))
    categories = {name: np.asarray(indices, np.intp) for name, indices in members.items()}
    return tuple(label for _, label, _, _ in _rows()), categories


@lru_cache(maxsize=1)
def weights() -> npt.NDArray[np.float32]:
    """How common each label is before a camera in daily life, over how common it is in ImageNet."""
    return np.asarray([float(weight) for _, _, _, weight in _rows()], np.float32)


@lru_cache(maxsize=1)
def _rows() -> list[list[str]]:
    text = files("perception").joinpath("labels.tsv").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def _over_views(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    mean, surest = probabilities.mean(axis=0), probabilities.max(axis=0)
    return np.asarray(np.maximum(mean, SURE_VIEW * surest), np.float32)


def _views(image: Image) -> list[npt.NDArray[np.float32]]:
    """The whole frame and up to two squares, 224 x 224 x 3, scaled as in training; or none."""
    if is_plain(image):
        return []
    side = min(image.shape[:2])
    closer = [square.of(image) for square in squares(image)]
    return [
        _scaled(view) for view in (image, *(closer or (image[:side, :side], image[-side:, -side:])))
    ]


def _scaled(view: Image) -> npt.NDArray[np.float32]:
    smaller = min(view.shape[:2]) < SIDE
    how = cv2.INTER_CUBIC if smaller else cv2.INTER_AREA
    return np.asarray((cv2.resize(view, (SIDE, SIDE), interpolation=how) - MEAN) / SCALE)
