"""The gateway with WHIP in this process: real WebRTC over the loopback, fake models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from app import whip
from app.calls import Calls
from bench.caller import RATE, Caller, Samples
from memory.embedder import HashEmbedder
from memory.store import Store
from perception import pipeline
from perception.faces import NoFaces
from perception.perceiver import LocalPerceiver
from perception.reader import FixedReader
from perception.recognizer import NOTHING, Effort, Transcript
from perception.records import Audio
from perception.sounds import SilentListener
from perception.tagger import BrightnessTagger
from perception.vad import LoudnessDetector
from reasoning import Agent, ScriptedGenerator
from reasoning.prompt import Prompt
from reasoning.speaker import ToneSpeaker
from serve.gateway import build_app
from serve.hub import Hub
from serve.services import InProcessMemory, InProcessReasoning, InProcessTalking, Services
from serve.settings import Settings


class ToneRecognizer:
    """What was said is told by its pitch: 200 Hz, 400 Hz, ... stand for the first text, the
    second, and so on."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def recognize(self, utterances: Sequence[Audio], effort: Effort = "full") -> list[Transcript]:
        return [self._one(audio) for audio in utterances]

    def _one(self, audio: Audio) -> Transcript:
        spectrum = np.abs(np.fft.rfft(audio))
        pitch = float(np.argmax(spectrum)) * 16_000 / len(audio)
        index = round(pitch / 200) - 1
        if not 0 <= index < len(self._texts):
            return NOTHING
        return Transcript(self._texts[index], "en", 0.9)


class KnowingGenerator(ScriptedGenerator):
    """Says the answer that stands for a word of the question, however often it is asked."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__()
        self._by_word = answers

    async def stream(self, prompt: Prompt, max_tokens: int) -> AsyncGenerator[str, None]:
        for word, answer in self._by_word.items():
            if word in prompt.question:
                self._answers = [answer]
        async for piece in super().stream(prompt, max_tokens):
            yield piece


def tone(index: int, seconds: float = 1.0) -> Samples:
    """The sound that stands for the text of that index."""
    times = np.arange(int(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * 200 * (index + 1) * times) * 12_000).astype(np.int16)


@dataclass
class LiveSite:
    """`client` speaks HTTP to it; `calls` are its live sessions."""

    client: httpx.AsyncClient
    hub: Hub
    calls: Calls
    store: Store
    speaker: ToneSpeaker
    app: FastAPI

    def follow(self, call: Caller) -> asyncio.Task[None]:
        """Have a call note its stream's events. Subscribed when this returns."""
        listening = self.hub.events.listen(call.stream_id)
        first = asyncio.ensure_future(anext(listening))

        async def note() -> None:
            event = await first
            while True:
                call.keep(*event)
                event = await anext(listening)

        return asyncio.create_task(note())


@asynccontextmanager
async def live_site(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    texts: Sequence[str] = (),
    answers: Mapping[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[LiveSite]:
    """Serve until the block ends."""
    monkeypatch.setattr(pipeline, "SileroDetector", LoudnessDetector)
    given: dict[str, Any] = {"ice_host_addresses": "127.0.0.1", **settings}
    perceiver = LocalPerceiver(
        ToneRecognizer(texts), FixedReader(), BrightnessTagger(), NoFaces(), SilentListener()
    )
    with Store(folder / "store", HashEmbedder()) as store:
        memory = InProcessMemory(lambda: store)
        agent = Agent(memory, KnowingGenerator(answers or {}))
        speaker = ToneSpeaker()
        kept: dict[str, Any] = {}

        async def healthy() -> dict[str, bool]:
            return {}

        def extend(app: FastAPI, hub: Hub) -> FastAPI:
            kept.update(hub=hub, calls=whip.install(app, hub))
            return app

        services = Services(
            perception=perceiver,
            memory=memory,
            reasoning=InProcessReasoning(lambda: agent),
            healthy=healthy,
            talking=InProcessTalking(agent, speaker),
        )
        app = build_app(services, Settings(store=folder / "store", **given), extend)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield LiveSite(client, kept["hub"], kept["calls"], store, speaker, app)
            await kept["hub"].close()
        perceiver.close()


async def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for what comes over the network, looking now and then. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - nothing tells when a packet has come
            await asyncio.sleep(0.01)
