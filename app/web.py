"""What the gateway gets beside its API: what people touch in a browser."""

from __future__ import annotations

from fastapi import FastAPI

from serve.hub import Hub


def extend(app: FastAPI, hub: Hub) -> FastAPI:
    """The application with WebRTC and the page; the page comes last, for it answers at /."""
    # Imported where they run, in the gateway: Gradio and aiortc are 200 MB that nothing else needs.
    from app import whip
    from app.page import add_page

    whip.install(app, hub)
    return add_page(app, hub)
