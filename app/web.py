"""What the gateway gets beside its API: what people touch in a browser."""

from __future__ import annotations

from fastapi import FastAPI

from serve.hub import Hub


def extend(app: FastAPI, hub: Hub) -> FastAPI:
    """The application with the page and WebRTC."""
    return app
