"""WHIP (RFC 9725): a WebRTC session by one POST.

Offers are answered whole, so there is nothing to PATCH: trickled candidates and ICE restarts, which
the RFC leaves to a server, get 405. A sender whose offer has no candidates connects all the same, by
checking ours.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response

from app.calls import Calls
from app.errors import CallRefused
from app.webrtc import ice_servers, link_headers
from memory.errors import MemoryFailure
from serve import api, failures
from serve.errors import ServeError
from serve.hub import Hub

LONGEST_OFFER = 256_000  # bytes
RETRY = 10  # seconds after which a full server may have room
EXPOSED = "Location, ETag, Link, Retry-After"
SDP = "application/sdp"
OF_ENDPOINT = "GET, HEAD, POST, OPTIONS"
OF_SESSION = "GET, HEAD, DELETE, OPTIONS"

StreamId = Annotated[api.StreamId, Path()]
NewStreamId = Annotated[api.StreamId | None, Query(description="Goes on with it if it is known.")]
Voice = Annotated[
    Literal["on", "off"], Query(description="The agent's voice on a sendrecv audio section.")
]


def install(app: FastAPI, hub: Hub) -> Calls:
    """Add WHIP to the application; the live sessions behind it."""
    calls = Calls(hub)
    app.include_router(Endpoint(calls, hub).router())
    return calls


class Endpoint:
    """The WHIP endpoint and the resources of its sessions, in the words of the RFC."""

    def __init__(self, calls: Calls, hub: Hub) -> None:
        self._calls = calls
        self._voice = hub.settings.voice
        self._links = link_headers(ice_servers(hub.settings.ice_servers))
        self._anywhere = hub.settings.token is not None

    def router(self) -> APIRouter:
        routes = APIRouter(tags=["live"])
        routes.add_api_route(
            "/whip",
            self.begin,
            methods=["POST"],
            status_code=201,
            response_class=Response,
            summary="Begin a live session (WHIP, RFC 9725)",
            openapi_extra={
                "requestBody": {"required": True, "content": {SDP: {"schema": {"type": "string"}}}}
            },
        )
        session = "/whip/{stream_id}"
        routes.add_api_route(
            session,
            self.end,
            methods=["DELETE"],
            response_class=Response,
            summary="End a live session",
        )
        routes.add_api_route(session, self.patch, methods=["PATCH"], include_in_schema=False)
        for path, look in (("/whip", self.look), (session, self.look_at)):
            routes.add_api_route(path, look, methods=["GET", "HEAD"], include_in_schema=False)
            routes.add_api_route(path, self.options, methods=["OPTIONS"], include_in_schema=False)
        return routes

    async def begin(
        self, request: Request, stream_id: NewStreamId = None, voice: Voice = "on"
    ) -> Response:
        """An SDP offer in, the answer out. `Location` is what to DELETE in the end. One audio (Opus) and
        one video (VP8, H.264) are taken. Who offers audio as sendrecv hears the agent on it: a sender
        that takes no audio offers sendonly, or says `voice=off`."""
        cross = self._allowed(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != SDP:
            return failures.failure(
                415, "unsupported_media_type", f"send the offer as {SDP}", cross
            )
        body = await request.body()
        if len(body) > LONGEST_OFFER:
            return failures.failure(
                413, "too_large", f"an offer has at most {LONGEST_OFFER} bytes", cross
            )
        offer = body.decode("utf-8", "replace")
        try:
            call, answer = await self._calls.open(
                stream_id, offer, voice=voice == "on" and self._voice
            )
        except CallRefused as error:
            again = {"Retry-After": str(RETRY)} if error.http == 503 else {}
            return failures.failure(error.http, error.code, str(error), {**cross, **again})
        except (ServeError, MemoryFailure) as error:
            return failures.answer(error, cross)
        response = Response(answer, 201, cross, media_type=SDP)
        response.headers["Location"] = f"/whip/{quote(call.stream.id, safe='')}"
        response.headers["ETag"] = f'"{call.resource}"'
        self._tell_servers(response)
        return response

    async def end(self, request: Request, stream_id: StreamId) -> Response:
        """What was perceived stays in memory."""
        if await self._calls.end(stream_id):
            return Response(status_code=200, headers=self._allowed(request))
        return self._no_session(request, stream_id)

    async def look(self, request: Request) -> Response:
        """There is nothing to be read here, which is no error (RFC 9725, section 4.1)."""
        return Response(status_code=204, headers=self._allowed(request))

    async def look_at(self, request: Request, stream_id: StreamId) -> Response:
        """A session can be seen to be there; nothing else of it is to be read."""
        if stream_id in self._calls:
            return await self.look(request)
        return self._no_session(request, stream_id)

    async def patch(self, request: Request, stream_id: StreamId) -> Response:
        """Trickle ICE and ICE restarts."""
        return failures.failure(
            405,
            "method_not_allowed",
            "neither trickle ICE nor ICE restarts are supported: send a complete offer, or begin "
            "a new session on the same stream",
            {**self._allowed(request), "Allow": OF_SESSION},
        )

    async def options(self, request: Request) -> Response:
        """What may be sent here, and from where. Who was let in also learns the ICE servers: browsers
        gather addresses before they POST, and some senders take no servers afterwards."""
        session = request.url.path.rstrip("/") != "/whip"
        methods = OF_SESSION if session else OF_ENDPOINT
        headers = {"Allow": methods, "Accept-Post": SDP} if not session else {"Allow": methods}
        if cross := self._allowed(request):
            cross["Access-Control-Allow-Methods"] = methods
            cross["Access-Control-Allow-Headers"] = "Authorization, Content-Type, If-Match"
            cross["Access-Control-Max-Age"] = "600"
        response = Response(status_code=204, headers={**headers, **cross})
        if request.state.known and not session:
            self._tell_servers(response)
        return response

    def _no_session(self, request: Request, stream_id: str) -> Response:
        message = f"stream {stream_id!r} has no live session"
        return failures.failure(404, "not_found", message, self._allowed(request))

    def _tell_servers(self, response: Response) -> None:
        for link in self._links:
            response.headers.append("Link", link)

    def _allowed(self, request: Request) -> dict[str, str]:
        """CORS. Without a token any page could record and ask: then only our own may."""
        origin = request.headers.get("origin")
        if origin is None or not self._anywhere:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": EXPOSED,
            "Vary": "Origin",
        }
