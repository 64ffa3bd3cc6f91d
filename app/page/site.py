"""Puts the page in front of the gateway: its files, and Gradio at / without Gradio's own API."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from app.page.settings_view import router
from serve.hub import Hub

STATIC = Path(__file__).parent / "static"

# What a browser needs before it has shown a token: the shell of the page. Nothing remembered is
# in it. "/session" is where the token is then handed in.
OPEN = (
    "/page/",
    "/static/",
    "/assets/",
    "/config",
    "/theme.css",
    "/favicon.ico",
    "/manifest.json",
    "/robots.txt",
    "/gradio_api/info",
    "/gradio_api/startup-events",
    "/gradio_api/heartbeat/",
)


def add_page(app: FastAPI, hub: Hub) -> FastAPI:
    """The application with the page at /. What it had before keeps its paths, /docs included."""
    app.include_router(router(hub))
    app.mount("/page", PageFiles(directory=STATIC), name="page")
    app.state.open_paths = ("/", *OPEN)
    gradio_app = _mount_gradio(app)
    app.router.routes[-1] = ShellOnly("/", gradio_app)
    return app


class PageFiles(StaticFiles):
    """The page's files, revalidated on every load: a new version shows at the next reload."""

    def file_response(self, *arguments: Any, **named: Any) -> Any:
        """The file, or 304 where the browser has it."""
        response = super().file_response(*arguments, **named)
        response.headers["Cache-Control"] = "no-cache"
        return response


class ShellOnly(Mount):
    """Gradio for the paths of its page alone: its uploads, proxies and queue are not ours to offer,
    and every other path stays the API's, with its own 404 and 405.
    """

    def __init__(self, path: str, app: ASGIApp) -> None:
        super().__init__(path, app=app)

    def matches(self, scope: MutableMapping[str, Any]) -> tuple[Match, MutableMapping[str, Any]]:
        """A full match for a GET of a page's path, else none."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return Match.NONE, {}
        path = scope["path"]
        if path != "/" and not path.startswith(OPEN):
            return Match.NONE, {}
        return super().matches(scope)


def _mount_gradio(app: FastAPI) -> ASGIApp:
    """Gradio takes seconds to import: only a gateway does, not every command that imports us."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    import gradio

    from app.page.shell import HEAD, blocks

    gradio.mount_gradio_app(
        app,
        blocks(),
        path="/",
        head=HEAD,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        # Named as plain strings, fonts are the reader's own: a theme's default is fetched.
        theme=gradio.themes.Base(font=["sans-serif"], font_mono=["monospace"]),
    )
    mounted: ASGIApp = app.router.routes[-1].app  # type: ignore[attr-defined]  # the mount, just added
    return mounted
