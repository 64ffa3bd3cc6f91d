"""Too much at once: 429 with when to try again, wherever it is found out, and recordings wait."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from ray.serve.exceptions import BackPressureError

from memory.errors import StoreFull, WriteFailed
from memory.store import Store
from perception.records import Moment, Stream
from serve import application, patient
from serve.deployments import MemoryDeployment
from serve.errors import Busy, Unavailable
from serve.gateway import build_app
from serve.remote import Part, RemoteMemory, RemotePerceiver, RemoteReasoning
from serve.services import InProcessMemory, Services
from serve.settings import Settings
from tests.serve.parts import FakeHandle

pytestmark = pytest.mark.unit


async def full(*_: Any) -> Any:
    raise BackPressureError(num_queued_requests=8, max_queued_requests=8)


async def full_of_answers(*_: Any) -> AsyncGenerator[Any, None]:
    yield await full()


async def up() -> dict[str, bool]:
    return {"memory": True}


CROWDED = FakeHandle(
    streams=full, search=full, stats=full, moment=full, remember=full, forget=full, look=full
)


def crowded(settings: Settings, **parts: Any) -> httpx.AsyncClient:
    given: dict[str, Any] = {
        "perception": RemotePerceiver(Part("Perception", CROWDED)),
        "memory": RemoteMemory(Part("Memory", CROWDED)),
        "reasoning": RemoteReasoning(Part("Reasoning", FakeHandle(answer=full_of_answers))),
        "healthy": up,
    }
    app = build_app(Services(**{**given, **parts}), settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


POSTED = {
    "stream_id": "desk",
    "observations": [{"kind": "speech", "start": 0, "end": 1, "text": "A full tray."}],
}
CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/v1/streams", None),
    ("GET", "/v1/stats", None),
    ("GET", "/v1/streams/desk/timeline", None),
    ("GET", "/v1/moments/desk:0000000000", None),
    ("POST", "/v1/search", {"query": "tray"}),
    ("POST", "/v1/observations", POSTED),
    ("POST", "/v1/ask", {"question": "Where is the tray?"}),
    ("POST", "/v1/ask", {"question": "Where is the tray?", "stream": True}),
    ("DELETE", "/v1/memory", {"stream_id": "desk"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_a_full_queue_is_429_with_when_to_try_again(
    tmp_path: Path, method: str, path: str, body: Any
) -> None:
    async with crowded(Settings(store=tmp_path)) as client:
        reply = await client.request(method, path, json=body)
    assert reply.status_code == 429
    assert reply.json()["error"]["code"] == "busy"
    assert int(reply.headers["retry-after"]) >= 1


async def test_an_upload_into_a_full_memory_is_429(tmp_path: Path) -> None:
    async with crowded(Settings(store=tmp_path)) as client:
        reply = await client.post("/v1/streams/desk/replay", files={"file": ("a.mp4", b"x")})
    assert (reply.status_code, "retry-after" in reply.headers) == (429, True)


async def test_beyond_the_setting_requests_are_refused_and_probes_are_not(
    tmp_path: Path, store: Store
) -> None:
    let_on, waiting = asyncio.Event(), asyncio.Event()

    class Slow(InProcessMemory):
        async def streams(self, version: int | None = None) -> list[Stream]:
            waiting.set()
            await let_on.wait()
            return await super().streams()

    memory = Slow(lambda: store)
    async with crowded(Settings(store=tmp_path, http_requests=1), memory=memory) as client:
        first = asyncio.create_task(client.get("/v1/streams"))
        await waiting.wait()
        refused = await client.get("/v1/streams")
        assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
        assert (await client.get("/healthz")).status_code == 200
        let_on.set()
        assert (await first).status_code == 200
        assert (await client.get("/v1/streams")).status_code == 200


def test_every_deployment_has_a_bound(tmp_path: Path) -> None:
    """Ray's own default lets queues grow for ever."""
    settings = Settings(store=tmp_path)
    built = application.build(settings.plain())
    gateway: Any = built._bound_deployment
    bounds = {gateway.name: gateway.max_queued_requests}
    for bound in gateway.init_args:
        deployment = getattr(bound, "_bound_deployment", None)
        if deployment is not None:
            bounds[deployment.name] = deployment.max_queued_requests
    assert set(bounds) == {"Gateway", "Perception", "Memory", "Reasoning"}
    assert all(bound > 0 for bound in bounds.values()), bounds
    assert gateway.max_ongoing_requests > settings.http_requests
    assert bounds["Memory"] == settings.memory_queue
    undecorated: Any = MemoryDeployment
    assert undecorated.max_queued_requests == -1  # what the application sets is what counts


def test_busy_is_the_same_after_a_journey_between_processes() -> None:
    """Rebuilt from its message it said everything twice."""
    here = Busy("Memory", 7)
    there = pickle.loads(pickle.dumps(here))
    assert (str(there), there.retry_after) == (str(here), 7)


class Refusing:
    """A memory, or a perceiver, that refuses a few times."""

    def __init__(self, *refusals: Exception) -> None:
        self.refusals = list(refusals)
        self.kept: list[Moment] = []

    async def remember(self, stream: Stream, moments: list[Moment], keyframes: Any) -> int:
        if self.refusals:
            raise self.refusals.pop(0)
        self.kept += moments
        return 1

    async def look(self, *_: Any) -> str:
        if self.refusals:
            raise self.refusals.pop(0)
        return "a lamp"


PASSING = [Busy("Memory"), Unavailable("Memory is away"), WriteFailed("open it again")]


async def test_a_recording_waits_for_a_part_that_is_full_or_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One full queue ended a replay."""
    monkeypatch.setattr(patient, "AGAIN", 0)
    seen: Any = patient.WaitingPerceiver(Refusing(*PASSING[:2]))  # type: ignore[arg-type]  # only looks
    assert await seen.look(np.zeros((8, 8, 3), np.uint8), False) == "a lamp"
    memory = Refusing(*PASSING)
    assert await patient.patiently(lambda: memory.remember(_STREAM, [_MOMENT], {})) == 1
    assert memory.kept == [_MOMENT]


async def test_a_full_disk_is_not_waited_for() -> None:
    memory = Refusing(StoreFull("no space left"))
    with pytest.raises(StoreFull):
        await patient.patiently(lambda: memory.remember(_STREAM, [_MOMENT], {}))


_STREAM = Stream("desk", datetime(2026, 3, 2, tzinfo=UTC), "test", 0.0)
_MOMENT = Moment("desk", 0.0, 1.0, ())
