"""When episodes are put in words, and what ends it: nobody is ever to wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from memory.embedder import HashEmbedder
from memory.records import Quote, Unwritten
from memory.store import Store
from perception.perceiver import LocalPerceiver
from reasoning import Agent, ScriptedGenerator
from reasoning.errors import GenerationFailed
from reasoning.rewriting import QuotingRewriter
from serve.answering import model_name
from serve.background import GIVE_WAY, TRIES
from serve.errors import Unavailable
from serve.gateway import build_app
from serve.idleness import Idleness
from serve.remote import Part, RemoteRewriter
from serve.rewriting import BREATH, NOTHING_NEW, Rewriting
from serve.services import InProcessMemory, InProcessReasoning, Services
from serve.settings import Settings
from tests.memory.test_rewriting import filled
from tests.serve.conftest import healthy
from tests.serve.parts import FakeHandle

pytestmark = pytest.mark.unit

AFTER = 60.0


class Waiting:
    """Episodes that wait, and what was written of them."""

    def __init__(self, count: int) -> None:
        self.left = [Unwritten(f"e{n}", 1, (), f"m{n}") for n in range(count)]
        self.written: dict[str, str | None] = {}
        self.asked = 0

    async def unwritten(self, writer: str) -> Unwritten | None:
        self.asked += 1
        return self.left[0] if self.left else None

    async def rewrite(self, episode_id: str, material: str, writer: str, text: str | None) -> bool:
        self.left = [one for one in self.left if one.episode_id != episode_id]
        self.written[episode_id] = text
        return True


class Endless:
    """Writes until it is cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = 0

    async def rewrite(self, quotes: Sequence[Quote]) -> str | None:
        self.begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.ended += 1
        return None


async def told(quotes: Sequence[Quote]) -> str | None:
    return "Told."


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def idle_after(clock: Clock, busy: bool = False) -> Idleness:
    idleness = Idleness(AFTER, lambda: busy, clock)
    clock.now += AFTER
    return idleness


async def test_one_episode_a_step_while_idle_and_none_twice() -> None:
    memory = Waiting(2)
    rewriting = Rewriting(memory, told, "small", idle_after(Clock()))
    assert [await rewriting.step() for _ in range(3)] == [BREATH, BREATH, NOTHING_NEW]
    assert memory.written == {"e0": "Told.", "e1": "Told."}


async def test_what_came_to_nothing_is_noted_and_not_the_extracts_end() -> None:
    async def nothing(quotes: Sequence[Quote]) -> str | None:
        return ""

    memory = Waiting(1)
    await Rewriting(memory, nothing, "small", idle_after(Clock())).step()
    assert memory.written == {"e0": None}


async def test_memory_is_not_even_asked_until_the_machine_has_been_idle_for_long() -> None:
    memory, clock = Waiting(1), Clock()
    idleness = Idleness(AFTER, lambda: False, clock)
    rewriting = Rewriting(memory, told, "small", idleness)
    clock.now = AFTER - 1
    assert await rewriting.step() == GIVE_WAY
    with idleness.used():
        clock.now = 10 * AFTER
        assert await rewriting.step() == GIVE_WAY
    clock.now += AFTER - 1
    assert await rewriting.step() == GIVE_WAY
    assert memory.asked == 0
    clock.now += 1
    assert await rewriting.step() == BREATH
    busy = Rewriting(memory, told, "small", idle_after(Clock(), busy=True))
    assert await busy.step() == GIVE_WAY


@pytest.mark.parametrize(
    ("kind", "body", "ends"),
    [
        ("state", {"state": "hearing"}, True),
        ("observation", {"kind": "speech", "text": "hello"}, True),
        ("observation", {"kind": "vision", "text": "desk"}, False),
        ("progress", {"lag": 2.0}, True),
        ("progress", {"lag": 0.1}, False),
        ("moment", {}, False),
    ],
)
async def test_what_happens_on_a_stream_ends_it_and_watching_in_silence_does_not(
    kind: str, body: dict[str, object], ends: bool
) -> None:
    memory, slow, clock = Waiting(1), Endless(), Clock()
    idleness = idle_after(clock)
    rewriting = Rewriting(memory, slow.rewrite, "small", idleness)
    step = asyncio.create_task(rewriting.step())
    await slow.begun.wait()
    idleness.published(kind, body)
    if ends:
        assert await step == GIVE_WAY
        assert slow.ended == 1
        assert memory.written == {}
        assert await rewriting.step() == GIVE_WAY
        assert slow.ended == 1
        return
    await asyncio.sleep(0)
    assert not step.done()
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert slow.ended == 1


