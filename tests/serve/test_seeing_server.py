"""A whole server with a model that sees and one that encodes pictures, both tiny, on a store that a
server without them has made."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench import random_models
from tests.perception import tiny_models
from tests.server import Server, lookback

pytestmark = pytest.mark.soak

SAMPLE = Path(__file__).parents[1] / "media" / "sample.mp4"
LIMIT = 120.0  # seconds for what goes on in the background


@dataclass(frozen=True, slots=True)
class Seeing:
    """A server that sees, and what one that did not had remembered before."""

    server: Server
    before: list[dict[str, Any]]


def timeline(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{server.url}/v1/streams/sample/timeline").json()[
        "moments"
    ]
    return found


def until(server: Server, path: str, holds: Any) -> Any:
    deadline = time.monotonic() + LIMIT
    while True:
        reply = httpx.get(f"{server.url}{path}", timeout=30)
        if holds(reply):
            return reply
        assert time.monotonic() < deadline, f"{reply.text}\n{server.log()}"


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeing]:
    folder = tmp_path_factory.mktemp("seeing")
    with Server(folder / "store") as embedded:
        done = lookback("replay", str(SAMPLE), "--url", embedded.url, "--stream-id", "sample")
        assert done.returncode == 0, done.stderr
        before = timeline(embedded)
    model = random_models.save(random_models.checkpoint("tiny"), folder / "model")
    settings = {
        "LOOKBACK_PICTURE_MODEL": str(tiny_models.clip(folder / "encoder")),
        "LOOKBACK_ANSWER_BACKEND": "transformers",
        "LOOKBACK_ANSWER_MODEL": str(model),
        "LOOKBACK_ANSWER_FIRST_WORD_SECONDS": "60",
        "LOOKBACK_VISUAL_TOKENS": "1024",
        "LOOKBACK_CAPTIONS": "true",
    }
    with Server(folder / "store", **settings) as server:
        yield Seeing(server, before)


def test_nothing_is_lost_and_old_pictures_are_found_by_words(seeing: Seeing) -> None:
    server = seeing.server
    until(server, "/v1/stats", lambda r: r.json()["ledger"].get("pictures_waiting") == 0)
    shown = [one for one in seeing.before if one["keyframe"]]
    now = {one["moment_id"]: one for one in timeline(server)}
    assert list(now) == [one["moment_id"] for one in seeing.before]
    for one in seeing.before:
        kept = now[one["moment_id"]]["observations"]
        assert [seen for seen in kept if seen["ref"] != "caption"] == one["observations"]
    reply = httpx.post(f"{server.url}/v1/search", json={"query": "a photo of the dog", "limit": 50})
    by_picture = [hit for hit in reply.json()["results"] if hit["likeness"] is not None]
    assert by_picture
    assert {hit["keyframe"] for hit in by_picture} <= {one["keyframe"] for one in shown}


def test_keyframes_are_described_while_nobody_asks(seeing: Seeing) -> None:
    until(seeing.server, "/metrics", lambda r: "lookback_captions_total{" in r.text)


def ask(server: Server, question: str) -> Any:
    body = {"question": question, "stream_id": "sample", "stream": True}
    return httpx.stream("POST", f"{server.url}/v1/ask", json=body, timeout=120)


def test_it_answers_from_pictures_over_http_and_one_that_is_left_ends(seeing: Seeing) -> None:
    server = seeing.server
    with ask(server, "What does it look like?") as reply:
        sent = [line for line in reply.iter_lines() if line.startswith("data: ")]
    answer = json.loads(sent[-1].removeprefix("data: "))
    assert answer["type"] == "answer"
    assert "failure" not in answer
    assert answer["method"] == "generated", answer
    assert len(sent) > 3
    assert any(cited["keyframe"] for cited in answer["citations"])
    with ask(server, "What did it look like before?") as reply:
        next(reply.iter_lines())
    nobody = 'lookback_calls{deployment="reasoning"} 0.0'
    until(server, "/metrics", lambda r: nobody in r.text)
    with ask(server, "What does it look like?") as reply:  # it goes on
        assert reply.status_code == 200
        assert any("event: answer" in line for line in reply.iter_lines())


def test_it_stops_without_being_killed(seeing: Seeing) -> None:
    seeing.server.stop()
    process = seeing.server._process
    assert process is not None
    assert process.returncode == 0, seeing.server.log()
