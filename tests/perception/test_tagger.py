"""What is said of a picture and where it is looked at closer, on pictures and numbers made here."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from perception import Image, Tag
from perception.moments import Cut, MomentBuilder, Output, SeenObservation
from perception.perceiver import Look
from perception.regions import Square, is_plain, squares
from perception.tagger import as_common, in_words, tags, together, vocabulary, weights
from tests.perception.conftest import plain, texture

pytestmark = pytest.mark.unit


def table(width: int = 640, height: int = 360) -> Image:
    """A light wall above a dark table whose edge is not quite level."""
    picture = np.full((height, width, 3), (225, 222, 215), np.uint8)
    corners = np.array(
        [(0, height * 0.65), (width, height * 0.67), (width, height), (0, height)], np.int32
    )
    cv2.fillPoly(picture, [corners], (70, 62, 55))
    return picture


def with_disc(picture: Image, x: int, y: int, radius: int = 32) -> Image:
    return np.asarray(cv2.circle(picture.copy(), (x, y), radius, (205, 70, 30), -1), np.uint8)


def holds(square: Square, x: int, y: int, radius: int = 32) -> bool:
    return (
        square.left <= x - radius
        and square.top <= y - radius
        and square.left + square.side >= x + radius
        and square.top + square.side >= y + radius
    )


@pytest.mark.parametrize("x", [60, 200, 420, 580])
def test_a_small_thing_across_the_edge_of_a_table_gets_a_square(x: int) -> None:
    (square,) = squares(with_disc(table(), x, 232))
    assert holds(square, x, 232)
    assert square.side < 140


def test_two_things_get_a_square_each_the_larger_first() -> None:
    first, second = squares(with_disc(with_disc(table(), 150, 225), 450, 225, 44))
    assert holds(first, 450, 225, 44)
    assert holds(second, 150, 225)


def test_in_an_upright_picture_too_and_within_it() -> None:
    picture = with_disc(table(360, 640), 330, 420, 28)
    (square,) = squares(picture)
    assert square.of(picture).shape == (square.side, square.side, 3)
    assert square.left + square.side <= 360


@pytest.mark.parametrize(
    "picture",
    [
        plain(120),
        table(),
        texture(4, 640, 360),
        np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8),
    ],
    ids=["plain", "table", "blotches", "noise"],
)
def test_where_nothing_stands_out_there_is_no_square(picture: Image) -> None:
    assert squares(picture) == []


def test_a_line_is_no_thing() -> None:
    picture = cv2.line(plain(90, 640, 360), (0, 300), (640, 40), (250, 250, 250), 6)
    assert squares(np.asarray(picture, np.uint8)) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (7, 11)])
def test_pictures_of_any_size_can_be_searched(size: tuple[int, int]) -> None:
    width, height = size
    assert squares(plain(80, width, height)) == []
    assert is_plain(plain(80, width, height))


def test_a_covered_lens_is_plain_and_a_thing_on_a_table_is_not() -> None:
    dark = np.clip(np.random.default_rng(1).normal(12, 2, (360, 640, 3)), 0, 255).astype(np.uint8)
    assert is_plain(dark)
    assert not is_plain(with_disc(table(), 200, 230))


def view(**probabilities: float) -> npt.NDArray[np.float32]:
    """One view with these labels' probabilities, the rest of it spread over everything."""
    labels, _ = vocabulary()
    rest = 1 - sum(probabilities.values())
    seen = np.full(1000, rest / 1000, np.float32)
    for name, probability in probabilities.items():
        seen[labels.index(name.replace("_", " "))] += probability
    return seen


def sure(*views: npt.NDArray[np.float32]) -> list[str]:
    return [tag.label for tag in together([tags(as_common(np.stack(views)))])]


def test_every_class_has_a_name_and_a_weight() -> None:
    labels, categories = vocabulary()
    assert len(labels) == len(weights()) == 1000
    assert weights().min() > 0
    assert "zebra" not in {labels[i] for i in categories["horse"]}


def test_what_is_rare_before_cameras_needs_more_certainty() -> None:
    assert sure(view(mop=0.55)) == []
    assert "mop" in sure(view(mop=0.97))
    assert "bottle" in sure(view(water_bottle=0.3, soda_bottle=0.25))


def test_a_spread_over_everything_says_nothing() -> None:
    assert sure(view(), view(), view()) == []


def test_what_one_of_three_views_shows_clearly_is_said() -> None:
    assert {"broccoli", "vegetable", "food"} <= set(sure(view(), view(broccoli=0.7), view()))


def test_of_several_looks_only_what_is_sure_is_kept() -> None:
    looks = [(Tag("lake", 0.95), Tag("alp", 0.3)), (Tag("alp", 0.4), Tag("yurt", 0.5))]
    assert [tag.label for tag in together(looks)] == ["lake"]


@pytest.mark.parametrize(
    ("faces", "words"), [(1, "1 person, face seen"), (3, "3 people, faces seen")]
)
def test_faces_are_said_and_can_be_found_as_persons(faces: int, words: str) -> None:
    found = together([(Tag("person", 0.7),)], faces)
    assert {"person", "face"} == {tag.label for tag in found}
    assert in_words(found, faces) == words


def looked_at(*looks: tuple[Tag, ...], faces: int | None = None) -> list[Output]:
    """What a scene gives that is looked at once a second, and over after that."""
    builder = MomentBuilder("s", lambda text: "statement")
    given = list(builder.scene(0.0))
    for second, seen in enumerate(looks):
        look = Look(seen, faces, ())
        given += builder.look(second + 0.25, look, plain(90), read=False, since=0.0, sharpness=5.0)
    given += builder.finish(len(looks) + 2.0)
    return given


def test_a_scene_in_which_nothing_is_sure_is_a_picture_without_words() -> None:
    (cut,) = looked_at((Tag("mop", 0.4),), ())
    assert isinstance(cut, Cut)
    assert cut.moment.observations == ()
    assert cut.picture is not None


def test_a_scene_is_told_once_something_is_sure() -> None:
    given = looked_at((), (Tag("lake", 0.9),), (Tag("lake", 0.9),))
    assert [type(output) for output in given] == [SeenObservation, Cut]
    assert isinstance(given[0], SeenObservation)
    assert given[0].observation.text == "lake"


def test_faces_alone_are_worth_words() -> None:
    given = looked_at((), faces=2)
    texts = [o.text for g in given if isinstance(g, Cut) for o in g.moment.observations]
    assert texts == ["2 people, faces seen"]
