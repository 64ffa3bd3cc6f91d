"""`lookback models` and `lookback doctor --profile`, as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

import models
from app import doctor, weights
from app.errors import BadInput
from serve.errors import TooLittleGpuMemory

pytestmark = pytest.mark.unit

run = CliRunner()


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_profiles_models_are_listed_with_licence_size_and_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weights, "needed", lambda settings: ("qwen3-vl-8b", "siglip2-base"))
    done = run.invoke(weights.app, ["list", "--profile", "embedded", "--json"])
    assert done.exit_code == 0
    vlm, encoder = lines(done.stdout)
    assert vlm["model"] == "qwen3-vl-8b"
    assert vlm["licence"] == "Apache-2.0"
    assert str(vlm["from"]).startswith("Qwen/Qwen3-VL-8B-Instruct@")
    assert vlm["here"] is encoder["here"] is False


def test_pulling_offline_names_every_model_that_lacks_and_fails() -> None:
    done = run.invoke(weights.app, ["pull", "siglip2-base", "ast-audioset", "--json"])
    assert done.exit_code == 1
    failed = lines(done.stdout)
    assert [line["model"] for line in failed] == ["siglip2-base", "ast-audioset"]
    assert all("HF_HUB_OFFLINE" in str(line["error"]) for line in failed)


def test_pulling_says_what_to_pull() -> None:
    assert isinstance(run.invoke(weights.app, ["pull"]).exception, BadInput)
    unknown = run.invoke(weights.app, ["pull", "qwen-9"]).exception
    assert isinstance(unknown, models.UnknownModel)


def test_the_doctor_names_the_command_for_each_model_of_the_hub(tmp_path: Path) -> None:
    report = doctor.examine(tmp_path, 0, "127.0.0.1", names=("siglip2-base", "qwen3-vl-8b"))
    commands = [problem.command for problem in report.problems]
    assert commands[:2] == [
        "lookback models pull siglip2-base",
        "lookback models pull qwen3-vl-8b",
    ]
    assert not report.ok


def test_the_doctor_says_where_the_gpus_do_not_suffice(tmp_path: Path) -> None:
    def suffice() -> None:
        raise TooLittleGpuMemory("NVIDIA L4", 9 * 10**9, {"Reasoning": 50}, "embedded")

    report = doctor.examine(tmp_path, 0, "127.0.0.1", names=(), gpus_suffice=suffice)
    assert not report.ok
    assert any("NVIDIA L4 has 9.0 GB free" in problem.why for problem in report.problems)
