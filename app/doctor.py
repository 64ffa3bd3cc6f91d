"""What would work on this machine and what would not, why, and the one command that fixes it."""

from __future__ import annotations

import dataclasses
import http.client
import os
import shutil
import socket
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import models
from app.show import whole
from app.trial_loads import LoadFailed, seconds_to_load
from memory.errors import StoreUnreachable
from memory.place import is_remote, place_of
from serve.errors import BadSettings

MEMORY_NEEDED = 4 * 2**30  # bytes; what all processes hold together while idle
TRIED = "doctor.tried"  # an object written to see whether one may
SPACE_NEEDED = 2**30  # bytes; an hour's media and tables, with room to compact


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not work: what is lost, why, and the command that fixes it."""

    what: str
    why: str
    command: str | None
    fatal: bool  # the server would not start, or not do its job


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model of the catalogue as found here. Sizes in bytes; None where it was not found."""

    name: str
    job: str
    licence: str
    source: str | None
    path: str | None
    bytes: int | None
    sha256: str | None
    checked_against: str | None
    load_seconds: float | None


@dataclass(frozen=True, slots=True)
class Devices:
    """What there is to compute with. Memory in bytes."""

    torch: str | None
    gpus: tuple[str, ...]
    cores: int
    memory: int


@dataclass(frozen=True, slots=True)
class Port:
    """The address the server would listen on; `state` is free, lookback (running) or taken."""

    host: str
    port: int
    state: str


@dataclass(frozen=True, slots=True)
class StorePlace:
    """The directory, or the prefix of a bucket, that would hold the memory. Free space in bytes;
    None where it has no bound."""

    path: str
    exists: bool
    writable: bool
    free: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    models: tuple[ModelState, ...]
    devices: Devices
    port: Port
    store: StorePlace
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether the server would start and do its whole job, optional abilities aside."""
        return not any(problem.fatal for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return {"type": "doctor", "ok": self.ok, **dataclasses.asdict(self)}


def examine(
    store: Path | str,
    port: int,
    host: str,
    load: Callable[[str, Path], float] = seconds_to_load,
    names: Sequence[str] | None = None,
    checks: Mapping[str, Callable[[], object]] | None = None,
) -> Report:
    """Looks at the models of these names (without names, at all that packages bring), loading each
    and checking those of the hub by their SHA-256, at the devices, the port and the store.

    Nothing is created or changed, save joined weights in the cache. `load` takes a model's name
    and path and gives the seconds it took, or raises LoadFailed. `checks`: what else is looked at, by
    what does not work where it raises BadSettings or a ModelError.
    """
    problems: list[Problem] = []
    chosen = models.CATALOG if names is None else [models.entry(name) for name in names]
    states = tuple(_model(model, problems, load) for model in chosen)
    devices = _devices(problems)
    for what, check in (checks or {}).items():
        try:
            check()
        except (BadSettings, models.ModelError) as error:
            command = getattr(error, "command", None)
            problems.append(Problem(what, str(error), command, True))
    return Report(
        models=states,
        devices=devices,
        port=_port(host, port, problems),
        store=_store(store, problems),
        problems=tuple(problems),
    )


def render(report: Report, console: Console) -> None:
    """Prints the report as tables, the problems last."""
    whole(console, _model_table(report))
    devices = report.devices
    console.print(
        f"devices   {devices.cores} cores, {_size(devices.memory)} memory, "
        f"torch {devices.torch or 'not installed'}, "
        f"{', '.join(devices.gpus) if devices.gpus else 'no GPU'}",
        highlight=False,
    )
    said = {"free": "free", "lookback": "Lookback is running there", "taken": "taken"}
    console.print(
        f"port      {report.port.host}:{report.port.port} {said[report.port.state]}",
        highlight=False,
    )
    store = report.store
    console.print(
        f"store     {store.path} ({'there' if store.exists else 'will be made'}, "
        f"{'writable' if store.writable else 'not writable'}"
        f"{'' if store.free is None else f', {_size(store.free)} free'})",
        highlight=False,
        soft_wrap=True,
    )
    for problem in report.problems:
        colour = "red" if problem.fatal else "yellow"
        console.print(f"[{colour}]✗[/] {problem.what}: ", end="")
        console.print(problem.why, markup=False, highlight=False, soft_wrap=True)
        if problem.command:
            console.print(f"    {problem.command}", markup=False, highlight=False, soft_wrap=True)
    if report.ok:
        console.print("[green]✓[/] everything needed works")


def _model(
    model: models.Model | models.HubModel,
    problems: list[Problem],
    load: Callable[[str, Path], float],
) -> ModelState:
    on_hub = isinstance(model, models.HubModel)
    fatal = not model.optional
    missing = ModelState(model.name, model.job, model.licence, *[None] * 6)
    try:
        found = models.find(model.name, verify=True) if on_hub else models.find(model.name)
    except models.ModelError as error:
        problems.append(Problem(model.without, str(error), error.command, fatal))
        return missing
    state = dataclasses.replace(
        missing,
        source=found.source,
        path=str(found.path),
        bytes=found.bytes,
        sha256=found.sha256,
        checked_against=found.checked_against,
    )
    if on_hub:  # gigabytes, for a GPU that a server may be using: their bytes are checked, no more
        return state
    try:
        return dataclasses.replace(state, load_seconds=round(load(model.name, found.path), 3))
    except LoadFailed as error:
        why = f"{model.name} does not load from {found.path}: {error}"
        problems.append(Problem(model.without, why, None, fatal))
        return state


def _devices(problems: list[Problem]) -> Devices:
    torch_version, gpus = _torch()
    if torch_version is None:
        problems.append(
            Problem("nothing is tagged or embedded", "torch is not installed", "make setup", True)
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = _memory()
    if memory < MEMORY_NEEDED:
        why = f"{_size(memory)} of memory, {_size(MEMORY_NEEDED)} needed"
        problems.append(Problem("processes would be killed for memory", why, None, True))
    return Devices(torch_version, gpus, cores or 1, memory)


def _torch() -> tuple[str | None, tuple[str, ...]]:
    try:
        import torch
    except ImportError:
        return None, ()
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return torch.__version__, tuple(torch.cuda.get_device_name(index) for index in range(count))


def _memory() -> int:
    """Bytes this process may use: the machine's, or the container's limit where that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        return min(total, int(text))
    return total


