"""The real network on drawn pictures."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from perception import Image
from perception.tagger import EfficientNetTagger, in_words, together
from tests.perception.conftest import plain, texture

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def tagger() -> EfficientNetTagger:
    return EfficientNetTagger()


def said(tagger: EfficientNetTagger, *pictures: Image) -> list[str]:
    return [in_words(together([found]), None) for found in tagger.tag(pictures)]


def clock(x: int, y: int, radius: int) -> Image:
    """A round clock on a wall."""
    picture = np.full((360, 640, 3), (205, 200, 190), np.uint8)
    cv2.circle(picture, (x, y), radius, (250, 250, 250), -1, cv2.LINE_AA)
    cv2.circle(picture, (x, y), radius, (30, 30, 30), max(2, radius // 15), cv2.LINE_AA)

    def at(hour: float, share: float) -> tuple[int, int]:
        angle = math.pi * hour / 6
        return (
            round(x + share * radius * math.sin(angle)),
            round(y - share * radius * math.cos(angle)),
        )

    for hour in range(12):
        cv2.line(picture, at(hour, 0.8), at(hour, 0.92), (20, 20, 20), max(1, radius // 30), 16)
        left, base = at(hour, 0.65)
        size = radius / 200
        origin = (round(left - 17 * size), round(base + 13 * size))
        cv2.putText(picture, str(hour or 12), origin, 0, size, (20, 20, 20), 1, cv2.LINE_AA)
    cv2.line(picture, (x, y), at(1.9, 0.45), (20, 20, 20), max(2, radius // 20), cv2.LINE_AA)
    cv2.line(picture, (x, y), at(11.6, 0.7), (20, 20, 20), max(1, radius // 30), cv2.LINE_AA)
    return picture


def test_a_clock_is_seen_near_and_far(tagger: EfficientNetTagger) -> None:
    for words in said(tagger, clock(320, 180, 120), clock(520, 110, 60)):
        assert "clock" in words


@pytest.mark.parametrize("level", [0, 45, 128, 255])
def test_nothing_is_said_of_an_empty_picture(tagger: EfficientNetTagger, level: int) -> None:
    assert tagger.tag([plain(level, 640, 360)]) == [()]


def test_nothing_is_said_of_blotches_and_noise(tagger: EfficientNetTagger) -> None:
    noise = np.random.default_rng(0).normal(90, 20, (360, 640, 1)).repeat(3, axis=2)
    pictures = [texture(seed, 640, 360) for seed in range(3)]
    pictures.append(np.clip(noise, 0, 255).astype(np.uint8))
    assert said(tagger, *pictures) == [""] * 4


def test_pictures_with_and_without_views_keep_their_order(tagger: EfficientNetTagger) -> None:
    words = said(tagger, plain(9), clock(320, 180, 120), plain(200), texture(1, 640, 360))
    assert [bool(text) for text in words] == [False, True, False, False]
    assert tagger.tag([]) == []
