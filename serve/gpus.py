"""GPUs shared by deployments: what a profile asks of them, whether the machine has it, the limits.

A share (`num_gpus` of a deployment) is how Ray places replicas; how much memory each may take is a
setting of its own, in GB. Both are checked before models are loaded, which would take a minute, and
the limit is then torch's: it refuses to allocate beyond it. What other libraries take (CTranslate2's
weights and buffers, CUDA's own context) does not pass through torch, and is left room for.
"""

from __future__ import annotations

import csv
import importlib.metadata
import logging
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from serve.errors import NoGpu, TooLittleGpuMemory
from serve.settings import PROFILES, Settings, profile_args, read_profile

log = logging.getLogger("lookback.serve")

GB = 10**9
QUERY_LIMIT = 20.0  # seconds for nvidia-smi to answer
CONTEXT_GB = 0.6  # what CUDA itself takes in each process


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU of this machine. Memory in bytes; `free` is what no process holds now."""

    name: str
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one replica of a deployment asks of a GPU: its share, and its memory in GB (0: no bound
    is set)."""

    deployment: str
    gpus: float
    gb: float
    replicas: int


def shares(profile: str, settings: dict[str, Any] | None = None) -> tuple[Share, ...]:
    """What each deployment of a profile asks for, those that need no GPU left out. `settings` go
    before the profile's own."""
    asked = {**profile_args(profile), **(settings or {})}
    memory = {
        "Perception": asked.get("perception_gpu_gb"),
        "Reasoning": asked.get("answer_gpu_gb"),
    }
    found = []
    for entry in read_profile(profile)["applications"][0].get("deployments", []):
        gpus = float(entry.get("ray_actor_options", {}).get("num_gpus", 0))
        elsewhere = entry["name"] == "Reasoning" and asked.get("answer_backend") == "endpoint"
        if gpus and not elsewhere:
            fewest = entry.get("autoscaling_config", {}).get("min_replicas", 1)
            replicas = entry.get("num_replicas") or fewest
            gb = float(memory.get(entry["name"]) or 0)
            found.append(Share(entry["name"], gpus, gb, int(replicas)))
    return tuple(found)


def here() -> tuple[Gpu, ...]:
    """The machine's GPUs, asked of the driver: asking torch would load it, and hold memory of each.

    Raises NoGpu: there is no driver, or it does not answer.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        raise NoGpu("no NVIDIA driver is installed here (there is no nvidia-smi)")
    command = [
        program,
        "--query-gpu=name,memory.total,memory.free",
        "--format=csv,noheader,nounits",
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=QUERY_LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoGpu(f"the NVIDIA driver does not answer: {error}") from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise NoGpu(f"the NVIDIA driver does not answer: {said[-1] if said else done.returncode}")
    rows = csv.reader(done.stdout.splitlines(), skipinitialspace=True)
    return tuple(Gpu(name, _bytes(total), _bytes(free)) for name, total, free in rows)


def check(settings: Settings) -> int:
    """Whether this machine gives what the settings ask for; how many GPUs it has (0: none asked).

    Raises:
        NoGpu: a GPU is asked for, and there is none, or torch cannot use it.
        TooLittleGpuMemory: the deployments ask for more than is free.
    """
    asked = shares(settings.profile, settings.model_dump())
    if not asked:
        return 0
    found = here()
    if not found:
        raise NoGpu(f"profile {settings.profile} needs a GPU, and the driver knows of none")
    if (version := torch_without_cuda()) is not None:
        raise NoGpu(
            f"profile {settings.profile} needs a GPU, and the installed torch {version} is built "
            "for CPUs only: install the same version built for CUDA"
        )
    if sum(share.gpus * share.replicas for share in asked) > len(found) + 1e-6:
        wanted = ", ".join(f"{s.deployment} {s.gpus:g} x {s.replicas}" for s in asked)
        raise NoGpu(f"{len(found)} GPU here, and the deployments ask for more: {wanted}")
    smallest = min(found, key=lambda gpu: gpu.free)
    if beside(asked, smallest.free) is None:
        raise TooLittleGpuMemory(
            smallest.name,
            smallest.free,
            {share.deployment: share.gb for share in asked},
            fitting(smallest.free),
        )
    return len(found)


def beside(asked: tuple[Share, ...], free: int) -> float | None:
    """GB left on a GPU of `free` bytes that holds one replica of each deployment that shares one;
    None: they do not fit. A deployment with a GPU of its own is looked at alone."""
    together = sum(share.gb + CONTEXT_GB for share in asked if share.gpus < 1)
    alone = max((share.gb + CONTEXT_GB for share in asked if share.gpus >= 1), default=0.0)
    left = free / GB - max(together, alone)
    return left if left >= 0 else None


def fitting(free: int) -> str:
    """The profile for one machine that asks for the most and fits into `free` bytes of one GPU;
    embedded, which asks for none, fits anywhere."""
    best, most = "embedded", 0.0
    for path in sorted(PROFILES.glob("gpu-*.yaml")):
        asked = shares(path.stem)
        total = sum(share.gb for share in asked)
        if total > most and beside(asked, free) is not None:
            best, most = path.stem, total
    return best


def torch_without_cuda() -> str | None:
    """The version of a torch built for CPUs only, told by its name; None: it can use GPUs."""
    version = importlib.metadata.version("torch")
    return version if version.endswith("+cpu") else None


def limit(deployment: str, gb: float | None) -> None:
    """From here on this process allocates at most `gb` of its GPU through torch, and is refused
    beyond that, as if the GPU were full. None: all of it, as it comes.

    Raises:
        NoGpu: torch sees none.
        TooLittleGpuMemory: that much is not free: better said now than in the middle of an answer.
    """
    if gb is None:
        return
    import torch

    if not torch.cuda.is_available():
        raise NoGpu(f"{deployment} was given {gb:g} GB of a GPU, and torch sees no GPU")
    free, total = torch.cuda.mem_get_info(0)
    name = torch.cuda.get_device_name(0)
    if free < gb * GB:
        raise TooLittleGpuMemory(name, free, {deployment: gb}, fitting(free))
    torch.cuda.set_per_process_memory_fraction(min(1.0, gb * GB / total))
    log.info("%s takes at most %.1f GB of %s", deployment, gb, name)


def _bytes(mebibytes: str) -> int:
    """Nvidia-smi counts in MiB; a GPU that shares the machine's memory tells none."""
    return int(mebibytes) * 2**20 if mebibytes.strip().isdigit() else 0
