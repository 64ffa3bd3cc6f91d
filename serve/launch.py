"""Starting and stopping the system on this machine: a local Ray, then the application on it."""

from __future__ import annotations

import importlib
import io
import json
import logging
import multiprocessing
import os
import random
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import models
from memory.errors import StoreLocked
from serve import gpus
from serve.errors import BadSettings, PortInUse, StartFailed
from serve.needs import check_given, needed
from serve.settings import Settings, read_profile, require_token

log = logging.getLogger("lookback.serve")

# Logical CPUs Ray may place replicas on: the profile's shares add up to less than this on any
# machine, so that two cores run all of them. Their threads are limited by settings, not by Ray.
LOGICAL_CPUS = 4

ADDRESS_FILE = "server.json"

AFTERMATH = 15.0  # seconds the processes of a killed server may take to go

# Registered ports, below those that every system lends to outgoing connections: one of these is
# still free when, seconds after it was looked for, the server listens on it.
OWN_PORTS = range(20_000, 32_768)


@contextmanager
def running(settings: Settings, say: Callable[[str], None] = log.info) -> Iterator[str]:
    """The system, up while the block runs. Yields its URL.

    Raises BadSettings (token, port), memory.errors.StoreLocked and its kin, models.ModelError,
    StartFailed.
    """
    check(settings)
    devices = gpus.check(settings)
    _environment(settings)
    import ray
    from ray import serve

    logging.getLogger("ray.serve").setLevel(settings.log_level)
    say("starting Ray")
    # Ray prints what its processes say to this one's standard output, which is not its own.
    with redirect_stdout(_Chatter()):
        ray.init(
            address="local",
            num_cpus=max(LOGICAL_CPUS, os.cpu_count() or 1),
            num_gpus=devices,
            include_dashboard=False,
            object_store_memory=settings.object_store_mb * 1_000_000,
            log_to_driver=settings.log_level == "DEBUG",
            logging_level=logging.getLevelNamesMapping()[settings.log_level],
            namespace="lookback",
        )
        # Until it is up it can be stopped as by Ctrl-C; Ray's own way prints a trace and aborts.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if settings.log_level != "DEBUG":
            _end_needless()
        try:
            say("loading models")
            _deploy(settings)
            with _announced(settings):
                yield settings.url
        finally:
            say("stopping")
            serve.shutdown()
            ray.shutdown()


def _end_needless() -> None:
    """End what watches a cluster's logs and size: 160 MB, and nothing to do on one machine.

    Ray has no setting for it; without these methods, of no public promise, they just run on.
    """
    from ray._private import worker

    for end in ("kill_log_monitor", "kill_monitor"):
        with suppress(AttributeError):
            getattr(worker._global_node, end)(check_alive=False)


class _Chatter(io.TextIOBase):
    """Standard output that goes to the log."""

    def write(self, text: str) -> int:
        if text.strip():
            log.debug("ray: %s", text.strip())
        return len(text)


def check(settings: Settings) -> None:
    """What would stop the server from coming up, found out before it takes half a minute.

    The processes of a server that was killed are gone some seconds after it: they are waited for.
    """
    require_token(settings)
    _for_one_machine(settings.profile)
    deadline = time.monotonic() + (AFTERMATH if _crashed(settings) else 0.0)
    while True:
        try:
            _port_free(settings)
            _store_opens(settings.store)
            break
        except (PortInUse, StoreLocked):
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.25)
    check_given(settings)
    for name in needed(settings):
        if not models.entry(name).optional:
            models.find(name)


def _for_one_machine(profile: str) -> None:
    """Raises BadSettings where deployments go to nodes that only a cluster names."""
    for entry in read_profile(profile)["applications"][0].get("deployments", []):
        if named := entry.get("ray_actor_options", {}).get("resources"):
            raise BadSettings(
                f"profile {profile} places {entry['name']} on nodes with {', '.join(named)}: it is "
                "for `serve deploy` on a Ray cluster, not for one machine"
            )


