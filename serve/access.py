"""Who may ask: the bearer token, or the cookie that a browser was given for it.

Pictures and server-sent events are fetched by the browser itself, which sends no header of ours:
for these a page hands the token in once and gets a cookie. It is no copy of the token, ends with
it, and is only good for requests that our own page makes.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware.base import RequestResponseEndpoint

from serve import failures

COOKIE = "lookback_session"
COOKIE_DAYS = 30
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

# A probe carries no token, and learns only whether we are ready.
OPEN_PATHS = frozenset({"/healthz", "/session"})


class Presented(BaseModel):
    """The token, as a person typed it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: str = Field(min_length=1, max_length=1_000)


def guard(app: FastAPI, token: str | None, host: str) -> None:
    """Asks every request for the token, where there is one, and keeps other sites' pages from
    acting in a person's name. `app.state.open_paths` names what else is open: a path that ends in
    "/" opens all beneath it, "/" itself only the page. `request.state.known` says whether who asks
    was let in, or only the path is open.
    """
    app.include_router(_session(token))
    # Without a token only this machine may ask, by a name of its own: a page whose name was made to
    # point here (DNS rebinding) sends its own name.
    ours = {"localhost", "127.0.0.1", "::1", "[::1]", host}

    @app.middleware("http")
    async def authorize(request: Request, call_next: RequestResponseEndpoint) -> Response:
        # Whatever address the proxy in front of us was given to listen on.
        if token is None and not _from_here(request):
            return failures.failure(
                403, "foreign_client", "only this machine may ask: set LOOKBACK_TOKEN for others"
            )
        if token is None and request.url.hostname not in ours:
            return failures.failure(
                403, "foreign_host", "use the loopback address, or set LOOKBACK_TOKEN"
            )
        bearer = token is not None and _has_bearer(request, token)
        preflight = token is not None and not bearer and _is_preflight(request)
        if not bearer and _foreign(request):
            return failures.failure(
                403, "foreign_origin", "another site's page may not do this: send a bearer token"
            )
        known = token is None or bearer or _has_cookie(request, token)
        if not (known or preflight or _is_open(request)):
            return failures.failure(
                401,
                "unauthorized",
                "send Authorization: Bearer <token>",
                {"WWW-Authenticate": "Bearer"},
            )
        request.state.known = known
        response = await call_next(request)
        # No other page may put ours in a frame and have it clicked.
        response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def _session(token: str | None) -> APIRouter:
    routes = APIRouter(tags=["system"])

    @routes.get("/session", summary="Whether a token is needed, and was given")
    async def state(request: Request) -> dict[str, bool]:
        known = token is None or _has_bearer(request, token) or _has_cookie(request, token)
        return {"needed": token is not None, "signed_in": known}

    @routes.post("/session", summary="A cookie for the token", status_code=204)
    async def sign_in(presented: Presented, request: Request) -> Response:
        if token is None:
            return Response(status_code=204)
        if not _same(presented.token.strip(), token):
            return failures.failure(401, "unauthorized", "that is not the token of this server")
        response = Response(status_code=204)
        response.set_cookie(
            COOKIE,
            _ticket(token),
            max_age=COOKIE_DAYS * 86_400,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    @routes.delete("/session", summary="Forget the cookie", status_code=204)
    async def sign_out() -> Response:
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    return routes


def _from_here(request: Request) -> bool:
    """Whether the other end of the connection is on this machine; not known is no."""
    if request.client is None:
        return False
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _ticket(token: str) -> str:
    return hmac.new(token.encode(), b"lookback browser session", hashlib.sha256).hexdigest()


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _has_bearer(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and _same(given.strip(), token)


def _has_cookie(request: Request, token: str) -> bool:
    return _same(request.cookies.get(COOKIE, ""), _ticket(token))


def _is_open(request: Request) -> bool:
    path = request.url.path
    # A browser asks what it may send before it sends the token with it.
    if path in OPEN_PATHS or request.method == "OPTIONS":
        return True
    if request.method not in SAFE:
        return False
    opened: tuple[str, ...] = getattr(request.app.state, "open_paths", ())
    return any(
        path == one or (one != "/" and one.endswith("/") and path.startswith(one)) for one in opened
    )


def _is_preflight(request: Request) -> bool:
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def _foreign(request: Request) -> bool:
    """A page of another origin asks for a change. Programs send no Origin."""
    origin = request.headers.get("origin")
    if request.method in SAFE or origin is None:
        return False
    # The second is what a proxy calls the first; a page of another site cannot set it.
    hosts = (request.headers.get("host"), request.headers.get("x-forwarded-host"))
    return urlsplit(origin).netloc not in hosts
