"""Turns what the system and Lance raise, on a disk that is full or read-only, from a server that does
not answer, into memory's own errors."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from memory.errors import (
    MemoryFailure,
    StoreDamaged,
    StoreFull,
    StoreReadOnly,
    StoreUnreachable,
    WriteFailed,
)

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def failures_named(store: str, opening: bool = False) -> Iterator[None]:
    """Lance reports system errors as text that ends in `(os error N)`, under several types. What
    else fails while the store is opened is its files' fault."""
    try:
        yield
    except (OSError, RuntimeError) as failure:
        number = _number(failure)
        if number in FULL:
            raise StoreFull(
                f"no space left for the store at {store}; free some, then repeat the call"
            ) from failure
        if number in READ_ONLY:
            raise StoreReadOnly(f"the store at {store} cannot be written: {failure}") from failure
        if from_server(failure) and opening:
            raise StoreUnreachable(f"the store at {store}: {reason(str(failure))}") from None
        if from_server(failure):
            raise WriteFailed(f"the store at {store} failed: {reason(str(failure))}") from None
        if opening:
            raise damaged(f"the store at {store}", failure) from failure
        raise WriteFailed(f"the store at {store} failed: {failure}") from failure


def damaged(what: str, failure: Exception) -> MemoryFailure:
    """What to do when files are not what was written to them, or cannot be had."""
    if from_server(failure):
        return StoreUnreachable(f"{what} cannot be read: {reason(str(failure))}")
    return StoreDamaged(
        f"{what} is damaged: {failure}; put back a copy of the folder, or import archives of its "
        "streams into a new one"
    )


def _number(failure: BaseException) -> int | None:
    if isinstance(failure, OSError) and failure.errno is not None:
        return failure.errno
    text = str(failure)
    for number in FULL | READ_ONLY:
        if f"os error {number})" in text:
            return number
    return None


def from_server(failure: BaseException) -> bool:
    """Is it a request to an S3 server that failed?"""
    return any(sign in str(failure) for sign in ("S3 error", 'store: "S3"', "Error performing"))


def reason(said: str, where: str = "its server", keyed: bool = True) -> str:
    """In one line what an S3 client's message comes to, without what it quotes of keys and answers."""
    code = re.search(r"<Code>(\w+)</Code>", said)
    status = re.search(r"status(?: code)?: (\d{3})", said)
    if code and code[1] == "NoSuchBucket":
        return f"{where} has no such bucket"
    if not keyed and ("169.254" in said or "redential" in said):
        return "no keys were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if (code and code[1] in DENIED) or (status and status[1] in ("401", "403")):
        told = f" ({code[1]})" if code else ""
        return (
            f"{where} refuses the keys{told}; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "and what they may do"
        )
    if code or status:
        return f"{where} answers {code[1] if code else status and status[1]}"
    return f"{where} does not answer; check AWS_ENDPOINT_URL and the network"


DENIED = {
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
}
