"""WHIP (RFC 9725) from an aiortc client over the loopback."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiortc import RTCSessionDescription

from app.webrtc import ice_servers, link_headers
from bench.caller import Caller, Colours, Sound
from serve.errors import Busy
from tests.app.live_site import LiveSite, live_site, until

pytestmark = pytest.mark.unit

SDP = {"Content-Type": "application/sdp"}


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[LiveSite, None]:
    async with live_site(tmp_path, monkeypatch) as one:
        yield one


async def refused(site: LiveSite, body: str | bytes, **headers: str) -> tuple[int, str]:
    response = await site.client.post("/whip", content=body, headers={**SDP, **headers})
    assert len(site.calls) == 0
    return response.status_code, response.json()["error"]["code"]


async def test_an_offer_is_answered_201_with_where_to_end_it(site: LiveSite) -> None:
    caller = Caller(site.client, audio=Sound(), video=Colours())
    response = await site.client.post("/whip", content=await caller.offer(), headers=SDP)
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/sdp"
    assert response.headers["location"].startswith("/whip/live-")
    assert response.headers["etag"].startswith('"')
    assert "a=candidate:" in response.text
    assert "127.0.0.1" in response.text
    assert "a=setup:passive" in response.text
    ended = await site.client.delete(response.headers["location"])
    assert ended.status_code == 200
    assert len(site.calls) == 0
    again = await site.client.delete(response.headers["location"])
    assert again.status_code == 404
    await caller.connection.close()


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_video_of_either_codec_and_opus_arrive(site: LiveSite, codec: str) -> None:
    async with Caller(site.client, audio=Sound(), video=Colours(), codec=codec) as call:
        source = site.calls._calls[call.stream_id].source
        await until(lambda: source.received.frames >= 3 and source.received.audio >= 0.3)
        assert source.received.frames >= 3
        assert source.received.audio >= 0.3


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_one_kind_alone_is_enough(site: LiveSite, kind: str) -> None:
    tracks = {"audio": Sound()} if kind == "audio" else {"video": Colours()}
    async with Caller(site.client, **tracks) as call:
        source = site.calls._calls[call.stream_id].source
        await until(lambda: source.received.frames + source.received.audio > 0.2)
        assert (source.received.audio > 0, source.received.frames > 0) == (
            kind == "audio",
            kind == "video",
        )


async def test_an_offer_without_candidates_connects(site: LiveSite) -> None:
    caller = Caller(site.client, audio=Sound())
    lines = [line for line in (await caller.offer()).splitlines() if "candidate" not in line]
    response = await site.client.post("/whip", content="\r\n".join([*lines, ""]), headers=SDP)
    assert response.status_code == 201
    answer = RTCSessionDescription(response.text, "answer")
    await caller.connection.setRemoteDescription(answer)
    (call,) = site.calls._calls.values()
    await until(lambda: call.source.received.audio > 0)
    await caller.connection.close()


async def test_an_offer_that_says_what_is_shared_only_once_connects(site: LiveSite) -> None:
    """As in the RFC's own example: sections but the first are bundle-only, on port 0."""
    caller = Caller(site.client, audio=Sound(), video=Colours())
    shared = re.compile(r"a=(ice-|fingerprint|setup|rtcp|candidate|end-of-candidates)")
    head, first, *others = re.split("(?m)^(?=m=)", await caller.offer())
    short = [
        re.sub(r"^(m=\w+) \d+", r"\1 0", line)
        for one in others
        for line in one.splitlines()
        if not shared.match(line)
    ]
    offer = head + first + "\r\n".join([*short, ""])
    response = await site.client.post("/whip", content=offer, headers=SDP)
    assert response.status_code == 201
    answer = RTCSessionDescription(response.text, "answer")
    await caller.connection.setRemoteDescription(answer)
    (call,) = site.calls._calls.values()
    await until(lambda: call.source.received.frames and call.source.received.audio)
    await caller.connection.close()


async def test_h264_of_any_profile_is_agreed_to(site: LiveSite) -> None:
    caller = Caller(site.client, video=Colours(), codec="H264")
    offer = (await caller.offer()).replace("42e01f", "64001f").replace("42001f", "640028")
    response = await site.client.post("/whip", content=offer, headers=SDP)
    assert response.status_code == 201
    assert "profile-level-id=64001f" in response.text
    await caller.connection.close()


async def test_a_plain_sender_gets_no_voice_and_who_listens_does(site: LiveSite) -> None:
    async with Caller(site.client, audio=Sound(), listens=False) as call:
        assert "a=recvonly" in call.answer
    async with Caller(site.client, audio=Sound()) as call:
        assert "a=sendrecv" in call.answer