async def test_a_model_that_is_away_is_asked_again_and_an_episode_it_fails_on_is_let_go() -> None:
    async def away(quotes: Sequence[Quote]) -> str | None:
        raise Unavailable("Reasoning is not answering")

    async def fails(quotes: Sequence[Quote]) -> str | None:
        raise GenerationFailed("the prompt is too long")

    memory, idleness = Waiting(1), idle_after(Clock())
    for _ in range(TRIES + 1):
        with pytest.raises(Unavailable):
            await Rewriting(memory, away, "small", idleness).step()
    assert memory.written == {}
    rewriting = Rewriting(memory, fails, "small", idleness)
    for _ in range(TRIES - 1):
        with pytest.raises(GenerationFailed):
            await rewriting.step()
    assert await rewriting.step() == BREATH
    assert memory.written == {"e0": None}


async def test_what_is_cancelled_here_is_cancelled_where_it_runs() -> None:
    class Call(asyncio.Future[str]):
        called_off = False

        def cancel(self, msg: object = None) -> bool:
            self.called_off = True
            return super().cancel(msg)

    call = Call()
    part = Part("Reasoning", FakeHandle(rewrite=lambda quotes: call))
    waiting = asyncio.create_task(RemoteRewriter(part).rewrite(()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert call.called_off


async def test_a_question_ends_it_and_the_timeline_tells_whose_words_they_are(
    tmp_path: Path,
) -> None:
    """Over a real store and gateway; the page reads this."""
    with filled(tmp_path / "store") as store:
        memory, slow = InProcessMemory(lambda: store), Endless()
        clock = Clock()
        idleness: list[Idleness] = []

        def over(given: Idleness) -> Rewriting:
            given._clock = clock
            idleness.append(given)
            clock.now = 1e12
            return Rewriting(memory, slow.rewrite, "small", given)

        services = Services(
            perception=LocalPerceiver.fake(),
            memory=memory,
            reasoning=InProcessReasoning(lambda: Agent(memory, ScriptedGenerator(["Ships."]))),
            healthy=healthy,
            rewriting=over,
        )
        app = build_app(services, Settings(store=tmp_path / "store"))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            await asyncio.wait_for(slow.begun.wait(), 10)
            await client.get("/v1/streams")
            assert slow.ended == 0  # to look is not to use
            await client.post("/v1/ask", json={"question": "What about the crane?"})
            assert slow.ended == 1
            assert not idleness[0].idle
            clock.now += 1e6
            writing = Rewriting(memory, QuotingRewriter().rewrite, "small", idleness[0])
            assert await writing.step() == BREATH
            path = "/v1/streams/cam/episodes"
            (day,) = (await client.get(path, params={"level": "days"})).json()["episodes"]
            assert day["written_by"] == "small"
            assert day["text"] != day["extract"]
            assert day["quotes"][0]["moment_id"]
            minutes = (await client.get(path)).json()["episodes"]
            assert {one["written_by"] for one in minutes} == {"extract"}
            assert all(one["text"] == one["extract"] for one in minutes)
            assert (await client.get(path, params={"level": "years"})).status_code == 422


def test_a_models_name_tells_nothing_of_this_machine(tmp_path: Path) -> None:
    weights = tmp_path / "Some-7B.Q4.gguf"
    weights.touch()
    assert model_name(Settings()) == "qwen2.5-1.5b"
    assert model_name(Settings(answer_model=str(weights))) == "Some-7B.Q4.gguf"
    assert model_name(Settings(answer_backend="transformers")) == "Qwen/Qwen3-VL-8B-Instruct"


async def test_an_empty_store_has_nothing_to_write(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder()) as store:
        memory = InProcessMemory(lambda: store)
        assert await Rewriting(memory, told, "small", idle_after(Clock())).step() == NOTHING_NEW
