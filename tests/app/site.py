"""The gateway with its page, in this process, over a real store and fake models, on a free port."""

from __future__ import annotations

import asyncio
import hashlib
import io
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from PIL import Image, ImageDraw

from app.web import extend
from memory.embedder import HashEmbedder
from memory.records import Query
from memory.store import Store
from perception.faces import NoFaces
from perception.perceiver import LocalPerceiver
from perception.reader import FixedReader
from perception.records import Kind, Moment, Observation, Stream
from perception.sounds import SilentListener
from perception.tagger import BrightnessTagger
from reasoning import Agent, ScriptedGenerator
from reasoning.records import (
    Answer,
    Citation,
    Question,
    Replace,
    Timings,
    Token,
    keyframe_url,
)
from reasoning.speaker import ToneSpeaker
from serve.gateway import build_app
from serve.hub import Hub
from serve.services import InProcessMemory, InProcessTalking, MemoryService, Services
from serve.settings import Settings
from tests.app.live_site import ToneRecognizer


class Quoting:
    """A reasoning service that answers with the best find, word by word. `fails` is raised once,
    after the first word."""

    def __init__(self, memory: MemoryService) -> None:
        self._memory = memory
        self.fails: Exception | None = None

    async def answer(self, question: Question) -> AsyncGenerator[Token | Replace | Answer, None]:
        if self.fails is not None:
            failing, self.fails = self.fails, None
            yield Token("It")
            raise failing
        query = Query(
            question.text, 1, question.stream_id, before=question.at, roles=("statement",)
        )
        hits = await self._memory.search(query)
        text = hits[0].observation.text if hits else "I have seen nothing of that."
        for word in text.split():
            yield Token(f" {word}")
        cited = tuple(
            Citation(
                moment_id=hit.moment_id,
                stream_id=hit.observation.stream_id,
                start=hit.observation.start,
                end=hit.observation.end,
                kind=hit.observation.kind,
                quote=hit.observation.text,
                keyframe=keyframe_url(hit.moment_id) if hit.keyframe else None,
            )
            for hit in hits
        )
        snapshot = await self._memory.snapshot()
        yield Answer(
            question.text,
            text,
            not cited,
            cited,
            snapshot,
            Timings(0, 5, 120, 300),
            trigger=question.trigger,
            utterance=question.utterance,
        )


@dataclass
class Site:
    """A running page. `alive` is what /healthz says."""

    store: Store
    reasoning: Quoting
    url: str = ""
    hub: Hub | None = None
    loop: asyncio.AbstractEventLoop | None = None
    alive: dict[str, bool] = field(
        default_factory=lambda: {"perception": True, "memory": True, "reasoning": True}
    )

    async def healthy(self) -> dict[str, bool]:
        self.loop = asyncio.get_running_loop()
        return self.alive

    def extend(self, app: FastAPI, hub: Hub) -> FastAPI:
        self.hub = hub
        return extend(app, hub)

    def publish(self, stream_id: str, kind: str, body: dict[str, Any]) -> None:
        """An event of the stream, as a session would publish it."""
        assert self.hub is not None
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.hub.events.publish, stream_id, kind, body)


@contextmanager
def site(
    folder: Path, port: int = 0, token: str | None = None, tones: Sequence[str] = ()
) -> Iterator[Site]:
    """Serve until the block ends. The first start imports Gradio, which takes seconds.

    With `tones`, tones of 200 Hz, 400 Hz, ... are heard as these texts, and answers are hummed.
    """
    with Store(folder / "store", HashEmbedder()) as store:
        memory = InProcessMemory(lambda: store)
        running = Site(store, Quoting(memory))
        perceiver = _perceiver(tones) if tones else LocalPerceiver.fake()
        agent = Agent(memory, ScriptedGenerator())
        services = Services(
            perception=perceiver,
            memory=memory,
            reasoning=running.reasoning,
            healthy=running.healthy,
            talking=InProcessTalking(agent, ToneSpeaker()) if tones else None,
        )
        settings = Settings(
            store=folder / "store", token=token, ice_host_addresses="127.0.0.1", idle_seconds=5
        )
        app = build_app(services, settings, running.extend)
        config = uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            running.url = _ready(server, thread)
            yield running
        finally:
            server.should_exit = True
            thread.join(20)
            perceiver.close()


def _ready(server: uvicorn.Server, thread: threading.Thread) -> str:
    while not server.started:
        assert thread.is_alive(), "the page did not come up"
        thread.join(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    assert httpx.get(f"{url}/healthz", timeout=30).status_code == 200
    return url


def _perceiver(tones: Sequence[str]) -> LocalPerceiver:
    return LocalPerceiver(
        ToneRecognizer(tones), FixedReader(), BrightnessTagger(), NoFaces(), SilentListener()
    )


def remember(
    store: Store,
    stream_id: str,
    said: Sequence[tuple[float, Kind, str]],
    *,
    ago: timedelta = timedelta(hours=1),
    pictures: bool = True,
) -> None:
    """One moment for each (start, kind, text), four seconds long, with a picture of its text."""
    begun = datetime.now(UTC) - ago
    for start, kind, text in said:
        seen = Observation(stream_id, kind, start, start + 4, text)
        encoded = picture(text) if pictures else b""
        name = hashlib.sha256(encoded).hexdigest() if encoded else None
        moment = Moment(stream_id, start, start + 4, (seen,), name)
        stream = Stream(stream_id, begun, "http", start + 4)
        store.remember(stream, [moment], {name: encoded} if name else {})


def picture(text: str) -> bytes:
    """A WebP picture that is each text's own."""
    digest = hashlib.sha256(text.encode()).digest()
    image = Image.new("RGB", (320, 180), (60 + digest[0] // 2, 60 + digest[1] // 2, 90))
    draw = ImageDraw.Draw(image)
    draw.ellipse((digest[2] % 200, 30, digest[2] % 200 + 90, 120), fill=(240, 220, digest[3]))
    draw.text((16, 150), text[:40], fill=(255, 255, 255))
    encoded = io.BytesIO()
    image.save(encoded, "WEBP")
    return encoded.getvalue()
