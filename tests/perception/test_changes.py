from __future__ import annotations

import numpy as np
import pytest

from perception.changes import ChangeDetector, LookAt, SceneCut
from perception.records import Image
from tests.perception.conftest import slide, texture

pytestmark = pytest.mark.unit
STEP = 0.25


def watch(pictures: list[Image]) -> list[SceneCut | LookAt]:
    detector = ChangeDetector()
    return [
        event
        for index, picture in enumerate(pictures)
        for event in detector.watch(index * STEP, picture)
    ]


def noisy(image: Image, seed: int, level: int = 4) -> Image:
    noise = np.random.default_rng(seed).integers(-level, level + 1, image.shape)
    return np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8)


def readings(events: list[SceneCut | LookAt]) -> list[LookAt]:
    return [e for e in events if isinstance(e, LookAt) and e.read]


def test_a_still_picture_is_looked_at_once_whatever_the_sensor_noise() -> None:
    room = texture(1, 960, 540)
    events = watch([noisy(room, seed) for seed in range(80)])
    assert [type(e) for e in events] == [SceneCut, LookAt]


def test_another_picture_is_another_scene() -> None:
    events = watch([texture(1)] * 12 + [texture(2)] * 12 + [texture(3)] * 12)
    assert [e.time for e in events if isinstance(e, SceneCut)] == [0.0, 3.0, 6.0]


def test_a_slide_shown_for_two_seconds_is_read_once() -> None:
    room = texture(1, 960, 540)
    events = watch([room] * 20 + [slide(["Quarterly review", "Friday 9:15"])] * 8 + [room] * 20)
    during = [e for e in readings(events) if 5.0 <= e.time < 7.0]
    assert len(during) == 1


def test_text_appearing_within_a_still_scene_is_read_within_a_second_and_a_half() -> None:
    wall = np.full((540, 960, 3), 225, np.uint8)
    note = wall.copy()
    note[60:300, 100:600] = slide(["Gate B 17", "boarding 18:45"], 500, 240)
    events = watch([wall] * 40 + [note] * 20)
    found = [e for e in readings(events) if e.time >= 10.0]
    assert found[0].time - 10.0 <= 1.0
    assert found[0].since == pytest.approx(10.0)
    assert len(found) == 1


def test_a_person_moving_before_a_wall_is_not_read_again_and_again() -> None:
    wall = texture(4, 960, 540)
    pictures = []
    for index in range(80):
        picture = wall.copy()
        left = 100 + 8 * index
        picture[120:540, left : left + 150] = texture(9, 150, 420)
        pictures.append(picture)
    assert len(readings(watch(pictures))) <= 3


def test_a_change_of_exposure_is_no_change() -> None:
    room = texture(1, 960, 540)
    brighter = np.clip(room.astype(int) * 1 + 8, 0, 255).astype(np.uint8)
    events = watch([room] * 10 + [brighter] * 10)
    assert len([e for e in events if isinstance(e, SceneCut)]) == 1


def test_slides_that_follow_each_other_are_each_read() -> None:
    decks = [
        slide([f"Part {n} of the plan", f"Owner: team {n * 7}", f"Due 1{n} May"]) for n in range(6)
    ]
    events = watch([picture for picture in decks for _ in range(12)])
    times = [e.time for e in readings(events)]
    for number in range(6):
        assert any(number * 3 <= t < number * 3 + 1.5 for t in times)
