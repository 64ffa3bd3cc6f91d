"""Perception in a process of its own, as it is when deployed, and answers written beside it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO, Any, cast

from bench.gpu_answers import LIVE, Answers
from bench.gpu_first import FIRST_TOKEN_MS
from bench.gpu_floor import Peak
from bench.gpu_parts import Row, Rows

LAG_S = 0.5  # p95 wanted of perception, at 8 streams or more, while answers are written
STARTED = 180.0  # seconds for its libraries and weights


class Perception:
    """The process of `gpu_perception.py`."""

    def __init__(self, device: str) -> None:
        command = [sys.executable, "-m", "bench.gpu_perception", device]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.memory: dict[str, float] = {}

    async def rates(self) -> list[Row]:
        """Of its encoder, once it is built. It says so first of all."""
        return list((await self._line(STARTED))["rates"])

    async def round(self, streams: int, seconds: float) -> Row:
        """One round, while the caller does what it likes."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the perception process ended ({self._process.returncode})")
        asked = cast(IO[str], self._process.stdin)
        asked.write(json.dumps({"streams": streams, "seconds": seconds}) + "\n")
        asked.flush()
        told = await self._line(3 * seconds + 30)
        self.memory = told.pop("memory")
        return told

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            cast(IO[str], pipe).close()

    async def _line(self, seconds: float) -> Row:
        reading = asyncio.to_thread(cast(IO[str], self._process.stdout).readline)
        try:
            line = await asyncio.wait_for(reading, seconds)
        except (TimeoutError, asyncio.CancelledError):
            self._process.kill()  # its line would be taken for the next one's
            raise
        if not line:
            raise RuntimeError("the perception process ended: see what it wrote above")
        return dict(json.loads(line))


async def seen(perception: Perception, peak: Peak | None, told: list[Row]) -> Rows:
    """Frames a second of the encoder, before anything else uses the GPU; `told` gets what it told."""
    told += await perception.rates()
    for one in told:
        row = {
            "frames in a call": one["frames"],
            "frames/s, RGB to vector": round(one["frames"] / one["whole_seconds"], 1),
            "frames/s, network alone": round(one["frames"] / one["network_seconds"], 1),
        }
        if peak is not None:
            floor = max(one["flops"] / peak.flops, one["bytes"] / peak.bandwidth)
            row["floor frames/s"] = round(one["frames"] / floor, 1)
        yield row


async def together(
    perception: Perception, answers: Answers, streams: Sequence[int], seconds: float
) -> Rows:
    """Lag of perception alone and while answers are written back to back, and their first tokens."""
    for count in streams:
        alone = await perception.round(count, seconds)
        yield {"streams": count, "while": "nothing else", **_lag(alone)}
        firsts: list[float] = []
        asking = asyncio.create_task(_ask_on(answers, firsts))
        tokens, began = answers.generator.engine.counts.tokens, time.perf_counter()
        try:
            told = await perception.round(count, seconds)
        finally:
            asking.cancel()
            (ended,) = await asyncio.gather(asking, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended
        given = answers.generator.engine.counts.tokens - tokens
        took = time.perf_counter() - began
        firsts.sort()
        yield {
            "streams": count,
            "while": "answering back to back",
            **_lag(told),
            "lag wanted s": LAG_S,
            "answers": len(firsts),
            "first token p50 ms": round(firsts[len(firsts) // 2] * 1e3, 1) if firsts else None,
            "first token wanted ms": FIRST_TOKEN_MS,
            "tokens/s": round(given / took, 1),
        }


def _lag(told: Row) -> Row:
    return {
        "frames": f"{told['frames']} of {told['frames_due']}",
        "lag p50 s": round(told["lag_p50"], 3),
        "lag p95 s": round(told["lag_p95"], 3),
    }


async def _ask_on(answers: Answers, firsts: list[float]) -> None:
    """One question after another, each with four frames of now and four remembered keyframes that
    were shown before; all of its answer is written."""
    remembered = answers.pictures.take(LIVE)
    await answers.first(answers.prompt(remembered, "What was there?"))
    while True:
        shown = (*remembered, *answers.pictures.take(LIVE, live=True))
        prompt = answers.prompt(shown, f"What is here now, number {len(firsts)}?")
        began, first = time.perf_counter(), None
        async for _ in answers.generator.stream(prompt, answers.sizes.answer_tokens):
            first = first or time.perf_counter() - began
        firsts.append(first or time.perf_counter() - began)


async def memory_taken(answers: Answers, perception: dict[str, Any]) -> Rows:
    """GB of the GPU by deployment; CUDA's own context, half a GB each, is left out."""
    from bench.gpu_perception import memory

    mine = memory()
    yield {
        "deployment": "Reasoning",
        "weights GB": round(sum(p.nbytes for p in answers.checkpoint.model.parameters()) / 1e9, 3),
        "keys and values GB": round(answers.generator.engine.rows.bytes / 1e9, 3),
        "most allocated GB": round(mine["allocated"], 2) if mine else None,
        "most reserved GB": round(mine["reserved"], 2) if mine else None,
    }
    yield {
        "deployment": "Perception (picture encoder)",
        "most allocated GB": round(perception["allocated"], 2) if perception else None,
        "most reserved GB": round(perception["reserved"], 2) if perception else None,
    }
