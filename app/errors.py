"""Errors of the command line.

AppError
├── BadInput       the user's mistake: exit status 2
├── Refused        the server said no: exit status 1
└── Unreachable    nobody answers there: exit status 1
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
