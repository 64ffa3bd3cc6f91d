"""Answers on recordings with planted facts, beside what a user would otherwise do.

    python -m bench answers RECORDING.mp4 [MORE.mp4 ...]     (truth in RECORDING.json beside it)

One replay through the deployments; then the same questions to Lookback and, with the same language
model, to two controls: the last four memories only, and everything remembered in the prompt.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import models
from app.client import Client, stream_path, to_server
from app.show import clock
from bench import truth
from bench.table import report
from reasoning import GgufGenerator
from reasoning.prompt import Prompt, memory_line
from serve.launch import free_port, running
from serve.settings import Settings

LAST = 4
EVERYTHING_TOKENS = 1_500  # what the model's context leaves for memories; the latest are kept


@dataclass(slots=True)
class Score:
    """How often one system was right, and how long it took (ms)."""

    right: int = 0
    of: int = 0
    first: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)

    def add(self, ok: bool, first: float, total: float) -> None:
        self.right, self.of = self.right + ok, self.of + 1
        self.first.append(first)
        self.total.append(total)

    def row(self) -> dict[str, Any]:
        return {
            "right": f"{self.right}/{self.of}",
            "share": round(self.right / self.of, 3),
            "first_token_p50_ms": round(statistics.median(self.first)),
            "answer_p50_ms": round(statistics.median(self.total)),
        }


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench answers`."""
    parser = argparse.ArgumentParser(prog="bench answers", description=__doc__)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    scores = asyncio.run(_measure(given.recordings))
    report(
        "answers", [{"system": name, **score.row()} for name, score in scores.items()], given.json
    )


async def _measure(recordings: list[Path]) -> dict[str, Score]:
    scores = {name: Score() for name in ("lookback", "last four memories", "everything")}
    remembered: dict[Path, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as store:
        settings = Settings(store=Path(store), port=free_port())
        with running(settings) as url:
            async with to_server(url, None) as client:
                for recording in recordings:
                    remembered[recording] = await _lookback(client, recording, scores["lookback"])
    generator = GgufGenerator(models.locate("qwen2.5-1.5b"))
    await generator.warm()
    for recording, lines in remembered.items():
        for planted in truth.read(recording.with_suffix(".json")):
            print(f"controls: {planted.question}", file=sys.stderr)
            last, fitting = lines[-LAST:], _fitting(generator, lines)
            await _control(generator, last, planted, scores["last four memories"])
            await _control(generator, fitting, planted, scores["everything"])
    return scores


async def _lookback(client: Client, recording: Path, score: Score) -> list[dict[str, Any]]:
    stream = recording.stem
    path = stream_path(stream, "replay")
    await client.upload(path, recording, {})
    state = await client.finished(path)
    if state["state"] == "failed":
        raise SystemExit(f"{recording}: {state['error']['message']}")
    for planted in truth.read(recording.with_suffix(".json")):
        print(f"lookback: {planted.question}", file=sys.stderr)
        body = await client.post("/v1/ask", {"question": planted.question, "stream_id": stream})
        ok = truth.right(planted, body["answer"], body["abstained"], body["citations"])
        score.add(ok, body["timings"]["first_token_ms"], body["timings"]["total_ms"])
    moments = (await client.get(stream_path(stream, "timeline")))["moments"]
    return [
        seen for moment in moments for seen in moment["observations"] if seen["role"] == "statement"
    ]


def _line(seen: dict[str, Any]) -> str:
    line = memory_line(seen["kind"], seen["text"], seen["speaker"])
    return f"{clock(seen['start'])} {line}"


def _fitting(generator: GgufGenerator, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    room = EVERYTHING_TOKENS
    for seen in reversed(lines):
        room -= generator.count(_line(seen))
        if room < 0:
            break
        kept.append(seen)
    return kept[::-1]


async def _control(
    generator: GgufGenerator, seen: list[dict[str, Any]], planted: truth.Planted, score: Score
) -> None:
    began = time.perf_counter()
    prompt = Prompt(tuple(_line(one) for one in seen), planted.question)
    first, text = 0.0, ""
    async for piece in _pieces(generator, prompt):
        first = first or (time.perf_counter() - began) * 1000
        text += piece
    unsure = any(
        word in text.lower()
        for word in ("don't know", "not mentioned", "unknown", "no information")
    )
    ok = truth.right(planted, text, unsure or not text.strip(), None)
    score.add(ok, first, (time.perf_counter() - began) * 1000)


def _pieces(generator: GgufGenerator, prompt: Prompt) -> AsyncGenerator[str, None]:
    return generator.stream(prompt, 48)
