"""Errors of the command line and of live sessions.

AppError
├── BadInput       the user's mistake: exit status 2
├── Refused        the server said no: exit status 1
├── Unreachable    nobody answers there: exit status 1
└── CallRefused    a WebRTC session that is not taken
    ├── BadOffer       its SDP is malformed, or has nothing in common with us
    ├── AlreadyLive    that stream has a session, or is being replayed
    └── NoRoom         as many sessions as the setting allows
"""

from __future__ import annotations


class AppError(Exception):
    """Root of this package's errors; `status` is the exit status of the command."""

    status = 1


class BadInput(AppError):
    """Something given on the command line cannot be. The message says what."""

    status = 2


class Refused(AppError):
    """The server said no, for a reason the user did not type."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"the server refused ({code}): {message}")


class Unreachable(AppError):
    """Nobody answers at the URL."""

    def __init__(self, url: str, cause: Exception | None) -> None:
        why = f" ({type(cause).__name__})" if cause else ""
        super().__init__(f"nobody answers at {url}{why}: is the server running? `lookback serve`")


class CallRefused(AppError):
    """A WebRTC session is not taken; `code` is the HTTP API's word for why, `http` its status."""

    code = "refused"
    http = 400


class BadOffer(CallRefused):
    """The SDP offer cannot be answered. The message says what is wrong with it."""

    code = "bad_offer"


class AlreadyLive(CallRefused):
    """One session at a time feeds a stream."""

    code, http = "already_live", 409

    def __init__(self, stream_id: str) -> None:
        super().__init__(f"stream {stream_id!r} is being recorded already: end that session first")


class NoRoom(CallRefused):
    """As many sessions are under way as the setting allows."""

    code, http = "no_room", 503

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} live sessions are under way, and no more are allowed: try later")
