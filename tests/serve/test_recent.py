"""The last frames of a live stream, and that a question takes them along."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image

from memory.store import Store
from perception.perceiver import LocalPerceiver
from perception.sources import AudioChunk, Frame
from serve.gateway import build_app
from serve.hub import Hub
from serve.recent import RecentFrames
from serve.services import InProcessMemory, Services
from serve.settings import Settings
from tests.memory.storing import moment, stream
from tests.serve.conftest import healthy
from tests.serve.talking import ScriptedReasoning, Talk

pytestmark = pytest.mark.unit


@dataclass
class Given:
    """A source of what it is given."""

    items: Sequence[AudioChunk | Frame]
    seconds: float | None = 12.0

    async def __aiter__(self) -> AsyncGenerator[AudioChunk | Frame, None]:
        for item in self.items:
            yield item


def frame(time: float) -> Frame:
    return Frame(time, np.full((40, 60, 3), int(time * 10) % 255, np.uint8))


async def test_the_newest_is_there_and_the_others_are_a_second_apart() -> None:
    items: list[AudioChunk | Frame] = [frame(n / 4) for n in range(31)]
    items.insert(9, AudioChunk(2.0, np.zeros(16, np.float32)))
    recent = RecentFrames(Given(items), 4)
    assert [item async for item in recent] == items
    shown = await recent.frames()
    assert [f.time for f in shown] == [5.0, 6.0, 7.0, 7.5]
    assert [Image.open(io.BytesIO(f.encoded)).size for f in shown] == [(60, 40)] * 4
    again = await recent.frames()
    assert all(a.encoded is b.encoded for a, b in zip(shown, again, strict=True))
    assert recent.seconds == 12.0


async def test_none_are_kept_for_a_model_that_only_reads() -> None:
    recent = RecentFrames(Given([frame(1.0)]), Settings().frames_shown)
    assert len([item async for item in recent]) == 1
    assert await recent.frames() == ()
    assert Settings(answer_backend="transformers").frames_shown == 4
    assert Settings(answer_backend="transformers", visual_tokens=0).frames_shown == 0


async def test_a_question_takes_along_what_the_camera_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    talk = Talk(monkeypatch, answer_backend="transformers", live_frames=2)
    talk.session.recent = RecentFrames(Given([frame(8.0), frame(9.0), frame(10.0)]), 2)
    async for _ in talk.session.recent:
        pass
    await talk.session.recent.frames()  # encoded by a thread, which no test waits for
    async with talk:
        await talk.says("Where did I leave the umbrella?", 10.0, 12.0)
    assert [f.time for f in talk.reasoning.questions[0].frames] == [9.0, 10.0]


async def test_a_typed_question_takes_them_along_unless_it_is_of_another_time(
    tmp_path: Path, store: Store
) -> None:
    """Typed on a live stream it was shown old keyframes. What is live is caught up with first."""
    caught_up: list[int] = []

    async def up_to_now() -> None:
        caught_up.append(len(reasoning.questions))

    recent = RecentFrames(Given([frame(8.0), frame(9.0)]), 2)
    async for _ in recent:
        pass
    store.remember(stream("cam", 10.0), [moment(0, "cam")], {})
    reasoning = ScriptedReasoning()
    memory = InProcessMemory(lambda: store)
    services = Services(LocalPerceiver.fake(), memory, reasoning, healthy)

    def extend(app: FastAPI, hub: Hub) -> FastAPI:
        live: Any = SimpleNamespace(recent=recent, typed=lambda answer: None, up_to_now=up_to_now)
        hub.live["cam"] = live
        return app

    app = build_app(services, Settings(store=tmp_path / "store"), extend)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for asked in ({"stream_id": "cam"}, {"stream_id": "cam", "at": 4.0}, {}):
            reply = await client.post("/v1/ask", json={"question": "What is this?", **asked})
            assert reply.status_code == 200
    shown = [[f.time for f in question.frames] for question in reasoning.questions]
    assert shown == [[8.0, 9.0], [], []]
    assert caught_up == [0, 2]
