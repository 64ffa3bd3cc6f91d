"""Conversation over loopback WebRTC, in real time, against a server that is started for it.

    python -m bench live RECORDING.mp4 ... [--asked 14] [--minutes 5]

Each recording is sent as a camera and a microphone would, and its truth file (RECORDING.json)
says what is asked in it. Then its written questions are asked by voice (Piper's) and the answers
held against it, and the agent is interrupted; then questions are answered back to back while the
recording goes on. The control is the same pipeline run one stage after another
(`bench/straight.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np

import models
from bench import truth
from bench.caller import Caller, Pictures, Sound, samples_of, sounds
from bench.table import report
from reasoning.speaker import PiperSpeaker
from serve.launch import free_port

START_LIMIT = 180.0  # seconds until the server is up
ANSWER_LIMIT = 20.0  # seconds
SPLIT = 0.3  # seconds before its end that speech may be cut without a word being lost
INTERRUPTION = "Wait, hold on a moment."
BARGE_INS = 6


@dataclass
class Figures:
    """Seconds, by what they measure."""

    first_token: list[float] = field(default_factory=list)
    first_sound: list[float] = field(default_factory=list)
    asked: int = 0
    answered: int = 0
    right: int = 0
    false_triggers: int = 0
    spoken: int = 0
    cut_off: int = 0
    silenced: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    received: dict[str, float] = field(default_factory=dict)
    busy_seconds: float = 0.0
    busy_answers: int = 0


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench live`."""
    parser = argparse.ArgumentParser(prog="bench live", description=__doc__)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--asked", type=int, default=14, help="written questions asked by voice")
    parser.add_argument("--minutes", type=float, default=5.0, help="of answers back to back")
    parser.add_argument("--url", help="a server that runs already")
    parser.add_argument("--no-control", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    rows = []
    with server(given.url) as url:
        for recording in given.recordings:
            figures = asyncio.run(measure(url, recording, given.asked, given.minutes * 60))
            rows.append(row(recording.stem, figures))
            print(json.dumps(rows[-1]), file=sys.stderr)
    if not given.no_control:
        from bench.straight import measure_straight

        for recording in given.recordings:
            straight = asyncio.run(measure_straight(recording))
            rows.append(row(f"control: {recording.stem}, one stage after another", straight))
    report("live", rows, given.json)


@contextmanager
def server(url: str | None) -> Iterator[str]:
    """A server of its own on a free loopback port, unless there is one."""
    if url is not None:
        yield url
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as store:
        settings = {"LOOKBACK_STORE": store, "LOOKBACK_ICE_HOST_ADDRESSES": "127.0.0.1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", "--port", str(port)],
            env={**os.environ, **settings},
            stdout=sys.stderr,
        )
        try:
            wait_until_up(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    """Raises RuntimeError if the server dies or takes too long."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/healthz", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise RuntimeError(f"the server at {url} did not come up")


async def measure(url: str, recording: Path, asked: int, busy_seconds: float) -> Figures:
    """One recording, from its beginning to the end of the back-to-back part."""
    truth_file = recording.with_suffix(".json")
    said = json.loads(truth_file.read_text())
    figures = Figures()
    seconds = said["seconds"]
    loops = 2 + int((asked * 15 + BARGE_INS * 15 + busy_seconds) / seconds)
    sound = Sound()
    original = await asyncio.to_thread(samples_of, recording)
    sound.say(original, at=0.0)
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        async with Caller(
            client, audio=sound, video=Pictures(recording, loops), codec="H264"
        ) as call:
            call.follow()
            await asyncio.sleep(seconds + 3)
            began = sound.began or 0.0
            print(f"{recording.stem}: played; measuring", file=sys.stderr)
            offset = await _stream_offset(client, call, began)
            _count_recording(figures, said, call, began, offset)
            voice = PiperSpeaker(models.locate("piper-joe"))
            planted = truth.read(truth_file)[:asked]
            for one in planted:
                body = await _ask(figures, call, sound, voice, one.question)
                figures.right += body is not None and _right(one, body)
            questions = [one.question for one in planted]
            for number in range(BARGE_INS):
                text = questions[number % len(questions)]
                await _interrupt(figures, call, sound, voice, text)
            await _back_to_back(figures, client, call, sound, original, questions, busy_seconds)
            received = call.of("received")
            figures.received = {**(received[-1][1] if received else {}), **figures.received}
    return figures


async def _stream_offset(client: httpx.AsyncClient, call: Caller, began: float) -> float:
    """Stream time at which the recording began."""
    listed = (await client.get("/v1/streams")).json()["streams"]
    start = next(one["wall_start"] for one in listed if one["stream_id"] == call.stream_id)
    wall_began = time.time() - (time.monotonic() - began)
    return wall_began - datetime.fromisoformat(start).timestamp()


def _right(planted: truth.Planted, body: dict[str, Any]) -> bool:
    """By its words: the pictures go round, so that what it rests on may have been seen again."""
    right = truth.right(planted, body["answer"], body["abstained"], None)
    if not right:
        heard = body["utterance"]["text"]
        print(f"  not right: {planted.question} (heard: {heard}) {body['answer']}", file=sys.stderr)
    return right


def _count_recording(
    figures: Figures, recorded: dict[str, Any], call: Caller, began: float, offset: float
) -> None:
    """Answers, false triggers and cut-offs of what the recording itself says."""
    answers = [body for _, body in call.of("answer") if body["trigger"] == "spoken"]
    claimed = set()
    for question in recorded["live_questions"]:
        end = offset + question["end"]
        mine = [n for n, a in enumerate(answers) if abs(a["utterance"]["end"] - end) < 3]
        claimed.update(mine)
        figures.asked += 1
        figures.answered += bool(mine)
        answer = answers[mine[0]]["answer"].lower() if mine else ""
        figures.right += any(word.lower() in answer for word in question["expect"])
        _latencies(figures, call, began + question["end"])
    figures.false_triggers += len(answers) - len(claimed)
    heard = [
        o for _, o in call.of("observation") if o["kind"] == "speech" and o["role"] != "answer"
    ]
    for event in recorded["events"]:
        if event["kind"] not in ("speech", "ask", "filler"):
            continue
        figures.spoken += 1
        start, end = offset + event["start"], offset + event["end"]
        figures.cut_off += any(start + 0.2 < o["end"] < end - SPLIT for o in heard)


def _latencies(figures: Figures, call: Caller, ended: float) -> None:
    """From the end of speech (monotonic) to the first token and the first sound after it."""
    tokens = [at for at, _ in call.of("token") if ended - 0.5 < at < ended + ANSWER_LIMIT]
    if not tokens:
        return
    figures.first_token.append(tokens[0] - ended)
    _show_stages(call, ended)
    loud = [at for at in sounds(call.heard, tokens[0] - 0.05) if at < ended + ANSWER_LIMIT]
    if loud:
        figures.first_sound.append(loud[0] - ended)


def _show_stages(call: Caller, ended: float) -> None:
    """Say when each stage of an answer was reached, seconds after the end of speech."""
    stages: dict[str, float] = {}
    for at, kind, body in call.events:
        if not ended - 4 < at < ended + ANSWER_LIMIT:
            continue
        name = body.get("state", kind) if kind == "state" else kind
        if kind == "observation" and body["role"] != "question":
            continue
        if name == "listening" and at < ended:
            continue
        if kind in ("state", "observation", "token", "partial", "answer"):
            stages[name] = (
                round(at - ended, 2)
                if name == "partial"
                else stages.get(name, round(at - ended, 2))
            )
    answers = [body for at, body in call.of("answer") if ended < at < ended + ANSWER_LIMIT]
    timings = answers[0]["timings"] if answers else {}
    print(f"  after the end of speech: {stages} {timings}", file=sys.stderr)


async def _ask(
    figures: Figures, call: Caller, sound: Sound, voice: PiperSpeaker, text: str
) -> dict[str, Any] | None:
    """Ask by voice and wait for the whole answer, spoken; None where none came."""
    speech = await asyncio.to_thread(voice.speak, f"Hey Lookback, {text[0].lower()}{text[1:]}")
    await _quiet(call)
    answers = len(call.of("answer"))
    ended = sound.say(speech.samples) + _voiced(speech.samples) / speech.rate
    figures.asked += 1
    try:
        body = await call.wait_for("answer", answers + 1, speech.seconds + ANSWER_LIMIT)
    except TimeoutError:
        heard = [o["text"] for at, o in call.of("observation") if at > ended - speech.seconds]
        print(f"  not answered: {text} (heard: {' | '.join(heard)})", file=sys.stderr)
        return None
    figures.answered += 1
    await asyncio.sleep(1.5)
    _latencies(figures, call, ended)
    return body


async def _interrupt(
    figures: Figures, call: Caller, sound: Sound, voice: PiperSpeaker, text: str
) -> None:
    """Ask, and speak while the answer is being spoken: how long it goes on being heard."""
    answer = Figures()
    words = await asyncio.to_thread(voice.speak, INTERRUPTION)
    if await _ask(answer, call, sound, voice, f"Summarize what happened: {text}") is None:
        return
    if not sounds(call.heard, time.monotonic() - 0.1):
        return  # it had finished already
    began = sound.say(words.samples) + _lead(words.samples) / words.rate
    await asyncio.sleep(words.seconds + 1.5)
    after = [at for at in sounds(call.heard, began) if at < began + 1.4]
    figures.silenced.append((after[-1] if after else began) - began)


async def _back_to_back(
    figures: Figures,
    client: httpx.AsyncClient,
    call: Caller,
    sound: Sound,
    original: Any,
    questions: Sequence[str],
    seconds: float,
) -> None:
    """One written question after another, while somebody speaks and shows things."""
    began = time.monotonic()
    before = call.of("received")[-1][1]
    while time.monotonic() - began < seconds:
        if figures.busy_answers % 20 == 0:
            sound.say(original[: 60 * 48_000])
        text = questions[figures.busy_answers % len(questions)]
        await client.post("/v1/ask", json={"question": text, "stream_id": call.stream_id})
        figures.busy_answers += 1
    figures.busy_seconds = time.monotonic() - began
    figures.lags = [body["lag"] for at, body in call.of("progress") if at >= began]
    after = call.of("received")[-1][1]
    perceived = after["perceived_frames"] - before["perceived_frames"]
    figures.received["frames_per_second"] = perceived / max(1.0, figures.busy_seconds)


async def _quiet(call: Caller) -> None:
    """Until the agent has not been heard for a second."""
    while sounds(call.heard, time.monotonic() - 1.0):  # noqa: ASYNC110 - sound tells no event
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)


def _voiced(samples: Any) -> int:
    """Index after the last sample that is heard."""
    loud = np.flatnonzero(np.abs(samples) > 600)
    return int(loud[-1]) + 1 if len(loud) else 0


def _lead(samples: Any) -> int:
    loud = np.flatnonzero(np.abs(samples) > 600)
    return int(loud[0]) if len(loud) else 0


def row(name: str, figures: Figures) -> dict[str, Any]:
    """Figures as a line of the table: seconds, shares and counts."""

    def at(values: Sequence[float], share: float) -> float | None:
        return round(float(np.quantile(values, share)), 3) if values else None

    return {
        "run": name,
        "asked": figures.asked,
        "answered": figures.answered,
        "first token p50": at(figures.first_token, 0.5),
        "p95": at(figures.first_token, 0.95),
        "first sound p50": at(figures.first_sound, 0.5),
        "sound p95": at(figures.first_sound, 0.95),
        "right": figures.right,
        "false triggers": figures.false_triggers,
        "cut off": f"{figures.cut_off}/{figures.spoken}",
        "barge-in p50": at(figures.silenced, 0.5),
        "barge-in p95": at(figures.silenced, 0.95),
        "busy lag p95": at(figures.lags, 0.95),
        "busy answers": figures.busy_answers,
        "frames/s": round(figures.received.get("frames_per_second", 0.0), 2),
        "lost audio": figures.received.get("lost_audio"),
    }
