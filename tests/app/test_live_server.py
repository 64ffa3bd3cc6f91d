"""The whole way with the real models: what a recording says and asks, over WebRTC."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from bench.caller import Caller, Pictures, Sound, samples_of, sounds
from tests.app.live_site import until
from tests.server import Server

pytestmark = pytest.mark.serve

SAMPLE = Path(__file__).parents[1] / "media" / "sample.mp4"
RATE = 48_000


async def test_a_question_the_recording_asks_is_answered_rightly_and_aloud(server: Server) -> None:
    truth = json.loads(SAMPLE.with_suffix(".json").read_text())
    spoken = [one for one in truth["events"] if one["kind"] in ("speech", "filler", "ask")]
    told = next(one for one in spoken if "umbrella" in one["text"])
    filler = next(one for one in spoken if one["kind"] == "filler")
    asked = truth["live_questions"][0]
    original = samples_of(SAMPLE)
    sound = Sound()
    at = 1.0
    for event in (told, filler, asked):
        piece = original[int((event["start"] - 0.3) * RATE) : int((event["end"] + 0.3) * RATE)]
        sound.say(piece, at=at)
        at += len(piece) / RATE + 2.0
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        caller = Caller(client, audio=sound, video=Pictures(SAMPLE), codec="H264")
        async with caller as call:
            call.follow()
            answer = await call.wait_for("answer", seconds=90)
            assert any(word in answer["answer"].lower() for word in asked["expect"])
            assert "umbrella" in answer["citations"][0]["quote"].lower()
            await until(lambda: len(sounds(call.heard)) > 10, 30)
            await until(lambda: call.of("state")[-1][1]["state"] == "listening", 30)
            assert len(call.of("answer")) == 1
            received = call.of("received")[-1][1]
            assert received["lost_audio"] == 0
            assert received["perceived_frames"] > 5
        what = {"stream_id": call.stream_id}
        (await client.request("DELETE", "/v1/memory", json=what)).raise_for_status()
