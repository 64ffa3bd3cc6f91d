"""HTTP as programs that know nothing of us speak it: HEAD, conditions, codings."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import httpx
import pytest

from memory.store import Store
from perception.records import Moment, Observation, Stream
from tests.memory.storing import picture

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "path", ["/healthz", "/v1/streams", "/docs", "/v1/streams/nobody/timeline"]
)
async def test_head_tells_what_get_would(api: httpx.AsyncClient, path: str) -> None:
    got, told = await api.get(path), await api.head(path)
    assert (told.status_code, told.content) == (got.status_code, b"")
    assert told.headers["content-type"] == got.headers["content-type"]


async def test_head_of_what_never_ends_is_refused(api: httpx.AsyncClient) -> None:
    assert (await api.head("/v1/streams/kitchen/events")).status_code == 405


async def test_a_picture_is_sent_once(api: httpx.AsyncClient, store: Store) -> None:
    digest, content = picture("crate")
    seen = Observation("cam", "vision", 0.0, 1.0, "A red box.")
    shown = Moment("cam", 0.0, 1.0, (seen,), keyframe=digest)
    store.remember(Stream("cam", datetime.now(UTC), "camera"), [shown], {digest: content})
    path = f"/v1/moments/{shown.id}/keyframe"
    first = await api.get(path)
    assert first.content == content
    again = await api.get(path, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert (await api.get(path, headers={"If-None-Match": '"other"'})).content == content


async def test_a_compressed_body_is_refused_in_words(api: httpx.AsyncClient) -> None:
    body = gzip.compress(json.dumps({"query": "remote"}).encode())
    coded = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    reply = await api.post("/v1/search", content=body, headers=coded)
    assert reply.status_code == 415
    assert "gzip" in reply.json()["error"]["message"]
    assert reply.headers["accept-encoding"] == "identity"


async def told(
    api: httpx.AsyncClient, *, wall_start: str | None = None, **said: str
) -> tuple[int, str]:
    seen = {"kind": "speech", "start": 1, "end": 2, "text": "The lamp is in the cellar.", **said}
    body = {"stream_id": "desk", "wall_start": wall_start, "observations": [seen]}
    reply = await api.post("/v1/observations", json=body)
    return reply.status_code, reply.json().get("error", {}).get("message", "")


@pytest.mark.parametrize(
    "wall", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T00:00:00Z"]
)
async def test_times_beyond_reckoning_are_refused(api: httpx.AsyncClient, wall: str) -> None:
    assert (await told(api, wall_start=wall))[0] == 400
    asked = {"question": "Where is the lamp?", "at": wall}
    assert (await api.post("/v1/ask", json=asked)).status_code == 400


async def test_minutes_and_seconds_of_a_clock_end_at_sixty(api: httpx.AsyncClient) -> None:
    for at in ("99:99:99", "1:60", "2:60:00"):
        reply = await api.post("/v1/ask", json={"question": "Where is the lamp?", "at": at})
        assert (reply.status_code, at in reply.text) == (400, True)


@pytest.mark.parametrize("text", ["", "  ", "\x00", "\x01\x07", "\u202e\u202d"])
async def test_what_nobody_can_read_is_refused(api: httpx.AsyncClient, text: str) -> None:
    assert await told(api, text=text) == (
        422,
        "observations.0.text: there is nothing to read in it",
    )
    assert (await api.post("/v1/ask", json={"question": text})).status_code == 422


async def test_control_characters_are_not_remembered(api: httpx.AsyncClient) -> None:
    assert (await told(api, text="The lamp\x00 is\x0cin the\ncellar.", speaker="In\x00es"))[
        0
    ] == 200
    (hit,) = (await api.post("/v1/search", json={"query": "lamp"})).json()["results"]
    assert (hit["text"], hit["speaker"]) == ("The lamp  is in the\ncellar.", "In es")


async def test_json_under_another_name_is_told_of_its_own(api: httpx.AsyncClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": kind}
        reply = await api.post("/v1/search", content=b'{"query": "lamp"}', headers=headers)
        assert reply.status_code == 415
        assert "Content-Type: application/json" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"query": ', 422, "not JSON"),
        (b"[]", 422, "a JSON object"),
        (b'{"query": "\xe9"}', 400, "UTF-8"),
        (b"[" * 100_000, 400, "not JSON"),
        (b'{"query": "lamp", "stream_id": "a/b"}', 422, "at most 128 letters"),
    ],
)
async def test_what_is_wrong_with_a_body_is_said_in_words(
    api: httpx.AsyncClient, body: bytes, status: int, words: str
) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await api.post("/v1/search", content=body, headers=headers)
    assert (reply.status_code, words in reply.json()["error"]["message"]) == (status, True)
