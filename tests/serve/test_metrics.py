"""What /metrics and /v1/stats tell, also while a part is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from memory.embedder import HashEmbedder
from memory.records import Snapshot
from memory.store import Store
from perception import pipeline
from perception.perceiver import LocalPerceiver
from perception.records import Moment, Stream
from perception.sources import AudioChunk
from perception.vad import LoudnessDetector
from reasoning.gate import Gate
from reasoning.records import Answer, Question, Timings
from serve import metrics, remembering
from serve.errors import Unavailable
from serve.events import Broadcast
from serve.gateway import build_app
from serve.measured import MeasuredEmbedder, MeasuredReasoning
from serve.patient import PatientPerceiver
from serve.remembering import Remembering
from serve.replays import Replays
from serve.services import InProcessMemory, Services
from serve.settings import Settings

pytestmark = pytest.mark.unit

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


async def down() -> dict[str, bool]:
    return {"perception": True, "memory": False}


class AbsentMemory(InProcessMemory):
    async def _call(self, method: str, *arguments: Any) -> Any:
        raise Unavailable("Memory is not answering: it may be restarting")


def absent() -> Store:
    raise AssertionError("never opened")


def services(**parts: Any) -> Services:
    given: dict[str, Any] = {
        "perception": LocalPerceiver.fake(),
        "memory": AbsentMemory(absent),
        "reasoning": None,
        "healthy": down,
    }
    return Services(**{**given, **parts})


def client_of(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def samples(text: str) -> dict[tuple[str, str], float]:
    """By name and the value of the first label."""
    return {
        (one.name, next(iter(one.labels.values()), "")): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def value(gauge: Any) -> float:
    return float(next(iter(gauge.collect())).samples[0].value)


async def test_without_memory_everything_else_is_told(tmp_path: Path) -> None:
    """Metrics failed as a whole when they were needed most."""
    async with client_of(build_app(services(), Settings(store=tmp_path))) as client:
        reply = await client.get("/metrics")
    assert reply.status_code == 200
    told = samples(reply.text)
    assert told["lookback_up", "memory"] == 0
    assert told["lookback_up", "perception"] == 1
    assert not any(name.startswith("lookback_store_bytes") for name, _ in told)
    assert ("lookback_failed_answers_total", "") in told


async def test_stages_of_perception_and_embedding_are_told_by_name(tmp_path: Path) -> None:
    perceiver = LocalPerceiver.fake()
    perceiver.timed = metrics.work
    image = np.zeros((8, 8, 3), np.uint8)
    perceiver.look_batch([image], [True])
    perceiver.recognize_batch([np.zeros(1600, np.float32)])
    perceiver.listen_batch([np.zeros(1600, np.float32)])
    MeasuredEmbedder(HashEmbedder()).embed(["a lamp"])
    app = build_app(services(perception=perceiver), Settings(store=tmp_path))
    async with client_of(app) as client:
        told = samples((await client.get("/metrics")).text)
    for stage in ("tag", "faces", "read", "recognise_full", "listen", "embed"):
        assert told["lookback_work_seconds_count", stage] >= 1
    perceiver.close()


def test_what_two_processes_measured_has_each_name_once() -> None:
    with metrics.work("tag"):
        pass
    text = metrics.exposition([*metrics.worked(), *metrics.worked()]).decode()
    assert text.count("# TYPE lookback_work_seconds histogram") == 1


async def test_a_caller_waits_are_counted_at_the_gateway(tmp_path: Path) -> None:
    app_services = services()
    kept: dict[str, Any] = {}

    def extend(app: Any, hub: Any) -> Any:
        kept["hub"] = hub
        return app

    build_app(app_services, Settings(store=tmp_path), extend)
    before = samples(metrics.exposition([]).decode()).get(
        ("lookback_stage_seconds_count", "recognise_full"), 0
    )
    await kept["hub"].services.perception.recognize(np.zeros(1600, np.float32))
    after = samples(metrics.exposition([]).decode())[
        "lookback_stage_seconds_count", "recognise_full"
    ]
    assert after == before + 1


@dataclass
class Endless:
    """A recording that gives one chunk and then waits to be let on."""

    given: asyncio.Event
    seconds: float | None = 60.0

    async def __aiter__(self) -> AsyncGenerator[AudioChunk, None]:
        yield AudioChunk(0.0, np.zeros(32_000, np.float32))
        self.given.set()
        await asyncio.Event().wait()


async def test_a_replay_that_is_cancelled_while_it_waits_leaves_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "SileroDetector", LoudnessDetector)
    replays = Replays(services(), Gate("Lookback", "any"), Broadcast(), 1)
    source: Any = Endless(asyncio.Event())
    replays.start(Stream("first", START, "test", 0.0), source, tmp_path / "first", "a.mp4")
    await source.given.wait()
    assert [one.stream.id for one in replays.sessions()] == ["first"]
    second: Any = Endless(asyncio.Event())
    replays.start(Stream("second", START, "test", 0.0), second, tmp_path / "second", "b.mp4")
    await asyncio.sleep(0)
    assert value(metrics.QUEUED.labels("replays")) == 1
    await replays.close()
    assert value(metrics.QUEUED.labels("replays")) == 0
    assert not second.given.is_set()


async def test_stats_tell_of_each_stream_under_way_how_far_behind_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "SileroDetector", LoudnessDetector)
    kept: dict[str, Any] = {}

    def extend(app: Any, hub: Any) -> Any:
        kept["hub"] = hub
        return app

    with Store(tmp_path / "store", HashEmbedder()) as store:
        memory = InProcessMemory(lambda: store)
        app = build_app(services(memory=memory), Settings(store=tmp_path / "store"), extend)
        hub = kept["hub"]
        source: Any = Endless(asyncio.Event())
        hub.replays.start(
            Stream("lecture", START, "test", 0.0), source, tmp_path / "lecture", "c.mp4"
        )
        await source.given.wait()
        async with client_of(app) as client:
            body = (await client.get("/v1/stats")).json()
        await hub.close()
    assert body["streams"] == 0
    (one,) = body["under_way"]
    assert (one["stream_id"], one["source"], one["dropped_frames"]) == ("lecture", "replay", 0)
    assert one["lag"] >= 0


class Away:
    async def look(self, *_: Any) -> Any:
        raise Unavailable("Perception is not answering")


async def test_what_a_live_stream_lets_go_is_counted() -> None:
    before = value(metrics.LET_GO.labels("frame"))
    perceiver: Any = Away()
    await PatientPerceiver(perceiver, lambda _: None).look(np.zeros((8, 8, 3), np.uint8), False)
    assert value(metrics.LET_GO.labels("frame")) == before + 1


class Quoting:
    """Answers as an agent does whose model was silent, or failed."""

    async def answer(self, question: Question) -> AsyncGenerator[Answer, None]:
        silent = question.text == "silent"
        yield Answer(
            question.text,
            "At 00:10 I heard it.",
            False,
            (),
            Snapshot(1, None),
            Timings(),
            failure="the language model said nothing",
            silent=silent,
        )


async def test_answers_that_had_to_do_without_the_model_are_counted_by_why() -> None:
    reasoning: Any = Quoting()
    for why in ("silent", "failed"):
        before = value(metrics.WITHOUT_MODEL.labels(why))
        assert [piece async for piece in MeasuredReasoning(reasoning).answer(Question(why))]
        assert value(metrics.WITHOUT_MODEL.labels(why)) == before + 1


async def test_moments_given_up_are_counted_and_leave_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remembering, "KEPT", 2)

    async def refuse(*_: Any) -> None:
        raise Unavailable("Memory is not answering")

    before, queued = value(metrics.GIVEN_UP), metrics.QUEUED.labels("moments")
    keeping = Remembering(refuse, lambda _: None)
    running = asyncio.create_task(keeping.run())
    first = Moment("cam", 0.0, 1.0, ())
    for start in range(4):
        keeping.add(replace(first, start=float(start), end=start + 1.0), None)
    assert value(queued) == 2
    assert value(metrics.GIVEN_UP) == before + 2
    await keeping.settled()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert value(queued) == 0
    assert value(metrics.GIVEN_UP) == before + 4
