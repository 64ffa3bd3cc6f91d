"""The whole system on a real recording: three deployments, real models, the command line in front."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench import truth
from serve.launch import free_port
from tests.server import Server, lookback

pytestmark = pytest.mark.serve

MEDIA = Path(__file__).parents[1] / "media"
SAMPLE = MEDIA / "sample.mp4"


@pytest.fixture(scope="module")
def replayed(server: Server) -> list[dict[str, Any]]:
    """What `lookback replay` printed for the sample recording and its questions."""
    questions = str(MEDIA / "questions.jsonl")
    done = lookback(
        "replay",
        str(SAMPLE),
        "--url",
        server.url,
        "--stream-id",
        "sample",
        "--questions",
        questions,
        "--json",
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def asked(lines: list[dict[str, Any]], trigger: str) -> list[dict[str, Any]]:
    return [one for one in lines if one["type"] == "answer" and one["trigger"] == trigger]


def timeline(url: str, stream: str) -> list[dict[str, Any]]:
    body = httpx.get(f"{url}/v1/streams/{stream}/timeline", timeout=30).json()
    return list(body["moments"])


def test_lines_come_in_the_promised_order(replayed: list[dict[str, Any]]) -> None:
    kinds = [one.get("trigger", one["type"]) for one in replayed]
    end = kinds.index("replayed")
    assert set(kinds[:end]) <= {"progress", "spoken"}
    assert set(kinds[end + 1 :]) == {"asked"}
    done = replayed[end]
    assert done["seconds"] == pytest.approx(118, abs=1)
    assert done["moments"] > 5
    assert done["bytes"] > 0
    assert done["wall_seconds"] > 0


def test_planted_facts_are_answered_with_evidence(replayed: list[dict[str, Any]]) -> None:
    answers = {one["question"]: one for one in asked(replayed, "asked")}
    planted = truth.read(MEDIA / "sample.json")
    wrong = [
        (one.question, answers[one.question]["answer"])
        for one in planted
        if not truth.right(
            one,
            answers[one.question]["answer"],
            answers[one.question]["abstained"],
            answers[one.question]["citations"],
        )
    ]
    assert len(wrong) <= len(planted) // 5, wrong


def test_only_the_question_that_was_spoken_to_it_is_answered(
    replayed: list[dict[str, Any]],
) -> None:
    (spoken,) = asked(replayed, "spoken")
    assert 96 <= spoken["utterance"]["start"] <= 98.5
    assert "drawer" in spoken["answer"]
    assert spoken["citations"][0]["start"] < 12


def test_moments_are_short_in_order_and_show_a_picture(
    server: Server, replayed: list[dict[str, Any]]
) -> None:
    moments = timeline(server.url, "sample")
    starts = [moment["start"] for moment in moments]
    assert starts == sorted(starts)
    assert max(moment["end"] - moment["start"] for moment in moments) <= 40
    kinds = {seen["kind"] for moment in moments for seen in moment["observations"]}
    assert {"speech", "screen_text", "vision"} <= kinds
    pictures = [moment["keyframe"] for moment in moments if moment["keyframe"]]
    assert pictures
    picture = httpx.get(server.url + pictures[0]).content
    assert len(picture) <= 40 * 1024
    assert picture[8:12] == b"WEBP" or picture[:2] == b"\xff\xd8"


def test_replaying_again_changes_nothing(server: Server, replayed: list[dict[str, Any]]) -> None:
    before = timeline(server.url, "sample")
    done = lookback("replay", str(SAMPLE), "--url", server.url, "--stream-id", "sample", "--json")
    assert done.returncode == 0, done.stderr
    assert timeline(server.url, "sample") == before


@dataclass
class Busy:
    """A replay beside which questions were asked back to back, and its events listened to."""

    done: subprocess.CompletedProcess[str]
    answered: list[int]
    kinds: set[str]


@pytest.fixture(scope="module")
def again(server: Server, replayed: list[dict[str, Any]]) -> Busy:
    answered: list[int] = []
    kinds: set[str] = set()
    listening = threading.Event()

    def ask() -> None:
        while "replayed" not in kinds:
            body = {"question": "Where is the passport?", "stream_id": "sample"}
            answered.append(httpx.post(f"{server.url}/v1/ask", json=body, timeout=120).status_code)

    def listen() -> None:
        with httpx.stream("GET", f"{server.url}/v1/streams/again/events", timeout=120) as reply:
            listening.set()
            for line in reply.iter_lines():
                if line.startswith("event: "):
                    kinds.add(line.removeprefix("event: "))
                if "replayed" in kinds:
                    return

    beside = [threading.Thread(target=work, daemon=True) for work in (listen, ask)]
    beside[0].start()
    assert listening.wait(60)
    beside[1].start()
    done = lookback("replay", str(SAMPLE), "--url", server.url, "--stream-id", "again", "--json")
    for thread in beside:
        thread.join(120)
    return Busy(done, answered, kinds)


def test_perception_goes_on_while_answers_are_given(server: Server, again: Busy) -> None:
    """Both get done."""
    assert again.done.returncode == 0, again.done.stderr
    assert set(again.answered) == {200}
    assert len(timeline(server.url, "again")) == len(timeline(server.url, "sample"))


def test_events_tell_what_happens(again: Busy) -> None:
    assert {"observation", "moment", "answer", "progress", "replayed"} <= again.kinds


def test_a_bad_recording_leaves_the_server_up(server: Server, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(SAMPLE.read_bytes()[:4000])
    done = lookback("replay", str(film), "--url", server.url)
    assert done.returncode == 2
    assert done.stderr.count("error:") == 1
    assert server.ready()


def test_a_second_server_on_the_same_store_is_refused(server: Server) -> None:
    second = lookback("serve", "--store", str(server.store), "--port", str(free_port()))
    assert second.returncode == 2
    assert "is in use by process" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("killed") / "store") as one:
        yield one


def test_killed_in_mid_replay_then_replayed_again_memory_is_whole(
    killed: Server, server: Server, replayed: list[dict[str, Any]]
) -> None:
    with SAMPLE.open("rb") as recording:
        files = {"file": ("sample.mp4", recording)}
        path = f"{killed.url}/v1/streams/sample/replay"
        assert httpx.post(path, files=files, timeout=60).status_code == 202
    while httpx.get(path, timeout=30).json()["moments"] < 4:
        assert killed.ready()
    acknowledged = timeline(killed.url, "sample")
    killed.kill()
    killed.start()
    kept = {moment["moment_id"] for moment in timeline(killed.url, "sample")}
    assert kept >= {moment["moment_id"] for moment in acknowledged}
    again = lookback("replay", str(SAMPLE), "--url", killed.url, "--stream-id", "sample", "--json")
    assert again.returncode == 0, again.stderr
    assert timeline(killed.url, "sample") == timeline(server.url, "sample")
