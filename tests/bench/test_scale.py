"""The simulation behind the planning page: queues as theory has them, and bottlenecks that move."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from bench import scale
from bench.simulation import Clock, Device, Station, simulate
from bench.stage_costs import ONE_H100, TWO_CORES, WORDS_ONLY, Plan

pytestmark = pytest.mark.unit


def test_a_queue_waits_as_long_as_theory_says() -> None:
    """M/D/1 at 70 %: the mean wait is load x service / 2(1 - load) (Pollaczek-Khinchine)."""
    clock, waits, chance = Clock(), [], random.Random(4)
    station = Station(clock, 1, lambda calls: 1.0)
    when = 0.0
    for _ in range(60_000):
        when += chance.expovariate(0.7)

        def arrive(when: float = when) -> None:
            station.ask(1.0, lambda: waits.append(clock.now - when - 1.0))

        clock.at(when, arrive)
    clock.run(when)
    assert sum(waits) / len(waits) == pytest.approx(0.7 / (2 * 0.3), rel=0.05)
    assert station.used(when) == pytest.approx(0.7, rel=0.02)


def test_the_urgent_go_first_and_batches_share_a_call() -> None:
    clock = Clock()
    done: list[tuple[str, float]] = []
    station = Station(clock, 1, lambda calls: 1.0, batch=3)
    for name, rank in (("a", 1), ("b", 1), ("c", 1), ("d", 1), ("urgent", 0)):
        station.ask(1.0, lambda name=name: done.append((name, clock.now)), rank)  # type: ignore[misc]  # a default keeps the loop's value
    clock.run(9)
    assert done == [("a", 1.0), ("urgent", 2.0), ("b", 2.0), ("c", 2.0), ("d", 3.0)]


def test_work_on_one_device_is_slowed_by_the_others() -> None:
    clock, device = Clock(), Device(1)
    ended: list[float] = []
    for _ in range(2):
        Station(clock, 1, lambda calls: 1.0, device=device).ask(1, lambda: ended.append(clock.now))
    clock.run(9)
    assert ended == [1.0, 2.0]


def test_more_of_what_is_short_moves_the_bottleneck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "STREAM_SECONDS", 1500.0)
    wanted = scale.Wanted(1.0, 3.0)
    few_cores = Plan("one", ONE_H100, 2, 5, 1, 1, 1, 8, one_gpu=True, gpus=1)
    few, why = scale.largest(few_cores, 5, wanted)
    more, then = scale.largest(replace(few_cores, looking_cores=40, gateway_cores=8), 5, wanted)
    assert few is not None
    assert more is not None
    assert more.streams > few.streams
    assert "looking" in why
    assert "looking" not in then


def test_too_many_streams_lag_and_say_what_is_full() -> None:
    laptop = Plan("laptop", TWO_CORES, shared_cores=2, load=WORDS_ONLY)
    calm, full = simulate(laptop, 1, 300), simulate(laptop, 12, 300)
    assert calm.percentile("frame", 0.95) < 1 < full.percentile("frame", 0.95)
    assert full.used[full.bottleneck] > 0.9


def test_measured_costs_take_the_place_of_estimated_ones(tmp_path: Path) -> None:
    file = tmp_path / "gpu.jsonl"
    tables = {"bench": "gpu: device", "rows": []}
    costs = {"bench": "gpu: costs", "costs": {"picture": 0.5}}
    file.write_text(json.dumps(tables) + "\n" + json.dumps(costs) + "\n")
    replaced = scale._replaced(ONE_H100, file)
    assert (replaced.picture, replaced.measured) == (0.5, True)
    assert replaced.prompt_token == ONE_H100.prompt_token
