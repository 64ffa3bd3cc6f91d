"""Background work gives way to what somebody waits for, in this process and in others."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perception.pictures import ColourEncoder
from serve import urgency
from serve.deployments import PerceptionDeployment
from serve.urgency import Urgency, of_this_gpu
from serve.work import Work
from tests.perception.conftest import texture

pytestmark = pytest.mark.unit

HOLDS = """
import fcntl, sys
held = open(sys.argv[1], "r+")
fcntl.flock(held, fcntl.LOCK_SH)
print("held", flush=True)
sys.stdin.read()
"""


def test_whoever_waits_is_seen_by_all_until_the_last_is_done(tmp_path: Path) -> None:
    answers, captions = Urgency(tmp_path / "gpu"), Urgency(tmp_path / "gpu")
    other_gpu = Urgency(tmp_path / "gpu-1")
    assert not captions.anybody()
    with answers.waited_for():
        with answers.waited_for(), captions.waited_for():
            assert captions.anybody()
            assert answers.anybody()
            assert not other_gpu.anybody()
        assert captions.anybody()
    assert not captions.anybody()


def test_a_process_that_is_killed_is_waited_for_no_more(tmp_path: Path) -> None:
    here = Urgency(tmp_path / "gpu")
    assert not here.anybody()
    command = [sys.executable, "-c", HOLDS, str(tmp_path / "gpu")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert here.anybody()
        other.kill()
        other.wait(10)
        assert not here.anybody()


async def test_background_work_waits_and_gets_on_in_the_end(tmp_path: Path) -> None:
    mine = Urgency(tmp_path / "gpu")
    waiting = asyncio.create_task(mine.nobody(60))
    with mine.waited_for():
        await asyncio.sleep(0)
        assert not waiting.done()
        await mine.nobody(0)  # it has waited as long as it may
    await asyncio.wait_for(waiting, 5)


async def test_pictures_are_encoded_for_search_when_no_answer_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old pictures took the GPU from answers that another process wrote on it."""
    monkeypatch.setattr(urgency, "PATIENCE", 60.0)
    decorated: Any = PerceptionDeployment
    replica = object.__new__(decorated.func_or_class)
    replica._pictures, replica._work = ColourEncoder(), Work()
    replica._urgency, answers = Urgency(tmp_path / "gpu"), Urgency(tmp_path / "gpu")
    encode = decorated.func_or_class.encode_images.__wrapped__
    with answers.waited_for():
        encoding = asyncio.create_task(encode(replica, [[texture(1)], [texture(2)]]))
        await asyncio.sleep(0)
        assert not encoding.done()
    found = await asyncio.wait_for(encoding, 10)
    np.testing.assert_array_equal(found[1], ColourEncoder().encode_images([texture(2)]))


def test_each_gpu_has_its_own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    first = of_this_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert of_this_gpu() == first
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8f2a/../x,1")
    assert of_this_gpu().name.endswith("gpu-GPU-8f2ax")
