"""Errors of the running system.

ServeError
├── BadSettings       a setting is wrong: the user's mistake, exit status 2
│   ├── TokenNeeded       binding beyond loopback without LOOKBACK_TOKEN
│   ├── PortInUse         something else listens there
│   ├── NoGpu             the profile asks for a GPU that is not there, or cannot be used
│   └── TooLittleGpuMemory  what the deployments ask for is more than is free
├── StartFailed       a deployment did not come up
├── Busy              a queue is full: try again after `retry_after` seconds
├── ReplayRunning     that stream is being replayed already
├── Unavailable       a deployment is restarting: try again
└── Stuck             a call in a deployment does not end: it has to be restarted
"""

from __future__ import annotations

from collections.abc import Mapping


class ServeError(Exception):
    """Root of this package's errors."""


class BadSettings(ServeError):
    """A setting that cannot work. The message says which, and what would."""


class TokenNeeded(BadSettings):
    """The address is reachable from elsewhere and no token is set."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"--host {host} is reachable from other machines: set LOOKBACK_TOKEN to a secret first, "
            "or bind 127.0.0.1"
        )


class PortInUse(BadSettings):
    """Something listens there already."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"port {port} on {host} is in use: choose another with --port, or stop what uses it"
        )


class NoGpu(BadSettings):
    """The profile needs a GPU. The message says what is in the way."""


class TooLittleGpuMemory(BadSettings):
    """The deployments do not fit on the GPU together. `free` is in bytes, `asked` in GB."""

    def __init__(self, gpu: str, free: int, asked: Mapping[str, float], fits: str) -> None:
        self.gpu, self.free, self.asked, self.fits = gpu, free, dict(asked), fits
        each = ", ".join(f"{name} {gb:g} GB" for name, gb in asked.items())
        super().__init__(
            f"{gpu} has {free / 1e9:.1f} GB free, and the deployments ask for {each}: end what else "
            f"uses it, lower perception_gpu_gb or answer_gpu_gb, or take --profile {fits}"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return (TooLittleGpuMemory, (self.gpu, self.free, self.asked, self.fits))


class StartFailed(ServeError):
    """A deployment did not come up. The message carries its own last words."""


class Busy(ServeError):
    """A queue is at its bound. `retry_after` is in seconds."""

    def __init__(self, what: str, retry_after: int = 2) -> None:
        super().__init__(f"{what} has more work than it may queue: try again in {retry_after} s")
        self.what = what
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        # It also comes from one deployment through another.
        return (Busy, (self.what, self.retry_after))


class ReplayRunning(ServeError):
    """One recording at a time goes into a stream."""

    def __init__(self, stream_id: str) -> None:
        super().__init__(f"stream {stream_id!r} is being replayed already: follow it, or wait")


class Unavailable(ServeError):
    """A deployment did not answer."""


class Stuck(ServeError):
    """A call in a deployment gives no sign of life."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"a call has been at work for {seconds:.0f} s and does not end")
