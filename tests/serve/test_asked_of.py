"""`ask` as memory stood at a time or a version: before and after a fact changed, from one store."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.unit

HOOK = "The van keys are on the brass hook."
DRAWER = "I moved the van keys to the tin drawer."


async def tell(api: httpx.AsyncClient, start: float, text: str, stream_id: str = "hall") -> int:
    said = {"kind": "speech", "start": start, "end": start + 3, "text": text}
    wall = "2026-03-02T09:00:00+00:00" if stream_id == "hall" else "2026-03-02T10:00:00+00:00"
    body = {"stream_id": stream_id, "wall_start": wall, "observations": [said]}
    reply = await api.post("/v1/observations", json=body)
    return int(reply.json()["version"])


async def quotes(api: httpx.AsyncClient, **given: Any) -> list[str]:
    body = (await api.post("/v1/ask", json={"question": "Where are the van keys?", **given})).json()
    assert body["abstained"] is (not body["citations"])
    return [cited["quote"] for cited in body["citations"]]


@pytest.mark.parametrize("stream_id", ["hall", None])
async def test_a_time_on_the_stream_or_on_the_wall_gives_the_answer_of_then(
    api: httpx.AsyncClient, stream_id: str | None
) -> None:
    await tell(api, 20.0, HOOK)
    await tell(api, 1800.0, DRAWER)
    asked = {"stream_id": stream_id} if stream_id else {}
    for at in (900, "900", "15:00", "2026-03-02T09:15:00Z", "2026-03-02T10:15:00+01:00"):
        assert await quotes(api, at=at, **asked) == [HOOK], at
    for at in (2000, "33:20", "2026-03-02T09:40:00Z", "2026-03-03T00:00:00Z"):
        assert await quotes(api, at=at, **asked) == [DRAWER], at
    for at in (10, "2026-03-02T09:00:10Z", "2026-03-01T09:00:00Z"):
        assert await quotes(api, at=at, **asked) == [], at
    assert await quotes(api, **asked) == [DRAWER]


async def test_a_wall_clock_time_holds_across_streams(api: httpx.AsyncClient) -> None:
    await tell(api, 20.0, HOOK)
    await tell(api, 5.0, DRAWER, "yard")
    assert await quotes(api, at="2026-03-02T09:59:00Z") == [HOOK]
    assert await quotes(api, at="2026-03-02T10:01:00Z") == [DRAWER]


async def test_the_version_that_an_answer_named_gives_that_answer_again(
    api: httpx.AsyncClient,
) -> None:
    """Also where what was said later is about an earlier time."""
    await tell(api, 60.0, HOOK)
    first = (await api.post("/v1/ask", json={"question": "Where are the van keys?"})).json()
    version = first["snapshot"]["version"]
    later = await tell(api, 70.0, DRAWER)
    assert await quotes(api) == [DRAWER]
    assert await quotes(api, version=version) == [HOOK]
    again = (
        await api.post("/v1/ask", json={"question": "Where are the van keys?", "version": version})
    ).json()
    assert again["snapshot"]["version"] == version
    assert await quotes(api, version=later) == [DRAWER]
    reply = await api.post("/v1/ask", json={"question": "Where?", "version": later + 1000})
    assert reply.status_code == 422
    assert str(later) in reply.json()["error"]["message"]


@pytest.mark.parametrize("at", ["2026-03-02T09:15:00", "soonish", -5, "1e9"])
async def test_a_time_that_says_nothing_is_refused_in_words(
    api: httpx.AsyncClient, at: str | float
) -> None:
    await tell(api, 20.0, HOOK)
    reply = await api.post("/v1/ask", json={"question": "Where are the van keys?", "at": at})
    assert reply.status_code == 400
    assert str(at) in reply.json()["error"]["message"]
