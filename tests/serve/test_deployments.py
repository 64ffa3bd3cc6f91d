"""The deployments' own share, without Ray: whether they are well, and who goes first."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ray.serve.exceptions import BackPressureError

from memory.embedder import HashEmbedder
from memory.errors import WriteFailed
from memory.store import Store
from serve import deployments, reporting
from serve.errors import Stuck, Unavailable
from serve.remote import RECENT, Part
from serve.settings import Settings
from serve.work import LONGEST, Work
from tests.memory.storing import moment, stream
from tests.serve.parts import FakeHandle

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        deployments,
        "open_store",
        lambda settings, pictures=None: Store(settings.store, HashEmbedder()),
    )
    monkeypatch.setattr(deployments, "keep_trimmed", lambda: None)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def memory_deployment(plain: dict[str, Any]) -> Any:
    undecorated: Any = deployments.MemoryDeployment
    return undecorated.func_or_class(plain)


def broken_disk(*_: object) -> None:
    raise OSError(errno.EIO, "I/O error")


async def test_a_memory_that_can_no_longer_write_is_unwell_until_it_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed flush everything written was refused while /healthz stayed green."""
    plain = Settings(store=tmp_path).plain()
    memory = memory_deployment(plain)
    await memory.check_health()
    with monkeypatch.context() as broken:
        broken.setattr("memory.durable.sync_file", broken_disk)
        with pytest.raises(WriteFailed):
            await memory.remember(stream(), [moment(0)], {})
    with pytest.raises(WriteFailed):
        await memory.check_health()
    assert not await Part("Memory", FakeHandle(ping=memory.ping)).alive()
    memory.__del__()
    again = memory_deployment(plain)
    await again.check_health()
    await again.remember(stream(), [moment(0)], {})
    again.__del__()


async def test_a_memory_waits_for_the_one_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray Serve starts the next replica while the one before still shuts down."""
    before = Store(tmp_path, HashEmbedder())
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        before.close()

    clock = SimpleNamespace(monotonic=time.monotonic, sleep=wait)
    monkeypatch.setattr(reporting, "time", clock)
    memory = memory_deployment(Settings(store=tmp_path).plain())
    assert len(waited) == 1
    memory.__del__()


def test_a_call_that_gives_no_sign_of_life_is_found_out() -> None:
    clock = Clock()
    work = Work(clock)
    with work.call() as went_on:
        clock.now = LONGEST
        went_on()
        clock.now += LONGEST
        work.check()
        clock.now += 1
        with pytest.raises(Stuck, match=f"{LONGEST + 1:.0f} s"):
            work.check()
    work.check()


async def test_a_part_with_its_hands_full_is_not_taken_for_gone() -> None:
    clock = Clock()

    async def full() -> float:
        raise BackPressureError(num_queued_requests=8, max_queued_requests=8)

    async def answer() -> str:
        return "the drawer"

    part = Part("Reasoning", FakeHandle(ping=full, answer=answer), clock)
    assert not await part.alive()  # it never answered anything
    await part.call("answer")
    assert await part.alive()
    clock.now += RECENT
    assert not await part.alive()


async def test_a_part_that_is_gone_is_unavailable() -> None:
    from ray.exceptions import RayActorError

    async def gone() -> Any:
        raise RayActorError

    with pytest.raises(Unavailable, match="Memory"):
        await Part("Memory", FakeHandle(stats=gone)).call("stats")


class Recording:
    """A perceiver whose recognitions wait to be let on, each for itself; keeps their order."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, str]] = []
        self.threads = asyncio.Semaphore(0)

    def warm(self) -> None:
        return

    def close(self) -> None:
        return

    async def recognize(self, audio: Any, effort: str) -> str:
        self.begun.append((len(audio), effort))
        async with asyncio.timeout(30):
            await self.threads.acquire()
        return f"{len(audio)} samples"


async def test_what_was_said_to_the_agent_is_recognised_before_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a batch an utterance waited for all others; none of them was sooner done for it."""
    models = Recording()
    monkeypatch.setattr(deployments, "load_perceiver", lambda settings: models)
    undecorated: Any = deployments.PerceptionDeployment
    perception = undecorated.func_or_class(Settings(store=tmp_path, threads=1).plain())
    waits = [
        (np.zeros(1), "full"),  # at once: there is room
        (np.zeros(2), "draft"),
        (np.zeros(3), "full"),
        (np.zeros(4), "draft"),
        (np.zeros(5), "live"),
        (np.zeros(6), "live"),
    ]
    calls = [asyncio.create_task(perception.recognize(*one)) for one in waits]
    await asyncio.sleep(0)
    calls[1].cancel()
    for _ in range(5):
        models.threads.release()
    said = await asyncio.gather(*calls, return_exceptions=True)
    assert [size for size, _ in models.begun] == [1, 5, 6, 3, 4]
    assert said[5] == "6 samples"
    assert isinstance(said[1], asyncio.CancelledError)
    models.threads.release()
    assert await perception.recognize(np.zeros(7), "full") == "7 samples"  # no room was lost


async def test_streams_of_answers_share_one_handle() -> None:
    """Each handle made for streaming may bring a router, which polls the controller for ever."""
    handle = FakeHandle(answer=_two_words)
    part = Part("Reasoning", handle)
    for _ in range(3):
        assert [word async for word in part.stream("answer")] == ["the", "drawer"]
    assert handle.copies == 1


async def _two_words() -> AsyncGenerator[str, None]:
    yield "the"
    yield "drawer"
