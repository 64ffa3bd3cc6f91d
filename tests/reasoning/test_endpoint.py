"""The endpoint backend against a real server on loopback that does as each test says."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

from reasoning.endpoint import EndpointGenerator, Limits
from reasoning.errors import GenerationFailed, ModelUnusable
from reasoning.pictures import Picture
from reasoning.prompt import Prompt
from tests.reasoning.seeing_model import asked, live, picture, remembered

pytestmark = pytest.mark.unit

KEY = "sk-never-shown-0123456789"
QUICK = Limits(connect=2, first=0.3, silence=0.3, total=5, tries=3, pause=0.001)
Talk = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Heard:
    """What the server was sent, and which connections it saw closed."""

    headers: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def server(*talks: Talk) -> AsyncIterator[tuple[str, Heard]]:
    """Each request is answered by the next talk, the last one again and again."""
    heard = Heard()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.split(":")[1])
                for line in head.splitlines()
                if line.lower().startswith("content-length")
            )
            heard.headers.append(head)
            heard.bodies.append(json.loads(await reader.readexactly(length)))
            talk = talks[min(len(heard.bodies), len(talks)) - 1]
            await talk(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            heard.left.set()
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield f"http://127.0.0.1:{port}/v1", heard


def answers(status: str, body: str, *headers: str) -> Talk:
    async def talk(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body.encode())}"]
        writer.write(("\r\n".join([*lines, "Connection: close", "", ""]) + body).encode())

    return talk


def streams(*lines: str, then: Talk | None = None) -> Talk:
    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        writer.write("".join(f"{line}\n\n" for line in lines).encode())
        await writer.drain()
        if then is not None:
            await then(writer)

    return talk


def says(*words: str) -> list[str]:
    return [
        "data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": word}}]})
        for word in words
    ]


async def stalls(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def generator(url: str, **options: Any) -> EndpointGenerator:
    return EndpointGenerator(url, "seer", **{"limits": QUICK, **options})


async def said(
    made: EndpointGenerator, prompt: Prompt | None = None, sofar: list[str] | None = None
) -> str:
    pieces = [] if sofar is None else sofar
    try:
        async for piece in made.stream(prompt or asked("Where is the kettle?"), 40):
            pieces.append(piece)
    finally:
        await made.aclose()
    return "".join(pieces)


async def test_pictures_go_as_data_urls_and_the_answer_comes_in_pieces() -> None:
    role = 'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": null}}]}'
    usage = 'data: {"choices": [], "usage": {"completion_tokens": 3}}'
    talk = streams(": ping", role, *says("In", " the", " pantry."), usage, "data: [DONE]")
    async with server(talk) as (url, heard):
        pieces: list[str] = []
        prompt = asked("What is this?", remembered(1), live(2))
        await said(generator(url, key=SecretStr(KEY)), prompt, pieces)
    assert pieces == ["In", " the", " pantry."]
    (body,) = heard.bodies
    assert (body["model"], body["stream"], body["max_tokens"]) == ("seer", True, 40)
    assert f"Bearer {KEY}" in heard.headers[0]
    parts = body["messages"][1]["content"]
    shown = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert len(shown) == 2
    kind, encoded = shown[0].split(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (320, 200)
    assert parts[-1]["text"].endswith("Question: What is this?")


async def test_without_pictures_a_text_is_sent_that_every_server_takes() -> None:
    async with server(streams(*says("Yes."), "data: [DONE]")) as (url, heard):
        assert await said(generator(url)) == "Yes."
    assert isinstance(heard.bodies[0]["messages"][1]["content"], str)
    assert "Authorization" not in heard.headers[0]


async def test_a_server_without_done_or_usage_is_understood() -> None:
    finished = 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}'
    async with server(streams(*says("It is", " here."), finished)) as (url, _):
        assert await said(generator(url)) == "It is here."


@pytest.mark.parametrize(
    "first",
    [
        answers("429 Too Many Requests", '{"error": {"message": "slow down"}}', "Retry-After: 0"),
        answers("503 Service Unavailable", "<html>nginx</html>"),
        hangs_up,
        stalls,
        streams(),
        streams("data: [DONE]"),
        streams("<html>", "hello"),
        streams('data: {"error": {"message": "CUDA out of memory"}}'),
    ],
    ids=["429", "503", "hangs up", "stalls", "empty", "nothing", "garbage", "error event"],
)
async def test_what_fails_before_the_first_word_is_tried_again(first: Talk) -> None:
    async with server(first, first, streams(*says("Here."), "data: [DONE]")) as (url, heard):
        assert await said(generator(url)) == "Here."
    assert len(heard.bodies) == 3


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (answers("503 Service Unavailable", '{"detail": "loading"}'), "answered 503: loading"),
        (answers("500 Internal Server Error", "<html>..."), "answered 500"),
        (hangs_up, "cannot be talked to"),
        (stalls, "fell silent"),
        (streams("nonsense"), "sends something else than an answer"),
        (streams("data: {]"), "sends something else than an answer"),
        (streams('data: {"error": "overloaded"}'), "failed: overloaded"),
        (streams("data: " + "x" * 1_200_000), "sends something else than an answer"),
    ],
    ids=["503", "500", "hangs up", "stalls", "text", "torn", "error", "endless"],
)
async def test_what_goes_on_failing_is_told_in_one_line(talk: Talk, why: str) -> None:
    async with server(talk) as (url, heard):
        with pytest.raises(GenerationFailed) as failed:
            await said(generator(url, key=SecretStr(KEY)))
    assert why in str(failed.value)
    assert str(failed.value).endswith("(3 tries)")
    assert "\n" not in str(failed.value)
    assert KEY not in str(failed.value)
    assert len(heard.bodies) == 3


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "404 Not Found"])
async def test_what_is_refused_is_not_tried_again(status: str) -> None:
    refused = answers(status, json.dumps({"error": {"message": "no model\nof that name"}}))
    async with server(refused) as (url, heard):
        with pytest.raises(GenerationFailed, match=f"answered {status[:3]}: no model of that name"):
            await said(generator(url))
    assert len(heard.bodies) == 1


@pytest.mark.parametrize(
    ("then", "why"),
    [
        (None, "stopped in the middle"),
        (hangs_up, "cannot be talked to|stopped in the middle"),
        (stalls, "took too long"),
        (streams('data: {"error": {"message": "preempted"}}'), "something else|preempted"),
    ],
    ids=["ends", "hangs up", "stalls", "fails"],
)
async def test_what_breaks_off_is_not_asked_again(then: Talk | None, why: str) -> None:
    async with server(streams(*says("The", " kettle"), then=then)) as (url, heard):
        pieces: list[str] = []
        with pytest.raises(GenerationFailed, match=why):
            await said(generator(url), None, pieces)
    assert pieces == ["The", " kettle"]
    assert len(heard.bodies) == 1


async def test_all_tries_together_have_a_limit() -> None:
    busy = answers("429 Too Many Requests", "", "Retry-After: 3600")
    async with server(busy) as (url, heard):
        with pytest.raises(GenerationFailed, match="429"):
            await said(generator(url))
    assert len(heard.bodies) == 1


async def test_closing_the_answer_closes_the_connection() -> None:
    async def goes_on(writer: asyncio.StreamWriter) -> None:
        while not writer.transport.is_closing():
            writer.write("".join(f"{line}\n\n" for line in says(" on")).encode())
            await writer.drain()
            await asyncio.sleep(0)
        raise ConnectionError

    async with server(streams(*says("It goes"), then=goes_on)) as (url, heard):
        made = generator(url)
        pieces = made.stream(asked("What?"), 40)
        assert await anext(pieces) == "It goes"
        await pieces.aclose()
        await asyncio.wait_for(heard.left.wait(), 5)
        await made.aclose()


async def test_the_key_is_in_no_log_and_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with server(stalls) as (url, _):
        closed = url
    with caplog.at_level(logging.DEBUG), pytest.raises(GenerationFailed) as failed:
        await said(generator(closed, key=SecretStr(KEY)))
    assert "cannot be talked to (ConnectError)" in str(failed.value)
    async with server(streams(*says("Here."), "data: [DONE]")) as (url, _):
        with caplog.at_level(logging.DEBUG):
            await said(generator(url, key=SecretStr(KEY)))
    assert "HTTP" in caplog.text
    told = str(failed.value) + caplog.text + repr(generator(closed, key=SecretStr(KEY)).__dict__)
    assert KEY not in told


def test_an_address_that_is_none_or_holds_a_secret_is_refused() -> None:
    for url in ("http://me:hunter2@seer/v1", "http://seer/v1?api_key=hunter2"):
        with pytest.raises(ModelUnusable, match="answer_key") as refused:
            generator(url)
        assert "hunter2" not in str(refused.value)
    for url in ("localhost:8000", "ftp://seer/v1", "http://"):
        with pytest.raises(ModelUnusable, match="answer_endpoint"):
            generator(url)


async def test_pictures_that_do_not_open_are_left_out_and_large_ones_made_smaller() -> None:
    torn = Picture(picture(1)[:150], "at 00:01")
    large = Picture(picture(2, 3000, 1500, "JPEG"), "at 00:02", live=True)
    async with server(streams(*says("Here."), "data: [DONE]")) as (url, heard):
        assert await said(generator(url), asked("What is this?", torn, large)) == "Here."
        with pytest.raises(GenerationFailed, match="does not"):
            await said(generator(url), asked("What is this?", torn))
    parts = heard.bodies[0]["messages"][1]["content"]
    (shown,) = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    width, height = Image.open(io.BytesIO(base64.b64decode(shown.split(",")[1]))).size
    assert width * height <= 512 * 32**2 * 1.01
    assert width == pytest.approx(2 * height, abs=2)
    assert generator(url).picture_tokens(large) <= 540
