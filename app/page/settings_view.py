"""The settings in force, for the System tab. Secrets are said to be set, and never shown."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from pydantic import SecretStr

from serve.hub import Hub
from serve.settings import Settings

# Credentials inside a URL: turn:name:secret@host, https://name:secret@host.
_CREDENTIALS = re.compile(r"(?<=:)(//)?[^\s/,;\"']+@")
_JSON_CREDENTIALS = re.compile(r'("(?:username|credential)"\s*:\s*)"(?:[^"\\]|\\.)*"')
_SECRET_NAMES = re.compile(r"token|secret|password|credential", re.IGNORECASE)


def router(hub: Hub) -> APIRouter:
    """GET /v1/settings."""
    routes = APIRouter(tags=["system"])

    @routes.get("/v1/settings", summary="The settings in force, secrets left out")
    async def settings() -> dict[str, Any]:
        return {"settings": shown(hub.settings)}

    return routes


def shown(settings: Settings) -> list[dict[str, Any]]:
    """Every setting as {name, value, description, changed}: whether its value is not the default. A
    secret's value is "set" or "not set"."""
    return [
        {
            "name": name,
            "value": _plain(name, getattr(settings, name)),
            "description": field.description or "",
            "changed": getattr(settings, name) != field.get_default(call_default_factory=True),
        }
        for name, field in type(settings).model_fields.items()
    ]


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr) or _SECRET_NAMES.search(name):
        return "set" if value else "not set"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(name, one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(str(key), one) for key, one in value.items()}
    return _JSON_CREDENTIALS.sub(r'\1"…"', _CREDENTIALS.sub("…@", str(value)))
