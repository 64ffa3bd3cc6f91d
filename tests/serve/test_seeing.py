"""A store made without a picture model, served by the deployments of a profile that has one; tiny
checkpoints stand in for its models."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from memory.embedder import HashEmbedder
from memory.records import Query
from memory.store import Store
from perception.perceiver import LocalPerceiver
from serve import deployments
from serve.settings import Settings
from tests.memory.picturing import opened, remember
from tests.perception import tiny_models

pytestmark = pytest.mark.unit


class Perception:
    """The Perception deployment as the handle that Memory has: each call is a batch of one."""

    def __init__(self, replica: Any) -> None:
        self._replica = replica
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        handle = self

        class Response:
            def __init__(self, given: Any) -> None:
                self._given = given

            def result(self, timeout_s: float) -> Any:
                handle.calls.append(name)
                method = getattr(type(handle._replica), name)
                batched = getattr(method, "__wrapped__", None)
                if batched is None:
                    return asyncio.run(method(handle._replica, self._given))
                return asyncio.run(batched(handle._replica, [self._given]))[0]

        class Method:
            remote = Response

        return Method


@pytest.fixture
def _without_other_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployments, "load_perceiver", lambda settings: LocalPerceiver.fake())
    monkeypatch.setattr(deployments, "keep_trimmed", lambda: None)
    monkeypatch.setattr(deployments, "rehearse_store", lambda: None)
    monkeypatch.setattr(
        deployments,
        "open_store",
        lambda settings, pictures=None: Store(settings.store, HashEmbedder(), pictures=pictures),
    )


@pytest.mark.usefixtures("_without_other_models")
@pytest.mark.parametrize("make", [tiny_models.siglip, tiny_models.clip], ids=["siglip", "clip"])
async def test_nothing_is_lost_and_old_pictures_are_found_by_words(
    tmp_path: Path, make: Any
) -> None:
    path = tmp_path / "store"
    with opened(path) as embedded:
        digests = remember(embedded, ["red", "green", "blue"])
        before = embedded.timeline("cam")
        words = embedded.search(Query("crate 1"))
        pictures = [embedded.keyframe(moment.id) for moment in before]
    plain = Settings(
        store=path, picture_model=str(make(tmp_path / "encoder")), perception_device="cpu"
    ).plain()
    classes: Any = deployments
    perception = classes.PerceptionDeployment.func_or_class(plain)
    handle = Perception(perception)
    memory = classes.MemoryDeployment.func_or_class(plain, handle)
    await asyncio.to_thread(memory._store.encode_pictures)
    ledger = (await memory.stats()).ledger
    assert (ledger["pictures"], ledger["pictures_waiting"]) == (3, 0)
    assert await memory.timeline("cam", None, None, None) == before
    assert [await memory.keyframe(moment.id) for moment in before] == pictures
    found = await memory.search(Query("a photo of the dog"))
    assert {hit.keyframe for hit in found if hit.likeness is not None} == set(digests)
    assert (await memory.search(Query("crate 1")))[0].observation == words[0].observation
    assert set(handle.calls) == {"encode_images", "encode_texts"}
    memory.__del__()
    perception.__del__()
    with opened(path) as embedded:  # and back
        assert embedded.timeline("cam") == before
        assert embedded.search(Query("crate 1")) == words
