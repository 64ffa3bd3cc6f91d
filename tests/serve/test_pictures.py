"""Memory asks Perception for vectors: the same ones, in the order given, in few calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perception.pictures import ColourEncoder
from perception.records import Image
from serve import metrics
from serve.deployments import PerceptionDeployment
from serve.errors import Unavailable
from serve.pictures import IMAGES_AT_ONCE, RemoteEncoder
from serve.urgency import Urgency
from serve.work import Work

pytestmark = pytest.mark.unit


class Handle:
    """A deployment's handle: `handle.method.remote(...)` gives something with a `result`."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        self._methods = methods
        self.calls: list[int] = []

    def __getattr__(self, name: str) -> Any:
        method = self._methods[name]
        handle = self

        class Response:
            def __init__(self, given: Any) -> None:
                self._given = given

            def result(self, timeout_s: float) -> Any:
                assert timeout_s > 0
                handle.calls.append(len(self._given))
                return method(self._given)

        class Method:
            remote = Response

        return Method


def pictures(count: int) -> list[Image]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, 255, (8, 8, 3), dtype=np.uint8) for _ in range(count)]


def test_what_perception_encodes_comes_back_in_order() -> None:
    encoder = ColourEncoder()
    handle = Handle(encode_images=encoder.encode_images, encode_texts=encoder.encode_texts)
    remote = RemoteEncoder(handle, "colours")
    images = pictures(2 * IMAGES_AT_ONCE + 1)
    np.testing.assert_array_equal(remote.encode_images(images), encoder.encode_images(images))
    assert handle.calls == [IMAGES_AT_ONCE, IMAGES_AT_ONCE, 1]
    np.testing.assert_array_equal(remote.encode_texts(["red"]), encoder.encode_texts(["red"]))


def test_a_part_that_is_away_is_named() -> None:
    def gone(given: Sequence[Any]) -> Any:
        from ray.exceptions import RayActorError

        raise RayActorError

    with pytest.raises(Unavailable, match="Perception is not answering"):
        RemoteEncoder(Handle(encode_texts=gone), "colours").encode_texts(["red"])


async def test_pictures_of_several_calls_share_one_pass(tmp_path: Path) -> None:
    passes: list[int] = []

    class Noting(ColourEncoder):
        def encode_images(self, images: Sequence[Image]) -> Any:
            passes.append(len(images))
            return super().encode_images(images)

    decorated: Any = PerceptionDeployment
    replica = object.__new__(decorated.func_or_class)
    replica._pictures, replica._work = Noting(), Work()
    replica._urgency = Urgency(tmp_path / "gpu")
    given = [pictures(1), pictures(3), pictures(2)]
    found = await decorated.func_or_class.encode_images.__wrapped__(replica, given)
    assert [len(rows) for rows in found] == [1, 3, 2]
    np.testing.assert_array_equal(found[1], ColourEncoder().encode_images(given[1]))
    assert passes == [6]


def test_how_many_pictures_wait_is_a_gauge() -> None:
    metrics.store(None)
    assert b"lookback_pictures_waiting NaN" in metrics.exposition(())
