"""WHIP (RFC 9725): a WebRTC session by one POST.

Offers are answered whole, so there is nothing to PATCH: trickled candidates and ICE restarts get
405, as the RFC wants of a server that supports neither. A sender whose offer has no candidates
connects all the same, by checking ours.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response

from app.calls import Calls
from app.errors import CallRefused
from app.webrtc import ice_servers, link_headers
from serve import api, failures
from serve.hub import Hub

LONGEST_OFFER = 256_000  # bytes
RETRY = 10  # seconds after which a full server may have room
EXPOSED = "Location, ETag, Link, Retry-After"
SDP = "application/sdp"

StreamId = Annotated[api.StreamId, Path()]
NewStreamId = Annotated[api.StreamId | None, Query(description="Goes on with it if it is known.")]
Voice = Annotated[
    Literal["on", "off"], Query(description="The agent's voice on a sendrecv audio section.")
]


def install(app: FastAPI, hub: Hub) -> Calls:
    """Add WHIP to the application; the live sessions behind it."""
    calls = Calls(hub)
    app.include_router(_router(calls, hub))
    return calls


def _router(calls: Calls, hub: Hub) -> APIRouter:
    routes = APIRouter(tags=["live"])
    servers = link_headers(ice_servers(hub.settings.ice_servers))
    anywhere = hub.settings.token is not None

    def allowed(request: Request) -> dict[str, str]:
        """CORS. Without a token any page could record and ask: then only our own may."""
        origin = request.headers.get("origin")
        if origin is None or not anywhere:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": EXPOSED,
            "Vary": "Origin",
        }

    def refused(request: Request, error: CallRefused) -> Response:
        headers = allowed(request)
        if error.http == 503:
            headers["Retry-After"] = str(RETRY)
        return failures.failure(error.http, error.code, str(error), headers)

    @routes.post(
        "/whip",
        status_code=201,
        response_class=Response,
        summary="Begin a live session (WHIP, RFC 9725)",
        openapi_extra={
            "requestBody": {"required": True, "content": {SDP: {"schema": {"type": "string"}}}}
        },
    )
    async def whip(
        request: Request, stream_id: NewStreamId = None, voice: Voice = "on"
    ) -> Response:
        """An SDP offer in, the answer out. `Location` is what to DELETE in the end."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != SDP:
            return failures.failure(
                415, "unsupported_media_type", f"send the offer as {SDP}", allowed(request)
            )
        body = await request.body()
        if len(body) > LONGEST_OFFER:
            return failures.failure(
                413, "too_large", f"an offer has at most {LONGEST_OFFER} bytes", allowed(request)
            )
        try:
            call, answer = await calls.open(
                stream_id,
                body.decode("utf-8", "replace"),
                voice=voice == "on" and hub.settings.voice,
            )
        except CallRefused as error:
            return refused(request, error)
        response = Response(answer, 201, allowed(request), media_type=SDP)
        response.headers["Location"] = f"/whip/{quote(call.stream.id, safe='')}"
        response.headers["ETag"] = f'"{call.resource}"'
        for server in servers:
            response.headers.append("Link", server)
        return response

    @routes.delete("/whip/{stream_id}", summary="End a live session", response_class=Response)
    async def end(request: Request, stream_id: StreamId) -> Response:
        """What was perceived stays in memory."""
        if await calls.end(stream_id):
            return Response(status_code=200, headers=allowed(request))
        message = f"stream {stream_id!r} has no live session"
        return failures.failure(404, "not_found", message, allowed(request))

    @routes.patch("/whip/{stream_id}", summary="Not supported", include_in_schema=False)
    async def patch(request: Request, stream_id: StreamId) -> Response:
        """Trickle ICE and ICE restarts."""
        return failures.failure(
            405,
            "method_not_allowed",
            "neither trickle ICE nor ICE restarts are supported: send a complete offer, or begin "
            "a new session on the same stream",
            {**allowed(request), "Allow": "DELETE, OPTIONS"},
        )

    @routes.options("/whip", include_in_schema=False)
    @routes.options("/whip/{stream_id}", include_in_schema=False)
    async def options(request: Request) -> Response:
        """What may be sent here, and from where."""
        session = request.url.path.rstrip("/") != "/whip"
        methods = "DELETE, OPTIONS" if session else "POST, OPTIONS"
        headers = {"Allow": methods, "Accept-Post": SDP} if not session else {"Allow": methods}
        if cross := allowed(request):
            cross["Access-Control-Allow-Methods"] = methods
            cross["Access-Control-Allow-Headers"] = "Authorization, Content-Type, If-Match"
            cross["Access-Control-Max-Age"] = "600"
        return Response(status_code=204, headers={**headers, **cross})

    return routes