def _port_free(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise PortInUse(settings.host, settings.port) from error


def free_port(host: str = "127.0.0.1") -> int:
    """A port for a server of one's own, that nobody uses now and no connection will be given.

    Raises OSError where there is none.
    """
    for port in random.sample(OWN_PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((host, port))
            return port
    raise OSError(f"no free port on {host} from {OWN_PORTS.start} to {OWN_PORTS.stop - 1}")


def _store_opens(store: Path | str) -> None:
    """Open the store for a moment: locked, newer, full and read-only are found out now. In a process
    of its own, because LanceDB's threads would not survive the forks by which Ray starts."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as apart:
        apart.submit(open_and_close, store).result()


def open_and_close(store: Path | str) -> None:
    """Raises StoreLocked and its kin."""
    from memory.embedder import HashEmbedder
    from memory.store import Store

    Store(store, HashEmbedder()).close()


def _crashed(settings: Settings) -> bool:
    """Whether a server announced itself here and is gone without having taken its leave."""
    announced = server_of(settings)
    return announced is not None and not Path(f"/proc/{announced.pid}").exists()


def until_stopped() -> None:
    """Block until SIGINT or SIGTERM."""
    stopped = threading.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: stopped.set())
    # A wait without a time limit would keep the interpreter from running signal handlers.
    while not stopped.wait(0.5):
        pass


@dataclass(frozen=True, slots=True)
class Announced:
    """A server that said it has a store open."""

    url: str
    pid: int


def server_of(settings: Settings) -> Announced | None:
    """The server of this machine that announced itself for this store; it may have died since."""
    try:
        announced = json.loads((settings.local / ADDRESS_FILE).read_text())
        return Announced(str(announced["url"]), int(announced["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _environment(settings: Settings) -> None:
    """What Ray reads from the environment, set before it is imported."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    # A token for this cluster alone, inherited by its processes and never written to disk.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ.setdefault("RAY_SERVE_LOG_TO_STDERR", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Ray would run every worker at nice 15: whatever else the machine does would starve live speech.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # Frames and uploads go inside the call. Through the shared store each process would come to
    # hold all of it mapped: 80 MB more in each of them.
    for limit in ("RAY_max_direct_call_object_size", "RAY_task_rpc_inlined_bytes_limit"):
        os.environ.setdefault(limit, str(64 * 2**20))
    # Each of glibc's arenas keeps what its threads freed; two are enough, and 150 MB smaller.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    os.environ.setdefault(
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH", "serve.trimming:keep_proxy_trimmed"
    )
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(settings.threads))


def _deploy(settings: Settings) -> None:
    from ray import serve
    from ray.serve.config import HTTPOptions
    from ray.serve.schema import LoggingConfig

    try:
        serve.start(
            proxy_location="HeadOnly",
            http_options=HTTPOptions(host=settings.host, port=settings.port),
            logging_config=LoggingConfig(
                encoding="JSON", log_level=settings.log_level, enable_access_log=False
            ),
        )
    except RuntimeError as error:
        _port_free(settings)  # somebody may have taken it since it was checked
        raise StartFailed(str(error).strip().splitlines()[-1]) from error
    try:
        serve.run(_application(settings), name="lookback", route_prefix="/")
    except RuntimeError as error:
        raise StartFailed(_last_words(error)) from error


def _application(settings: Settings) -> Any:
    """What the profile's `import_path` builds, as `serve deploy` would import it."""
    module, _, name = read_profile(settings.profile)["applications"][0]["import_path"].partition(
        ":"
    )
    return getattr(importlib.import_module(module), name)(settings)


def _last_words(error: Exception) -> str:
    """The deployment's own message out of Ray's account of its failure."""
    from ray import serve

    for application in serve.status().applications.values():
        for name, deployment in application.deployments.items():
            if deployment.message:
                lines = [line for line in deployment.message.strip().splitlines() if line.strip()]
                return f"{name} did not start: {lines[-1].strip()}"
    return str(error)


@contextmanager
def _announced(settings: Settings) -> Iterator[None]:
    """A file that tells the command line where its server is."""
    path = settings.local / ADDRESS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = {"url": settings.url, "pid": os.getpid()}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(mine))
    part.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
