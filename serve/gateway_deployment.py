"""The gateway as a Ray Serve ingress: the FastAPI application over the deployments' handles."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from prometheus_client.metrics_core import Metric
from ray import serve

from serve.answering import model_name
from serve.captioning import Captioning
from serve.gateway import Extension, build_app
from serve.hub import UPLOADS
from serve.idleness import Idleness
from serve.rehearsal import rehearse_pipeline
from serve.remote import (
    Part,
    RemoteCaptioner,
    RemoteMemory,
    RemotePerceiver,
    RemoteReasoning,
    RemoteRewriter,
    RemoteTalking,
    memory_of,
)
from serve.rewriting import Rewriting
from serve.services import Services
from serve.settings import Settings
from serve.trimming import keep_trimmed


@serve.deployment(name="Gateway", graceful_shutdown_timeout_s=20)
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
        readers: Any = None,
    ) -> None:
        self._extend = extend
        self._settings = Settings(**plain)
        # What a killed server left half replayed must not outlive what it holds being forgotten.
        shutil.rmtree(self._settings.local / UPLOADS, ignore_errors=True)
        rehearse_pipeline()
        keep_trimmed()
        self._perception = Part("Perception", perception)
        self._memory = Part("Memory", memory)
        self._reasoning = Part("Reasoning", reasoning)
        self._shared = memory_of(memory, readers)
        more = () if readers is None else (Part("Readers", readers),)
        self._parts = (self._perception, self._memory, self._reasoning, *more)

    def __serve_build_asgi_app__(self) -> FastAPI:
        memory = self._shared
        services = Services(
            perception=RemotePerceiver(self._perception),
            memory=memory,
            reasoning=RemoteReasoning(self._reasoning),
            healthy=self._healthy,
            talking=RemoteTalking(self._reasoning),
            worked=self._worked,
            captioning=self._captioning(memory) if self._settings.captions else None,
            rewriting=self._rewriting(memory) if self._settings.rewrite_summaries else None,
        )
        return build_app(services, self._settings, self._extend)

    def _captioning(self, memory: RemoteMemory) -> Callable[[Callable[[], float]], Captioning]:
        captioner = RemoteCaptioner(self._reasoning)
        return lambda lag: Captioning(memory, captioner.caption, lag)

    def _rewriting(self, memory: RemoteMemory) -> Callable[[Idleness], Rewriting]:
        rewriter, writer = RemoteRewriter(self._reasoning), model_name(self._settings)
        return lambda idleness: Rewriting(memory, rewriter.rewrite, writer, idleness)

    async def _healthy(self) -> dict[str, bool]:
        alive = await asyncio.gather(*(part.alive() for part in self._parts))
        return {part.name.lower(): well for part, well in zip(self._parts, alive, strict=True)}

    async def _worked(self) -> list[Metric]:
        found = await asyncio.gather(*(part.worked() for part in self._parts))
        return [metric for one in found for metric in one]