async def test_a_body_that_is_no_sdp_is_refused(site: LiveSite) -> None:
    assert await refused(site, "hello") == (400, "bad_offer")
    assert await refused(site, b"\xff\xfe\x00") == (400, "bad_offer")
    assert await refused(site, "") == (400, "bad_offer")
    assert await refused(site, "v=0\r\nm=audio nonsense\r\n") == (400, "bad_offer")
    assert await refused(site, "v=0\r\n" + "a=x\r\n" * 100_000) == (413, "too_large")


@pytest.mark.parametrize(
    ("cut", "instead"),
    [
        ("a=ice-ufrag", "a=nothing"),
        ("a=fingerprint", "a=nothing"),
        ("a=rtpmap", "a=nothing"),
        ("m=audio", "m=\x00"),
        ("opus", "unheard-of"),
    ],
)
async def test_a_damaged_offer_is_refused(site: LiveSite, cut: str, instead: str) -> None:
    caller = Caller(site.client, audio=Sound())
    offer = (await caller.offer()).replace(cut, instead)
    if cut == "opus":
        offer = offer.replace("PCM", "XYZ").replace("G722", "XYZ")
    assert await refused(site, offer) == (400, "bad_offer")
    await caller.connection.close()


async def test_an_offer_that_sends_nothing_is_refused(site: LiveSite) -> None:
    caller = Caller(site.client, audio=Sound())
    offer = (await caller.offer()).replace("a=sendrecv", "a=recvonly")
    assert await refused(site, offer) == (400, "bad_offer")
    await caller.connection.close()


async def test_another_content_type_is_refused(site: LiveSite) -> None:
    assert await refused(site, "v=0", **{"Content-Type": "text/plain"}) == (
        415,
        "unsupported_media_type",
    )


async def test_trickle_and_other_methods_get_405_in_words(site: LiveSite) -> None:
    patched = await site.client.patch("/whip/kitchen", content="a=ice-ufrag:x")
    assert patched.status_code == 405
    assert "trickle" in patched.json()["error"]["message"]
    for path in ("/whip", "/whip/kitchen"):
        assert (await site.client.put(path)).status_code == 405


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_there_is_nothing_to_read_which_is_no_error(site: LiveSite, method: str) -> None:
    looked = await site.client.request(method, "/whip")
    assert (looked.status_code, looked.content) == (204, b"")
    async with Caller(site.client, audio=Sound(), stream_id="kitchen"):
        assert (await site.client.request(method, "/whip/kitchen")).status_code == 204
    assert (await site.client.request(method, "/whip/kitchen")).status_code == 404


async def test_a_stream_id_that_cannot_be_is_refused(site: LiveSite) -> None:
    for stream_id in ("../x", "..", "."):
        response = await site.client.post(
            f"/whip?stream_id={stream_id}", content="v=0", headers=SDP
        )
        assert response.status_code == 422


async def test_an_id_in_any_script_comes_back_as_an_address(site: LiveSite) -> None:
    """A header holds no such letters: the answer was a 500."""
    caller = Caller(site.client, audio=Sound())
    named = {"stream_id": "Küche 台所"}
    response = await site.client.post(
        "/whip", params=named, content=await caller.offer(), headers=SDP
    )
    assert response.status_code == 201
    assert response.headers["location"] == "/whip/K%C3%BCche%20%E5%8F%B0%E6%89%80"
    assert (await site.client.delete(response.headers["location"])).status_code == 200
    assert len(site.calls) == 0
    await caller.connection.close()


async def test_a_session_with_nothing_to_remember_yet_is_a_stream(
    site: LiveSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object, **__: object) -> int:
        return 1

    monkeypatch.setattr(site.hub.services.memory, "remember", nothing)
    async with Caller(site.client, audio=Sound(), stream_id="kitchen"):
        reply = await site.client.get("/v1/streams/kitchen/timeline")
        assert (reply.status_code, reply.json()["moments"]) == (200, [])
    assert (await site.client.get("/v1/streams/kitchen/timeline")).status_code == 404


async def test_a_stream_that_is_live_is_not_taken_twice(site: LiveSite) -> None:
    async with Caller(site.client, audio=Sound(), stream_id="kitchen") as call:
        assert call.stream_id == "kitchen"
        other = Caller(site.client, audio=Sound())
        response = await site.client.post(
            "/whip?stream_id=kitchen", content=await other.offer(), headers=SDP
        )
        assert response.status_code == 409
        await other.connection.close()


async def test_a_session_gone_quiet_makes_way_for_the_page_that_was_reloaded(
    site: LiveSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Caller(site.client, audio=Sound(), stream_id="kitchen"):
        before = site.calls._calls["kitchen"]
        monkeypatch.setattr(type(before), "quiet", 3.0)
        async with Caller(site.client, audio=Sound(), stream_id="kitchen"):
            assert site.calls._calls["kitchen"] is not before
            assert len(site.calls) == 1


async def test_beyond_the_limit_is_503_with_when_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live_site(tmp_path, monkeypatch, live_sessions=1) as site:
        async with Caller(site.client, audio=Sound()):
            other = Caller(site.client, audio=Sound())
            response = await site.client.post("/whip", content=await other.offer(), headers=SDP)
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) > 0
            await other.connection.close()
        async with Caller(site.client, audio=Sound()):
            pass


