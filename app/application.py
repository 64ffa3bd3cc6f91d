"""The application that profiles import: the deployments, and a gateway with what people touch."""

from __future__ import annotations

from typing import Any

from ray.serve import Application

from app.web import extend
from serve import application
from serve.settings import Settings


def build(args: dict[str, Any] | Settings) -> Application:
    """`args` are settings, or those that a profile sets."""
    return application.build(args, extend)
