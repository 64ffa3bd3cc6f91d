"""One writer per store: a lock file that the kernel lets go of however its holder ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path

from memory.errors import StoreLocked


class StoreLock:
    """Held from construction to `release`. Raises `StoreLocked`, saying by whom it is held.

    The file stays when the lock goes: removing it would let two openers lock two files of one name.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as refused:
            holder = _holder(os.pread(self._file, 4096, 0))
            os.close(self._file)
            raise StoreLocked(
                f"the store at {path.parent} is in use by {holder}; "
                "stop it, or ask it with --url, or give another --store"
            ) from refused
        owner = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, owner.encode(), 0)

    def release(self) -> None:
        os.close(self._file)


def _holder(written: bytes) -> str:
    try:
        owner = json.loads(written)
        return f"process {owner['pid']} on {owner['host']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
