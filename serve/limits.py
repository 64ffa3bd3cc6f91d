"""Bodies and crowds have a bound, said in our words: 413, 415 and 429."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve import failures
from serve.errors import Busy
from serve.settings import Settings

# Who watches over the server is answered however many others wait.
PROBES = frozenset({"/healthz", "/metrics"})


class RequestLimit:
    """ASGI middleware: 429 for a request while as many as the setting allows are under way."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._most = settings.http_requests
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._most:
            await failures.answer(Busy("the server"))(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1


class BodyLimit:
    """ASGI middleware: 413 for a JSON body or an upload beyond its setting, announced or not; 415 for
    one that is compressed."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._json = int(settings.max_json_mb * 1e6)
        self._upload = int(settings.max_upload_gb * 1e9)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._upload if scope["path"].endswith(("/replay", "/import")) else self._json
        refusal = f"the body may have {limit} bytes"
        headers = Headers(scope=scope)
        # A compressed body would be measured before it is what it becomes.
        if (coding := headers.get("content-encoding", "identity").lower()) != "identity":
            said = f"a body encoded as {coding[:40]!r} is not taken: send it as it is"
            unread = failures.failure(
                415, "unsupported_media_type", said, {"Accept-Encoding": "identity"}
            )
            await unread(scope, receive, send)
            return
        announced = headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > limit:
            await failures.failure(413, "too_large", refusal)(scope, receive, send)
            return
        total = 0

        async def counted() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > limit:
                # Raised where the body is read, so that it is answered like any HTTPException.
                raise HTTPException(413, refusal)
            return message

        await self._app(scope, counted, send)
