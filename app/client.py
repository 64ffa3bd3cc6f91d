"""The HTTP API from Python: the same calls whoever serves it.

`connect` finds who: the `--url` given, the server that announced itself in the store, or, for what
needs no perception, the API in this process, with no server at all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from app.errors import BadInput, Refused, Unreachable
from serve.api import StreamId
from serve.launch import server_of
from serve.settings import Settings

_STREAM_ID: TypeAdapter[str] = TypeAdapter(StreamId)

# An answer may wait behind others; everything else is quick.
TIMEOUT = httpx.Timeout(10.0, read=600.0, write=600.0)
TRIES = 5  # times that what only reads is asked again of a server that has its hands full


class Client:
    """One conversation with the API. Raises BadInput for what the user can mend (4xx), Refused
    for the rest, Unreachable when nobody answers.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def ready(self) -> bool:
        try:
            return (await self._http.get("/healthz", timeout=5.0)).status_code == 200
        except httpx.HTTPError:
            return False

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        given = {key: value for key, value in query.items() if value is not None}
        return await self._call("GET", path, params=given)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._call("POST", path, json={k: v for k, v in body.items() if v is not None})

    async def delete(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        given = {key: value for key, value in body.items() if value is not None}
        return await self._call("DELETE", path, json=given)

    async def upload(self, path: str, recording: Path, fields: Mapping[str, str]) -> dict[str, Any]:
        with recording.open("rb") as file:
            return await self._call(
                "POST", path, files={"file": (recording.name, file)}, data=fields
            )

    async def read(self, path: str) -> bytes:
        return (await self._send("GET", path)).content

    async def download(self, path: str, out: Path) -> None:
        """The body as a file. Raises OSError where it cannot be written."""
        try:
            async with self._http.stream("GET", path) as reply:
                if reply.status_code >= 400:
                    await reply.aread()
                    _raise_for(reply)
                with out.open("wb") as file:  # noqa: ASYNC230 - this process does nothing else
                    async for piece in reply.aiter_bytes():
                        file.write(piece)
        except httpx.HTTPError as error:
            raise Unreachable(str(self._http.base_url), error) from error

    async def finished(self, path: str, poll: float = 0.5) -> dict[str, Any]:
        """A replay's last state, once it has ended."""
        while (state := await self.get(path))["state"] in ("waiting", "running"):  # noqa: ASYNC110 - it ends in another process
            await asyncio.sleep(poll)
        return state

    async def asked(
        self, body: Mapping[str, Any]
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """The server-sent events of one question, as (kind, body)."""
        given = {key: value for key, value in body.items() if value is not None}
        try:
            async with self._http.stream(
                "POST", "/v1/ask", json={**given, "stream": True}
            ) as reply:
                if reply.status_code >= 400:
                    await reply.aread()
                    _raise_for(reply)
                kind = ""
                async for line in reply.aiter_lines():
                    if line.startswith("event: "):
                        kind = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        yield kind, json.loads(line.removeprefix("data: "))
        except httpx.HTTPError as error:
            raise Unreachable(str(self._http.base_url), error) from error

    async def _call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        return dict((await self._send(method, path, **content)).json())

    async def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            reply = await self._http.request(method, path, **content)
            for _ in range(TRIES if method == "GET" else 0):
                if reply.status_code != 429:
                    break
                await asyncio.sleep(float(reply.headers.get("Retry-After", 1)))
                reply = await self._http.request(method, path, **content)
        except httpx.HTTPError as error:
            raise Unreachable(str(self._http.base_url), error) from error
        _raise_for(reply)
        return reply


def _raise_for(reply: httpx.Response) -> None:
    if reply.status_code < 400:
        return
    try:
        message = str(reply.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = reply.text[:200] or reply.reason_phrase
    if reply.status_code in (401, 429) or reply.status_code >= 500:
        raise Refused(reply.status_code, message)
    raise BadInput(message)


def valid_stream_id(stream_id: str) -> str:
    """The same. Raises BadInput for what cannot be a stream's id."""
    try:
        return _STREAM_ID.validate_python(stream_id)
    except ValidationError as error:
        raise BadInput(
            f"{stream_id!r} cannot be the id of a stream: letters, digits, spaces, . - _ @ + = can"
        ) from error


def stream_path(stream_id: str, what: str) -> str:
    """The path of something of a stream. Raises BadInput: what is no id asks for something else."""
    return f"/v1/streams/{quote(valid_stream_id(stream_id), safe='')}/{what}"


@asynccontextmanager
async def to_server(url: str, token: str | None) -> AsyncIterator[Client]:
    """A client of the server at `url`; nothing is sent yet. Raises BadInput for what is no URL."""
    if not url.startswith(("http://", "https://")):
        raise BadInput(f"{url!r} is no URL of a server: http://HOST:PORT")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT) as http:
        yield Client(http)


@asynccontextmanager
async def connect(
    settings: Settings, url: str | None, create: bool = False
) -> AsyncIterator[Client]:
    """Who answers for this store. Raises Unreachable when `url` is given and nobody does."""
    token = settings.token.get_secret_value() if settings.token else None
    found = url or await live_server(settings)
    if found is None:
        async with in_process(settings, create) as client:
            yield client
        return
    async with to_server(found, token) as client:
        if url and not await client.ready():
            raise Unreachable(url, None)
        yield client


async def live_server(settings: Settings) -> str | None:
    """The URL of the server that has this store open, if it is alive."""
    announced = await asyncio.to_thread(server_of, settings)
    if announced is None:
        return None
    async with to_server(announced.url, None) as client:
        return announced.url if await client.ready() else None


@asynccontextmanager
async def in_process(settings: Settings, create: bool = False) -> AsyncIterator[Client]:
    """The API without a server: memory and reasoning as objects here, loaded when first needed."""
    from app.local import local_app

    with local_app(settings, create) as app:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", timeout=TIMEOUT
        ) as http:
            yield Client(http)
