"""The API's description: right for programs, readable for people, and nothing of it from elsewhere."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import httpx
import pytest

from serve import api as bodies

pytestmark = pytest.mark.unit


async def test_docs_list_every_call_and_fetch_nothing_from_elsewhere(
    api: httpx.AsyncClient,
) -> None:
    """The page drew itself with scripts from a content delivery network."""
    reply = await api.get("/docs")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert not re.search(r"<(script|link|img|iframe)|@import|url\(", reply.text)
    described = (await api.get("/openapi.json")).json()["paths"]
    assert len(described) > 10
    for path, operations in described.items():
        for method in operations:
            assert f"<h3>{method.upper()} {path}</h3>" in reply.text
    assert (await api.get("/redoc")).status_code == 404
    assert "Authorization: Bearer TOKEN" in reply.text


async def test_every_example_is_accepted_by_what_it_is_an_example_of(
    api: httpx.AsyncClient,
) -> None:
    schemas = (await api.get("/openapi.json")).json()["components"]["schemas"]
    exemplary = {name: one["examples"] for name, one in schemas.items() if "examples" in one}
    assert {"Asked", "Observations", "Searched", "Forgotten"} <= exemplary.keys()
    for name, examples in exemplary.items():
        for example in examples:
            getattr(bodies, name).model_validate(example)


async def test_the_examples_of_the_page_work_as_they_stand(api: httpx.AsyncClient) -> None:
    page = unescape((await api.get("/docs")).text)
    shown: dict[str, Any] = {}
    found = re.findall(r"curl -X (\w+) \S+?localhost(\S+) \\\n  --json '(.*?)'</pre>", page, re.S)
    for method, path, body in found:
        shown[f"{method} {path}"] = json.loads(body)
    remembered = shown.pop("POST /v1/observations")
    kept = await api.post("/v1/observations", json=remembered)
    assert all(f'"{key}"' in page for key in kept.json())
    for call in ("POST /v1/search", "POST /v1/ask", "DELETE /v1/memory"):
        method, path = call.split()
        body = shown.pop(call)
        if "stream_id" in body:
            body["stream_id"] = remembered["stream_id"]
        reply = await api.request(method, path, json=body)
        assert reply.status_code == 200, (call, reply.text)
        assert path == "/v1/memory" or all(f'"{key}"' in page for key in reply.json())
    assert not shown
