"""Every error over HTTP as `{"error": {"code", "message"}}`, with the status that fits it."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import models
from memory import errors as memory_errors
from perception import errors as perception_errors
from reasoning import errors as reasoning_errors
from serve import errors, metrics

log = logging.getLogger("lookback.serve")

# The most exact class first: an error is looked up along its ancestors.
STATUS: Mapping[type[Exception], tuple[int, str]] = {
    errors.Busy: (429, "busy"),
    errors.ReplayRunning: (409, "replay_running"),
    errors.Unavailable: (503, "unavailable"),
    memory_errors.StreamNotFound: (404, "stream_not_found"),
    memory_errors.MomentNotFound: (404, "moment_not_found"),
    memory_errors.KeyframeNotFound: (404, "keyframe_not_found"),
    memory_errors.KeyframeTorn: (500, "keyframe_torn"),
    memory_errors.InvalidRequest: (400, "bad_request"),
    memory_errors.StoreDamaged: (500, "store_damaged"),
    memory_errors.StoreUnreachable: (503, "store_unreachable"),
    memory_errors.StoreUnusable: (409, "store_unusable"),
    memory_errors.StoreFull: (507, "store_full"),
    memory_errors.StoreReadOnly: (507, "store_read_only"),
    memory_errors.WriteFailed: (503, "write_failed"),
    perception_errors.PerceptionError: (415, "bad_recording"),
    reasoning_errors.QuestionRefused: (422, "invalid"),
    reasoning_errors.ModelUnusable: (503, "model_unusable"),
    models.ModelError: (503, "model_missing"),
    ValueError: (400, "bad_request"),
}
# What FastAPI and pydantic would say, in our words.
UNREAD = {"There was an error parsing the body": "the body is not JSON in UTF-8 that can be read"}
WORDS = {
    "string_pattern_mismatch": "at most 128 letters, digits, spaces inside, and any of . _ - @ + =",
    "model_attributes_type": "a JSON object is expected",
}
RESTARTING = 3  # seconds a deployment takes to answer again, about

NAMES = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
}


def failure(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error response; counted by its code."""
    metrics.ERRORS.labels(code).inc()
    return JSONResponse({"error": {"code": code, "message": message}}, status, dict(headers or {}))


def known(error: Exception) -> tuple[int, dict[str, Any]]:
    """Status and body of an error of ours; anything else is a 500 that says only its class."""
    for ancestor in type(error).__mro__:
        if ancestor in STATUS:
            status, code = STATUS[ancestor]
            return status, {"error": {"code": code, "message": str(error)}}
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return 507, {"error": {"code": "store_full", "message": "no space left on the disk"}}
    log.error("unexpected error", exc_info=error)
    message = f"unexpected {type(error).__name__}: see the server's log"
    return 500, {"error": {"code": "internal", "message": message}}


def answer(error: Exception, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response to an error: its status and code, and when to try again where that may help."""
    status, body = known(error)
    again = {429: getattr(error, "retry_after", 2), 503: RESTARTING}.get(status)
    retry = {"Retry-After": str(again)} if again else {}
    said = body["error"]
    return failure(status, said["code"], said["message"], {**(headers or {}), **retry})


def _says_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def install(app: FastAPI) -> None:
    """Give the application these answers to its errors."""

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "model_attributes_type" and not _says_json(request):
            said = "send JSON, and Content-Type: application/json"
            return failure(415, "unsupported_media_type", said)
        if first["type"] == "json_invalid":
            said = f"the body is not JSON: {first['ctx']['error']}, at character {first['loc'][-1]}"
            return failure(422, "invalid", said)
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        message = WORDS.get(first["type"], str(first["msg"])).removeprefix("Value error, ")
        return failure(422, "invalid", f"{where}: {message}" if where else message)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        code = NAMES.get(error.status_code, "error")
        said = UNREAD.get(str(error.detail), str(error.detail))
        return failure(error.status_code, code, said, error.headers)

    async def ours(request: Request, error: Exception) -> JSONResponse:
        return answer(error)

    for kind in (*STATUS, Exception):
        app.add_exception_handler(kind, ours)
