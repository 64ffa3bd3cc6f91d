from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.kill import kill_often


@pytest.mark.unit
def test_kill_9_loses_nothing_acknowledged_and_brings_nothing_back(tmp_path: Path) -> None:
    outcome = kill_often(tmp_path, 6, random.Random(5))
    assert (outcome.kills, outcome.faults, outcome.failures) == (6, [], [])
    assert outcome.acknowledged > 6


@pytest.mark.soak
def test_three_hundred_kills_lose_nothing_and_the_store_is_soon_ready(tmp_path: Path) -> None:
    outcome = kill_often(tmp_path, 300, random.Random(7))
    assert (outcome.kills, outcome.faults, outcome.failures) == (300, [], [])
    assert outcome.acknowledged > 300
    assert outcome.forgotten > 100
    assert outcome.row()["ready p95 s"] <= 10
