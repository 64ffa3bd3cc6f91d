"""The API in this process, for commands that need no perception: no Ray, models loaded on first use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Never

from fastapi import FastAPI

from memory.store import Store
from reasoning import Agent, Generator
from serve.errors import Unavailable
from serve.gateway import build_app
from serve.loading import load_agent, open_store
from serve.services import InProcessMemory, InProcessReasoning, Services
from serve.settings import Settings


class NoPerception:
    """Says where recordings go: replaying is the deployments' work."""

    async def recognize(self, audio: Any, effort: Any = "full") -> Never:
        raise Unavailable("no perception without a server: use `lookback replay`")

    listen = look = recognize


@contextmanager
def local_app(settings: Settings, create: bool = False) -> Iterator[FastAPI]:
    """The store is opened by the first request that needs it, and closed at the end; with `create`,
    made where there is none."""
    opened: list[Store] = []
    loaded: list[Generator] = []

    def opening() -> Store:
        opened.append(open_store(settings, create=create))
        return opened[0]

    def loading() -> Agent:
        agent, generator = load_agent(settings, memory)
        loaded.append(generator)
        return agent

    memory = InProcessMemory(opening)
    services = Services(
        perception=NoPerception(),
        memory=memory,
        reasoning=InProcessReasoning(loading),
        healthy=_always,
    )
    try:
        yield build_app(services, settings.model_copy(update={"token": None}))
    finally:
        for generator in loaded:
            generator.close()
        for store in opened:
            store.close()


async def _always() -> dict[str, bool]:
    return {"in_process": True}
