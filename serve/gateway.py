"""The HTTP API: FastAPI over the services. It knows nothing of Ray."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from memory.records import Stats
from serve import (
    access,
    api,
    docs,
    failures,
    metrics,
    routes_archives,
    routes_memory,
    routes_questions,
    routes_streams,
)
from serve.background import in_background
from serve.heads import HeadAsGet
from serve.hub import Hub
from serve.idleness import Idleness, NoticingUse
from serve.limits import BodyLimit, RequestLimit
from serve.measured import measured
from serve.services import Services
from serve.settings import Settings

log = logging.getLogger("lookback.serve")

Extension = Callable[[FastAPI, Hub], FastAPI]

STATS_TIMEOUT = 3.0  # seconds; whoever collects metrics waits for ten, usually


def build_app(services: Services, settings: Settings, extend: Extension | None = None) -> FastAPI:
    """The application. Closing it (its lifespan) ends the streams that still run. `extend` adds
    what people touch (the page, WebRTC) and returns the application with it."""
    hub = Hub(measured(services), settings)
    idleness = Idleness(settings.rewrite_after_seconds, lambda: bool(hub.replays.sessions()))
    hub.events.watched = idleness.published

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if services.captioning is not None:
            hub.on_close.append(in_background(services.captioning(hub.lag)))
        if services.rewriting is not None:
            hub.on_close.append(in_background(services.rewriting(idleness)))
        yield
        await hub.close()

    app = FastAPI(
        title="Lookback",
        version="0.1.0",
        summary="Watches, listens, remembers, and answers with evidence.",
        lifespan=lifespan,
        # FastAPI's own pages fetch their scripts from elsewhere: `docs.py` is ours.
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": api.Failure}, "5XX": {"model": api.Failure}},
    )
    failures.install(app)
    app.add_middleware(BodyLimit, settings=settings)
    token = settings.token.get_secret_value() if settings.token else None
    access.guard(app, token, settings.host)
    app.add_middleware(NoticingUse, idleness=idleness)
    app.add_middleware(RequestLimit, settings=settings)
    app.add_middleware(HeadAsGet)
    app.include_router(_system(hub))
    app.include_router(docs.router())
    for routes in (routes_questions, routes_memory, routes_streams, routes_archives):
        app.include_router(routes.router(hub), prefix="/v1")
    return extend(app, hub) if extend else app


def _system(hub: Hub) -> APIRouter:
    router = APIRouter(tags=["system"])

    @router.get("/healthz", summary="200 only when every deployment answers")
    async def healthz() -> JSONResponse:
        alive = await hub.services.healthy()
        ready = all(alive.values())
        return JSONResponse({"ready": ready, "deployments": alive}, 200 if ready else 503)

    @router.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
    async def prometheus() -> Response:
        """What is away is told by `lookback_up`; all else is there without it."""
        alive, stats, worked = await asyncio.gather(
            hub.services.healthy(), _stats(hub), hub.services.worked()
        )
        for name, well in alive.items():
            metrics.UP.labels(name).set(well)
        metrics.store(stats)
        return Response(metrics.exposition(worked), media_type=CONTENT_TYPE_LATEST)

    @router.get("/v1/stats", summary="What is remembered, and how far perception is behind")
    async def stats() -> dict[str, Any]:
        """Counts and bytes; `under_way` has the lag and drops of each stream being perceived."""
        return {**asdict(await hub.services.memory.stats()), "under_way": hub.under_way()}

    return router


async def _stats(hub: Hub) -> Stats | None:
    """What the store holds; None if memory does not say so soon."""
    try:
        return await asyncio.wait_for(hub.services.memory.stats(), STATS_TIMEOUT)
    except Exception as error:  # noqa: BLE001 - the rest is wanted most when memory is away
        log.warning("metrics without the store's: %s", type(error).__name__)
        return None
