"""How many streams a plan serves, and which of its parts gives out first: a simulation.

    python -m bench scale [--costs FILE] [--seconds 60] [--json]
    python -m bench scale --measure RECORDING [--json]

For each plan the number of streams is doubled, then halved in, until frames lag by more than
`--lag` seconds (p95), a first token takes longer than `--first-token` seconds (p95), or a part would
have to work more than it can. "with more" says which: where the bottleneck has moved.
Costs are those of bench/stage_costs.py; `--costs` replaces some, from a JSON object of seconds or from
what `python -m bench gpu --json` printed. `--measure` measures this machine's own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.simulation import Outcome, simulate
from bench.stage_costs import ONE_H100, TWO_CORES, WORDS_ONLY, Costs, Load, Plan
from bench.table import report

MOST = 4096  # streams looked for
STREAM_SECONDS = 30_000.0  # simulated in a trial, where that is not longer than LONGEST
LONGEST = 3600.0
SPEECH_OWN = 1.5  # seconds that recognising an utterance may take beside waiting for it
FULL = 0.95  # of a part's time: with more, its queue does not end
MB_A_DAY = 240.0  # a stream's memory, at the budget of 10 MB an hour


def plans(gpu: Costs) -> tuple[Plan, ...]:
    """From a laptop to one cell of a cluster. Cells share nothing, so more streams are more cells."""
    small = Plan("2 cores, embedded", TWO_CORES, shared_cores=2, load=WORDS_ONLY)
    eight = Plan("8 cores, embedded", TWO_CORES, 2, 5, 3, 4, shared_cores=8, load=WORDS_ONLY)
    one = Plan("1 GPU, 8 cores, gpu-80g", gpu, 2, 5, 1, 1, 1, 8, one_gpu=True, gpus=1)
    large = replace(
        one, name="1 GPU, 32 cores, gpu-80g", gateway_cores=4, looking_cores=20, reading_cores=8
    )
    two = Plan("1 GPU sees, 1 answers, 96 cores", gpu, 8, 64, 20, 4, 1, 8, gpus=2)
    five = replace(two, name="1 GPU sees, 4 answer, 96 cores", answering=4, gpus=5)
    return small, eight, one, large, two, five


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench scale`."""
    parser = argparse.ArgumentParser(prog="bench scale", description=__doc__)
    parser.add_argument("--costs", type=Path, help="JSON: costs of the GPU's stages, in seconds")
    parser.add_argument("--measure", type=Path, metavar="RECORDING", help="measure this machine")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="simulated in each trial, at least"
    )
    parser.add_argument("--lag", type=float, default=1.0, help="frames may lag by so much (p95)")
    parser.add_argument("--first-token", type=float, default=3.0, help="seconds (p95)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if given.measure is not None:
        report("scale: costs of this machine", asyncio.run(_measured(given.measure)), given.json)
        return
    gpu = _replaced(ONE_H100, given.costs) if given.costs else ONE_H100
    wanted = Wanted(given.lag, given.first_token)
    rows = [_row(plan, given.seconds, wanted) for plan in plans(gpu)]
    report("scale: streams by plan", rows, given.json)
    full = plans(gpu)[-1]
    most = rows[-1]["streams"]
    report(
        "scale: cells of a cluster", [_cells(full, most, n) for n in (100, 1000, 5000)], given.json
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan must keep to: seconds, 95 of 100 times."""

    lag: float
    first_token: float

    def missed(self, outcome: Outcome) -> str:
        """What it does not keep to, in words; empty where it keeps to all."""
        if outcome.used[outcome.bottleneck] > FULL:
            return f"{outcome.bottleneck} is full"
        for kind, most in (
            ("frame", self.lag),
            ("speech", self.lag + SPEECH_OWN),
            ("first token", self.first_token),
        ):
            if outcome.percentile(kind, 0.95) > most:
                return f"{kind} late ({outcome.bottleneck})"
        return ""


def largest(plan: Plan, seconds: float, wanted: Wanted) -> tuple[Outcome | None, str]:
    """The outcome with the most streams that the plan serves in time, None where it is not even one;
    and what gives out first with more."""
    why = ""

    def served(streams: int) -> Outcome | None:
        nonlocal why
        # Few streams ask few questions: they are simulated for longer.
        outcome = simulate(plan, streams, min(LONGEST, max(seconds, STREAM_SECONDS / streams)))
        missed = wanted.missed(outcome)
        why = missed or why
        return None if missed else outcome

    best, few, many = None, 0, 1
    while many <= MOST and (outcome := served(many)) is not None:
        best, few, many = outcome, many, many * 2
    while many - few > max(1, few // 32):
        middle = (few + many) // 2
        if (outcome := served(middle)) is not None:
            best, few = outcome, middle
        else:
            many = middle
    return best, why


def _row(plan: Plan, seconds: float, wanted: Wanted) -> dict[str, Any]:
    costs = "measured" if plan.costs.measured else "GPU's estimated"
    outcome, why = largest(plan, seconds, wanted)
    if outcome is None:
        return {"plan": plan.name, "streams": 0, "with more": why, "costs": costs}
    return {
        "plan": plan.name,
        "streams": outcome.streams,
        "a GPU": round(outcome.streams / plan.gpus) if plan.gpus else None,
        "with more": why,
        "frame p95 s": round(outcome.percentile("frame", 0.95), 2),
        "speech p95 s": round(outcome.percentile("speech", 0.95), 2),
        "first token p95 s": round(outcome.percentile("first token", 0.95), 2),
        "costs": costs,
    }


def _cells(plan: Plan, most: int, streams: int) -> dict[str, Any]:
    """What so many streams take, in cells like the plan, each filled to four fifths."""
    each = max(1, int(most * 0.8))
    cells = -(-streams // each)
    return {
        "streams": streams,
        "cells": cells,
        "streams a cell": each,
        "GPUs": int(cells * plan.gpus),
        "cores": cells * (plan.gateway_cores + plan.looking_cores + plan.reading_cores + 4),
        "GB a day on disk": round(streams * MB_A_DAY / 1000, 1),
        "questions a minute": round(streams * Load().questions * 60),
    }


def _replaced(costs: Costs, file: Path) -> Costs:
    """With what the file says. Keys that are no cost are refused by the dataclass."""
    lines = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    found: dict[str, Any] = {}
    for line in lines:
        found |= line.get("costs", {}) if "bench" in line else line
    return replace(costs, **{**found, "measured": True})


async def _measured(recording: Path) -> list[dict[str, Any]]:
    """Each stage's cost here, of the recording's own frames and speech, in seconds of a core: CPU time,
    so that what else the machine does is not counted. Calls are made one after another."""
    from bench.replay import OneAtATime, _decode, _run
    from perception.perceiver import LocalPerceiver

    class InCpuTime(OneAtATime):
        async def _time(self, stage: str, call: Any) -> Any:
            async with self._turn:
                began = time.process_time()
                try:
                    return await call()
                finally:
                    self.calls[stage] += 1
                    self.seconds[stage] += time.process_time() - began

    began = time.process_time()
    await _decode(recording)
    decode = time.process_time() - began
    perceiver = await asyncio.to_thread(lambda: LocalPerceiver.load(threads=1))
    await asyncio.to_thread(perceiver.warm)
    timed = InCpuTime(perceiver)
    seconds, _ = await _run(recording, timed)
    rows = [{"stage": "decode, a second of stream", "calls": 1, "seconds each": decode / seconds}]
    for stage, calls in timed.calls.items():
        rows.append(
            {"stage": stage, "calls": calls, "seconds each": round(timed.seconds[stage] / calls, 4)}
        )
    remember, search = await asyncio.to_thread(_memory_costs)
    rows.append({"stage": "remember, a moment", "calls": 100, "seconds each": round(remember, 4)})
    rows.append({"stage": "search", "calls": 40, "seconds each": round(search, 4)})
    return rows


def _memory_costs() -> tuple[float, float]:
    """CPU seconds to remember a moment, ten at a time, and to search a thousand of them."""
    import models
    from memory.embedder import MiniLM
    from memory.records import Query
    from memory.store import Store
    from perception.records import Moment, Observation, Stream

    stream = Stream("costs", datetime(2026, 1, 1, tzinfo=UTC))
    words = "the red folder lies on the second shelf beside the window of room".split()

    def moment(n: int) -> Moment:
        text = f"In room {n} {' '.join(words[n % 7 :])}, says person {n % 12}."
        said = Observation(stream.id, "speech", n * 6.0, n * 6.0 + 4, text)
        return Moment(stream.id, n * 6.0, n * 6.0 + 6, (said,))

    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store", MiniLM(models.locate("minilm")))
        store.remember(stream, [moment(n) for n in range(900)], {})
        began = time.process_time()
        for first in range(900, 1000, 10):
            store.remember(stream, [moment(n) for n in range(first, first + 10)], {})
        remembered = (time.process_time() - began) / 100
        began = time.process_time()
        for n in range(40):
            store.search(Query(f"where is the red folder of room {n * 20}?"))
        searched = (time.process_time() - began) / 40
        store.close()
    return remembered, searched
