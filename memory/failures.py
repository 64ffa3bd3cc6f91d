"""Turns what the system and Lance raise on a full or read-only disk into memory's own errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memory.errors import StoreDamaged, StoreFull, StoreReadOnly, WriteFailed

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def failures_named(store: Path, opening: bool = False) -> Iterator[None]:
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
        if opening:
            raise damaged(f"the store at {store}", failure) from failure
        raise WriteFailed(f"the store at {store} failed: {failure}") from failure


def damaged(what: str, failure: Exception) -> StoreDamaged:
    """What to do when files are not what was written to them."""
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
