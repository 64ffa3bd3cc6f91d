"""A real server for tests: `lookback serve` as a process of its own, on a free loopback port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from serve.launch import free_port

START_LIMIT = 180.0  # seconds; a loaded machine takes a minute
STOPPED_EARLY = 130  # the exit status of one that was stopped before it said that it was up


class Server:
    """Starts on entry, ready; `kill` is SIGKILL, `start` brings it back on the same store."""

    def __init__(self, store: Path, **environment: str) -> None:
        self.store = store
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {**os.environ, "LOOKBACK_STORE": str(store), **environment}
        self._log = tempfile.NamedTemporaryFile("w+", suffix=".log")  # noqa: SIM115 - closed in stop
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        command = [sys.executable, "-m", "app.cli", "serve", "--port", str(self.port)]
        self._process = subprocess.Popen(
            command, env=self._environment, stdout=self._log, stderr=subprocess.STDOUT, text=True
        )
        deadline = time.monotonic() + START_LIMIT
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not come up:\n{self.log()}")
            self._process_wait(0.3)

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2.0).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(20)
        # Its replicas follow a moment later; until then they answer as if nothing had happened.
        deadline = time.monotonic() + START_LIMIT
        while self._held_until_it_closed() and time.monotonic() < deadline:
            pass

    def _held_until_it_closed(self) -> bool:
        """Whether anybody listens; returns when whoever does hangs up."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), START_LIMIT) as held:
                held.recv(1)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
        return True

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(60) in (0, STOPPED_EARLY), self.log()

    def log(self) -> str:
        return Path(self._log.name).read_text()[-4000:]

    def _process_wait(self, seconds: float) -> None:
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return


def lookback(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=400,
        stdin=subprocess.DEVNULL,
    )