async def test_without_the_token_nothing_but_a_preflight_gets_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = {"Origin": "https://studio.example"}
    async with live_site(tmp_path, monkeypatch, token="secret") as site:
        assert (await site.client.post("/whip", content="v=0", headers=SDP)).status_code == 401
        assert (await site.client.delete("/whip/kitchen")).status_code == 401
        preflight = await site.client.options("/whip", headers=origin)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "https://studio.example"
        assert "Authorization" in preflight.headers["access-control-allow-headers"]
        bearer = {"Authorization": "Bearer secret", **origin}
        given = await site.client.post("/whip", content="v=0", headers={**SDP, **bearer})
        assert given.status_code == 400
        assert given.headers["access-control-allow-origin"] == "https://studio.example"


async def test_a_server_with_its_hands_full_says_when_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: str) -> None:
        raise Busy("Memory", 7)

    headers = {**SDP, "Authorization": "Bearer secret", "Origin": "https://studio.example"}
    async with live_site(tmp_path, monkeypatch, token="secret") as site:
        monkeypatch.setattr(site.hub, "find_stream", full)
        response = await site.client.post("/whip", content="v=0", headers=headers)
        assert (response.status_code, response.headers["retry-after"]) == (429, "7")
        assert "access-control-allow-origin" in response.headers  # else its page could not read it
        assert len(site.calls) == 0


async def test_without_a_token_no_other_site_may_call(site: LiveSite) -> None:
    origin = {"Origin": "https://studio.example"}
    preflight = await site.client.options("/whip", headers=origin)
    assert "access-control-allow-origin" not in preflight.headers
    assert preflight.headers["allow"] == "GET, HEAD, POST, OPTIONS"
    assert (await site.client.post("/whip", content="v=0", headers={**SDP, **origin})).status_code == 403  # fmt: skip


async def test_ice_servers_of_the_settings_are_told_to_senders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = (
        '[{"urls": "turn:127.0.0.1:9?transport=udp", "username": "me", "credential": "s\\"x"}]'
    )
    (told,) = link_headers(ice_servers(servers))
    assert told == (
        '<turn:127.0.0.1:9?transport=udp>; rel="ice-server"; username="me"; credential="s\\"x"; '
        'credential-type="password"'
    )
    async with live_site(tmp_path, monkeypatch, ice_servers=servers, token="secret") as site:
        preflight = await site.client.options("/whip")
        assert "link" not in preflight.headers  # secrets are for who has the token
        # The page asks so before it gathers addresses. A scheme's letters have no case.
        known = {"Authorization": "bearer secret"}
        assert (await site.client.options("/whip", headers=known)).headers["link"] == told
        assert "link" not in (await site.client.options("/whip/kitchen", headers=known)).headers
    assert link_headers(ice_servers("stun:a.example, stun:b.example")) == [
        '<stun:a.example>; rel="ice-server"',
        '<stun:b.example>; rel="ice-server"',
    ]


async def test_fifty_sessions_opened_and_abandoned_are_all_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live_site(tmp_path, monkeypatch, live_sessions=50, idle_seconds=0.5) as site:
        caller = Caller(site.client, audio=Sound(), video=Colours())
        offer = await caller.offer()
        await caller.connection.close()
        before = len(asyncio.all_tasks()), threading.active_count()
        for _ in range(50):
            response = await site.client.post("/whip", content=offer, headers=SDP)
            assert response.status_code == 201
        await until(lambda: len(site.calls) == 0, 40)
        await until(lambda: len(asyncio.all_tasks()) <= before[0] + 2)
        assert threading.active_count() <= before[1] + 40  # the loop's own pool of threads
        assert site.hub.live == {}


async def test_closing_the_server_ends_every_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live_site(tmp_path, monkeypatch) as site:
        caller = Caller(site.client, audio=Sound())
        await site.client.post("/whip", content=await caller.offer(), headers=SDP)
        assert len(site.calls) == 1
        await site.hub.close()
        assert len(site.calls) == 0
        await caller.connection.close()


async def test_a_sender_that_goes_away_ends_its_session(site: LiveSite) -> None:
    call = Caller(site.client, audio=Sound())
    await call.__aenter__()
    source = site.calls._calls[call.stream_id].source
    await until(lambda: source.received.audio > 0)
    await call.connection.close()
    await until(lambda: call.stream_id not in site.calls)
    assert len(site.calls) == 0
