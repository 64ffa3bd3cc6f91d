"""Every test runs away from the user's settings, weights cache and network."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    # LOOKBACK_CACHE stays: joining 1.1 GB anew in each run would test nothing more.
    for name in os.environ:
        if name.startswith("LOOKBACK_") and name != "LOOKBACK_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _no_store_left_open() -> Iterator[None]:
    """Its upkeep would go on through the tests that follow."""
    before = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - before
    assert not {thread.name for thread in left if thread.name in ("memory-upkeep", "memory-writer")}


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty weights cache for one test."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("LOOKBACK_CACHE", str(cache))
    return cache


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real server for the whole session: starting Ray and the models takes half a minute. A
    test that writes to it forgets its streams, or names them as no other does."""
    store = tmp_path_factory.mktemp("server") / "store"
    with Server(store, LOOKBACK_ICE_HOST_ADDRESSES="127.0.0.1") as one:
        yield one


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A loopback port that something listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])