def _port(host: str, port: int, problems: list[Problem]) -> Port:
    if host not in ("127.0.0.1", "::1", "localhost") and not os.environ.get("LOOKBACK_TOKEN"):
        problems.append(
            Problem(
                "the server would not start",
                f"{host} can be reached by others, and LOOKBACK_TOKEN is not set",
                "export LOOKBACK_TOKEN=$(python3 -c 'import secrets; print(secrets.token_hex())')",
                True,
            )
        )
    try:
        _bind(host, port)
    except OSError as error:
        if _is_lookback(host, port):
            return Port(host, port, "lookback")
        problems.append(
            Problem(
                "the server would not start",
                f"cannot listen on {host}:{port}: {error.strerror or error}",
                f"lookback serve --port {port + 1 if port < 65535 else port - 1}",
                True,
            )
        )
        return Port(host, port, "taken")
    return Port(host, port, "free")


def _bind(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server does: a port that a closed connection still holds is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _is_lookback(host: str, port: int) -> bool:
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    name = f"[{name}]" if ":" in name else name
    try:
        with urllib.request.urlopen(f"http://{name}:{port}/healthz", timeout=2) as answer:
            said = answer.read(4096)
    except urllib.error.HTTPError as error:  # 503 while it starts
        said = error.read(4096)
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return b'"deployments"' in said


def _store(store: Path | str, problems: list[Problem]) -> StorePlace:
    if is_remote(store):
        return _bucket(str(store), problems)
    nearest = path = Path(store).expanduser()
    while not nearest.exists():
        nearest = nearest.parent
    why = _unwritable(nearest)
    if why:
        problems.append(
            Problem(
                "nothing can be remembered",
                f"cannot write to {nearest}: {why}",
                "export LOOKBACK_STORE=/a/directory/you/may/write",
                True,
            )
        )
    free = shutil.disk_usage(nearest).free
    if free < SPACE_NEEDED:
        problems.append(
            Problem(
                "memory would soon be refused",
                f"{_size(free)} free at {nearest}, {_size(SPACE_NEEDED)} needed",
                "export LOOKBACK_STORE=/a/directory/with/room",
                True,
            )
        )
    return StorePlace(str(path), path.is_dir(), not why, free)


def _bucket(url: str, problems: list[Problem]) -> StorePlace:
    """Asked with the keys there are; writing is tried, and taken away again."""
    try:
        place = place_of(url)
        place.write(TRIED, b"")
        place.remove(TRIED)
        return StorePlace(url, place.exists(), True, None)
    except StoreUnreachable as failure:
        command = "export AWS_ENDPOINT_URL=… AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…"
        problems.append(Problem("nothing can be remembered", str(failure), command, True))
        return StorePlace(url, False, False, None)


def _unwritable(directory: Path) -> str:
    """Why nothing can be written there, or nothing. Permissions alone do not tell: it is tried."""
    if not directory.is_dir():
        return "it is not a directory"
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"\0")
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _model_table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "job", "from", "size", "licence", "SHA-256", "checked", "loads in"):
        table.add_column(heading, justify="right" if heading in ("size", "loads in") else "left")
    for state in report.models:
        table.add_row(
            state.name,
            state.job,
            state.source or "[red]missing[/]",
            _size(state.bytes) if state.bytes is not None else "",
            state.licence,
            state.sha256[:12] if state.sha256 else "",
            _CHECKED[state.checked_against],
            "" if state.load_seconds is None else f"{state.load_seconds:.2f} s",
        )
    return table


_CHECKED = {
    "catalogue": "✓",
    "wheel": "✓ its wheel's",
    "hub": "✓ the hub's",
    "setting": "✓ the setting's",
    "lengths": "✓ lengths",
    "nothing": "no pin",
    None: "",
}


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
