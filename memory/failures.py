"""Turns what the system and Lance raise on a full or read-only disk into memory's own errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memory.errors import StoreFull, StoreReadOnly, WriteFailed

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def failures_named(store: Path) -> Iterator[None]:
    """Lance reports system errors as text that ends in `(os error N)`, under several types."""
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
        raise WriteFailed(f"the store at {store} failed: {failure}") from failure


def _number(failure: BaseException) -> int | None:
    if isinstance(failure, OSError) and failure.errno is not None:
        return failure.errno
    text = str(failure)
    for number in FULL | READ_ONLY:
        if f"os error {number})" in text:
            return number
    return None
