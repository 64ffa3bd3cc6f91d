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
