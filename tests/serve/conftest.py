"""The gateway over a real store and fake models: everything but the deployments."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import httpx
import pytest

from memory.embedder import HashEmbedder
from memory.store import Store
from perception.perceiver import LocalPerceiver
from reasoning import Agent, ScriptedGenerator
from serve.gateway import build_app
from serve.services import InProcessMemory, InProcessReasoning, Services
from serve.settings import Settings


async def healthy() -> dict[str, bool]:
    return {"perception": True, "memory": True, "reasoning": True}


def client_of(settings: Settings, store: Store, **headers: str) -> httpx.AsyncClient:
    memory = InProcessMemory(lambda: store)
    generator = ScriptedGenerator(["The remote is in the second drawer."] * 9)
    services = Services(
        perception=LocalPerceiver.fake(),
        memory=memory,
        reasoning=InProcessReasoning(lambda: Agent(memory, generator)),
        healthy=healthy,
    )
    transport = httpx.ASGITransport(build_app(services, settings), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", HashEmbedder()) as opened:
        yield opened


@pytest.fixture
async def api(tmp_path: Path, store: Store) -> AsyncGenerator[httpx.AsyncClient, None]:
    async with client_of(Settings(store=tmp_path / "store", max_json_mb=0.2), store) as client:
        yield client
