"""The application that profiles import: the deployments, and a gateway with what people touch."""

from __future__ import annotations

from typing import Any

from ray.serve import Application

from app.web import extend
from serve import application


def build(args: dict[str, Any]) -> Application:
    """`args` are settings (`serve.settings.Settings`)."""
    return application.build(args, extend)
