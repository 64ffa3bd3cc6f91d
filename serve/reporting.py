"""What every deployment has: an answer to whether it is well, what it measured, and opening what is
not there yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from prometheus_client.metrics_core import Metric

from serve import metrics

T = TypeVar("T")

AGAIN = 0.25  # seconds between two tries


class Reporting:
    """The part of a deployment that the gateway and Ray Serve ask."""

    async def check_health(self) -> None:
        """Raises what is wrong. Ray Serve asks, and restarts the replica."""
        raise NotImplementedError

    async def ping(self) -> float:
        """The time here; raises as `check_health`."""
        await self.check_health()
        return time.time()

    async def worked(self) -> list[Metric]:
        """What this process measured of its own work."""
        return metrics.worked()


def opened(opening: Callable[[], T], not_yet: type[Exception], seconds: float) -> T:
    """What `opening` gives, tried again while it raises `not_yet`, for so long. Then raises that."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return opening()
        except not_yet:
            if time.monotonic() >= deadline:
                raise
            time.sleep(AGAIN)
