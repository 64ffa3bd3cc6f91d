"""The gateway as a Ray Serve ingress: the FastAPI application over the deployments' handles."""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

from fastapi import FastAPI
from ray import serve

from serve.gateway import Extension, build_app
from serve.hub import UPLOADS
from serve.services import (
    RemoteMemory,
    RemotePerceiver,
    RemoteReasoning,
    RemoteTalking,
    Services,
)
from serve.settings import Settings
from serve.trimming import keep_trimmed

PING_TIMEOUT = 5.0


@serve.deployment(name="Gateway", max_ongoing_requests=256, graceful_shutdown_timeout_s=20)
@serve.ingress()
class GatewayDeployment:
    """One replica: it holds the streams' pipelines."""

    def __init__(
        self,
        plain: dict[str, Any],
        perception: Any,
        memory: Any,
        reasoning: Any,
        extend: Extension | None,
    ) -> None:
        self._extend = extend
        self._settings = Settings(**plain)
        # What a killed server left half replayed must not outlive what it holds being forgotten.
        shutil.rmtree(self._settings.store / UPLOADS, ignore_errors=True)
        keep_trimmed()
        self._handles = {"perception": perception, "memory": memory, "reasoning": reasoning}

    def __serve_build_asgi_app__(self) -> FastAPI:
        services = Services(
            perception=RemotePerceiver(self._handles["perception"]),
            memory=RemoteMemory(self._handles["memory"]),
            reasoning=RemoteReasoning(self._handles["reasoning"]),
            healthy=self._healthy,
            talking=RemoteTalking(self._handles["reasoning"]),
        )
        return build_app(services, self._settings, self._extend)

    async def _healthy(self) -> dict[str, bool]:
        async def answers(handle: Any) -> bool:
            try:
                await asyncio.wait_for(_ping(handle), PING_TIMEOUT)
            except Exception:  # noqa: BLE001 - whatever kept it from answering, it is not healthy
                return False
            return True

        names = list(self._handles)
        alive = await asyncio.gather(*(answers(self._handles[name]) for name in names))
        return dict(zip(names, alive, strict=True))


async def _ping(handle: Any) -> float:
    return float(await handle.ping.remote())
