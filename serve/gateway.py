"""The HTTP API: FastAPI over the services. It knows nothing of Ray."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from serve import (
    access,
    api,
    failures,
    metrics,
    routes_archives,
    routes_memory,
    routes_questions,
    routes_streams,
)
from serve.hub import Hub
from serve.limits import BodyLimit
from serve.services import Services
from serve.settings import Settings

Extension = Callable[[FastAPI, Hub], FastAPI]


def build_app(services: Services, settings: Settings, extend: Extension | None = None) -> FastAPI:
    """The application. Closing it (its lifespan) ends the streams that still run. `extend` adds
    what people touch (the page, WebRTC) and returns the application with it."""
    hub = Hub(services, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await hub.close()

    app = FastAPI(
        title="Lookback",
        version="0.1.0",
        summary="Watches, listens, remembers, and answers with evidence.",
        lifespan=lifespan,
        responses={"4XX": {"model": api.Failure}, "5XX": {"model": api.Failure}},
    )
    failures.install(app)
    app.add_middleware(BodyLimit, settings=settings)
    token = settings.token.get_secret_value() if settings.token else None
    access.guard(app, token, settings.host)
    app.include_router(_system(hub))
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
        stats = await hub.services.memory.stats()
        metrics.STORE_BYTES.labels("tables").set(stats.table_bytes)
        metrics.STORE_BYTES.labels("media").set(stats.media_bytes)
        for table in ("streams", "moments", "observations", "keyframes"):
            metrics.STORE_ROWS.labels(table).set(getattr(stats, table))
        metrics.FRAGMENTS.set(stats.fragments)
        return Response(generate_latest(metrics.REGISTRY), media_type=CONTENT_TYPE_LATEST)

    @router.get("/v1/stats", summary="What is remembered, in counts and bytes")
    async def stats() -> dict[str, Any]:
        return asdict(await hub.services.memory.stats())

    return router
