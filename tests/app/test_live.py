"""A conversation over real WebRTC on the loopback, with models that are fakes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from app.live import CHUNK, LONGEST_QUEUE, LiveSource
from app.voice import PACKET, VoiceTrack
from bench.caller import Caller, Colours, Sound, sounds
from perception.records import SAMPLE_RATE
from perception.sources import AudioChunk
from reasoning.speaker import RATE, Speech, ToneSpeaker
from tests.app.live_site import live_site, tone, until

pytestmark = pytest.mark.unit

TEXTS = (
    "I left the umbrella in the top drawer.",
    "Where did I leave the umbrella?",
    "Um, okay.",
    "The passport is on the shelf.",
    "Where is the passport?",
)
LEFT, WHERE, FILLER, PASSPORT, WHERE_PASSPORT = range(5)
ANSWER = "You left the umbrella in the top drawer."


async def test_a_spoken_question_is_answered_with_its_evidence_and_a_voice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live_site(tmp_path, monkeypatch, TEXTS, {"umbrella": ANSWER}) as site:
        sound = Sound()
        async with Caller(site.client, audio=sound, video=Colours()) as call:
            following = site.follow(call)
            sound.say(tone(LEFT), at=0.5)
            sound.say(tone(WHERE), at=3.5)
            answer = await call.wait_for("answer")
            assert answer["answer"] == ANSWER
            (citation,) = answer["citations"]
            assert citation["quote"] == TEXTS[LEFT]
            assert citation["stream_id"] == call.stream_id
            assert answer["utterance"]["text"] == TEXTS[WHERE]
            await until(lambda: len(sounds(call.heard)) > 20)
            assert [p for _, p in call.of("partial")]
            states = [body["state"] for _, body in call.of("state")]
            assert states.index("hearing") < states.index("thinking") < states.index("speaking")
            stream_id = call.stream_id
        await until(lambda: len(site.calls) == 0)
        following.cancel()
        moments = (await site.client.get(f"/v1/streams/{stream_id}/timeline")).json()["moments"]
        roles = [seen["role"] for one in moments for seen in one["observations"]]
        assert {"statement", "question"} <= set(roles)
        assert any(seen["kind"] == "vision" for one in moments for seen in one["observations"])
        assert site.speaker.said == [ANSWER]


async def test_barge_in_cuts_the_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToneSpeaker, "speak", lambda *_: Speech(np.tile(tone(1), 6), RATE))
    async with live_site(tmp_path, monkeypatch, TEXTS, {"umbrella": ANSWER}) as site:
        sound = Sound()
        async with Caller(site.client, audio=sound) as call:
            following = site.follow(call)
            sound.say(tone(LEFT), at=0.5)
            sound.say(tone(WHERE), at=3.5)
            await call.wait_for("answer")
            await until(lambda: len(sounds(call.heard)) > 10)
            began = sound.say(tone(FILLER, 0.6))
            await call.wait_for("interrupted")
            await asyncio.sleep(0.4)  # as long as sound may be on its way
            last = sounds(call.heard)[-1]
            assert last - began < 0.4
        following.cancel()
        await until(lambda: len(site.calls) == 0)
        moments = (await site.client.get(f"/v1/streams/{call.stream_id}/timeline")).json()[
            "moments"
        ]
        answers = [
            seen["ref"]
            for one in moments
            for seen in one["observations"]
            if seen["role"] == "answer"
        ]
        assert answers == ["interrupted"]


async def test_fillers_trigger_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with live_site(tmp_path, monkeypatch, TEXTS) as site:
        sound = Sound()
        async with Caller(site.client, audio=sound) as call:
            following = site.follow(call)
            for n in range(2):
                sound.say(tone(FILLER, 0.7), at=0.5 + n * 1.8)
            await call.wait_for("observation", 2)
            states = {body["state"] for _, body in call.of("state")}
            assert states <= {"listening", "hearing"}
            assert sounds(call.heard) == []
        following.cancel()


async def test_two_sessions_do_not_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"umbrella": ANSWER, "passport": "The passport is on the shelf."}
    async with live_site(tmp_path, monkeypatch, TEXTS, answers) as site:
        one, other = Sound(), Sound()
        async with (
            Caller(site.client, audio=one) as first,
            Caller(site.client, audio=other) as second,
        ):
            following = [site.follow(first), site.follow(second)]
            one.say(tone(LEFT), at=0.5)
            one.say(tone(WHERE), at=3.5)
            other.say(tone(PASSPORT), at=0.5)
            assert (await first.wait_for("answer"))["citations"][0]["quote"] == TEXTS[LEFT]
            await until(lambda: len(sounds(first.heard)) > 5)
            assert sounds(second.heard) == []
            assert second.of("answer") == []
            other.say(tone(WHERE_PASSPORT))
            cited = (await second.wait_for("answer"))["citations"]
            assert [c["quote"] for c in cited] == [TEXTS[PASSPORT]]
            assert len(first.of("answer")) == 1
        for task in following:
            task.cancel()


async def test_a_stream_goes_on_after_a_reconnect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live_site(tmp_path, monkeypatch, TEXTS, {"umbrella": ANSWER}) as site:
        sound = Sound()
        async with Caller(site.client, audio=sound, stream_id="kitchen") as call:
            following = site.follow(call)
            sound.say(tone(LEFT), at=0.5)
            await call.wait_for("observation")
        following.cancel()
        await until(lambda: len(site.calls) == 0)
        first = await site.hub.stream("kitchen")
        sound = Sound()
        async with Caller(site.client, audio=sound, stream_id="kitchen") as call:
            following = site.follow(call)
            sound.say(tone(WHERE), at=0.5)
            answer = await call.wait_for("answer")
            assert answer["citations"][0]["quote"] == TEXTS[LEFT]
            assert answer["utterance"]["start"] > first.seconds
        following.cancel()
        assert (await site.hub.stream("kitchen")).wall_start == first.wall_start


async def test_audio_is_given_without_gaps_in_stream_time() -> None:
    now = 100.0
    source = LiveSource(lambda: now)
    source.hear(np.ones(SAMPLE_RATE // 10, np.float32))
    now = 103.0  # packets were lost for almost three seconds
    source.hear(np.ones(SAMPLE_RATE // 10, np.float32))
    source.close()
    chunks = [item async for item in source if isinstance(item, AudioChunk)]
    assert chunks[0].start == pytest.approx(99.9)
    for before, after in zip(chunks, chunks[1:], strict=False):
        assert after.start == pytest.approx(before.end)
    assert source.received.filled == pytest.approx(2.5, abs=0.1)
    assert all(len(one.samples) == CHUNK for one in chunks[:-1])


async def test_audio_is_lost_only_beyond_the_bound_and_counted() -> None:
    source = LiveSource(lambda: 1000.0)
    for _ in range(130):
        source.hear(np.ones(SAMPLE_RATE, np.float32))
    assert source.received.lost_audio == pytest.approx(130 - LONGEST_QUEUE / SAMPLE_RATE)


async def test_of_the_video_only_the_latest_frame_waits() -> None:
    now = 0.0
    source = LiveSource(lambda: now, frames_per_second=2)

    class Picture:
        def __init__(self, name: int) -> None:
            self.name = name

    for tick in range(30):
        now = tick / 10
        source.see(Picture(tick))
    assert source._frame is not None
    assert source._frame[1].name == 25
    assert source.received.dropped_frames == 5


async def test_the_voice_is_sent_in_packets_and_falls_silent_within_one() -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.02
        return now

    track = VoiceTrack(clock)
    finished: list[bool] = []
    track.on_finished = lambda: finished.append(True)
    track.say(Speech(np.full(RATE, 5000, np.int16), RATE))
    first = await track.recv()
    assert first.samples == PACKET
    assert np.abs(first.to_ndarray()).max() == 5000
    track.silence()
    fading = (await track.recv()).to_ndarray()[0]
    assert np.abs(fading[300:]).max() == 0
    assert np.abs((await track.recv()).to_ndarray()).max() == 0
    assert not track.speaking
