"""Readers of memory beside its writer, without Ray: who answers what, and how fresh it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memory.embedder import HashEmbedder
from memory.errors import MomentNotFound, StoreLocked, StoreReadOnly
from memory.records import Query, Selection
from memory.replica import ReadOnlyStore
from memory.store import Store
from serve import reading
from serve.application import build
from serve.errors import Unavailable
from serve.remote import READS, SharedMemory, memory_of
from serve.services import InProcessMemory
from serve.settings import Settings
from tests.memory.storing import moment, stream
from tests.serve.parts import FakeHandle

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        reading,
        "open_reader",
        lambda settings: ReadOnlyStore(settings.store, HashEmbedder(), looks=None),
    )
    monkeypatch.setattr(reading, "keep_trimmed", lambda: None)


class Parts:
    """A writer and a reader as handles, with what each was asked."""

    def __init__(self, path: Path) -> None:
        self.writer = Store(path, HashEmbedder())
        undecorated: Any = reading.MemoryReaderDeployment
        self.reader = undecorated.func_or_class(Settings(store=path).plain())
        self.wrote: list[str] = []
        self.read: list[str] = []
        here = InProcessMemory(lambda: self.writer)
        calls = {
            name: self._noted(name, here) for name in (*READS, "remember", "forget", "snapshot")
        }
        self.handles = FakeHandle(**calls), FakeHandle(read=self._read)
        self.memory = memory_of(*self.handles)

    def _noted(self, name: str, here: InProcessMemory) -> Any:
        async def call(*arguments: Any) -> Any:
            self.wrote.append(name)
            return await getattr(here, name)(*arguments)

        return call

    async def _read(self, method: str, arguments: Any, version: int) -> Any:
        self.read.append(method)
        return await self.reader.read(method, arguments, version)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path)
    yield made
    made.reader.__del__()
    made.writer.close()


async def test_writes_go_to_the_writer_and_reads_to_a_reader_that_has_seen_them(
    parts: Parts,
) -> None:
    await parts.memory.remember(stream(), [moment(0)], {})
    assert await parts.memory.timeline("cam") == [moment(0)]
    await parts.memory.remember(stream(), [moment(1)], {})
    hits = await parts.memory.search(Query("crate 1 part 2"))
    assert hits[0].moment_id == moment(1).id
    await parts.memory.forget(Selection(moment_ids=(moment(0).id,)))
    assert await parts.memory.timeline("cam") == [moment(1)]
    with pytest.raises(MomentNotFound):
        await parts.memory.moment(moment(0).id)
    assert parts.wrote == ["remember", "remember", "forget"]
    assert parts.read == ["timeline", "search", "timeline", "moment"]


async def test_a_reader_that_is_behind_leaves_the_answer_to_the_writer(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CATCHES_UP", 0.0)
    monkeypatch.setattr(parts.reader._store, "follow", lambda: False)
    await parts.memory.remember(stream(), [moment(0)], {})
    assert await parts.memory.timeline("cam") == [moment(0)]
    assert parts.wrote == ["remember", "timeline"]


async def test_a_reader_only_reads(parts: Parts) -> None:
    for method in ("remember", "forget", "pin", "close", "_seal"):
        with pytest.raises(Unavailable, match="not for a reader"):
            await parts.reader.read(method, (), 0)
    with pytest.raises(StoreReadOnly):
        parts.reader._store.pin([moment(0).id])


def test_a_folder_takes_one_writer_and_any_number_of_readers(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder()) as writer:
        with (
            ReadOnlyStore(tmp_path, HashEmbedder(), looks=None) as one,
            ReadOnlyStore(tmp_path, HashEmbedder(), looks=None) as other,
        ):
            writer.remember(stream(), [moment(0)], {})
            for reader in (one, other):
                assert reader.follow()
                assert not reader.follow()
                assert reader.timeline("cam") == [moment(0)]
                assert reader.stats().moments == 1
        with pytest.raises(StoreLocked):
            Store(tmp_path, HashEmbedder())


def test_the_application_has_readers_when_it_is_told_so(tmp_path: Path) -> None:
    names: list[str] = []

    def walk(node: Any) -> None:
        names.append(node._bound_deployment.name)
        for argument in node._bound_deployment.init_args:
            if hasattr(argument, "_bound_deployment"):
                walk(argument)

    walk(build({"store": str(tmp_path)}))
    assert "MemoryReader" not in names
    names.clear()
    application: Any = build({"store": str(tmp_path), "memory_readers": 3})
    walk(application)
    assert names.count("MemoryReader") == 2  # the gateway's and reasoning's are one
    assert isinstance(memory_of(FakeHandle(), FakeHandle()), SharedMemory)
