"""Whether the endpoint that is to answer can be talked to, and has the model."""

from __future__ import annotations

from typing import Any

import httpx

from reasoning.endpoint import shown
from serve.errors import BadSettings
from serve.settings import Settings

WITHIN = 5.0  # seconds


def check_endpoint(settings: Settings) -> None:
    """Asks it for its models; servers that do not list them pass. Nothing where answers come from
    elsewhere. Raises BadSettings, which does not name the key."""
    if settings.answer_backend != "endpoint":
        return
    url = settings.answer_endpoint.rstrip("/") + "/models"
    where = f"answer_endpoint {shown(httpx.URL(url))}"
    key = settings.answer_key
    headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
    try:
        with httpx.Client(timeout=WITHIN, trust_env=False) as client:
            reply = client.get(url, headers=headers)
    except httpx.HTTPError as error:
        raise BadSettings(f"{where} cannot be talked to ({type(error).__name__})") from error
    if reply.status_code in (401, 403):
        given = "with" if key is not None else "without"
        raise BadSettings(f"{where} refuses requests {given} a key ({reply.status_code})")
    if reply.status_code >= 500:
        raise BadSettings(f"{where} answered {reply.status_code}")
    known = _models(reply)
    if known and settings.answer_model not in known:
        some = ", ".join(sorted(known)[:5])
        raise BadSettings(f"{where} has no model {settings.answer_model!r}; it has {some}")


def _models(reply: httpx.Response) -> set[str]:
    """The ids that it lists; none where it lists nothing in the form of OpenAI's API."""
    try:
        listed: Any = reply.json()
        return {str(one["id"]) for one in listed["data"]}
    except (ValueError, KeyError, TypeError):
        return set()
