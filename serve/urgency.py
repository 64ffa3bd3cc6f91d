"""What somebody waits for goes before what nobody does, also between the processes of one GPU.

A GPU divides its time between processes and knows of no priorities among them. So whoever answers, or
recognises live speech, holds a lock on a file that stands for the GPU, as many at once as there are;
and background work looks, before each of its short pieces, whether anybody does. The kernel lets go of
a lock however its holder ends. What this does not do: end a piece that has begun.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOKS = 0.05  # seconds between two looks
PATIENCE = 2.0  # seconds that a piece of background work is put off, at most: it must get on too


class Urgency:
    """For one event loop. `file`: by default that of this process's GPU, or of the cores where it
    has none."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or of_this_gpu()
        self._held = 0
        self._lock = -1

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        """Somebody waits for what the block does."""
        if not self._held:
            self._lock = self._opened()
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if not self._held:
                os.close(self._lock)

    def anybody(self) -> bool:
        """Does anybody wait, for this process or another?"""
        looking = self._opened()
        try:
            fcntl.flock(looking, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(looking)
        return False

    async def nobody(self, patience: float | None = None) -> None:
        """Returns once nobody waits, or this has taken as long as it may (None: PATIENCE)."""
        until = time.monotonic() + (PATIENCE if patience is None else patience)
        while self.anybody() and time.monotonic() < until:  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(LOOKS)

    def _opened(self) -> int:
        return os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def of_this_gpu() -> Path:
    """The file that stands for the first GPU this process sees; Ray gives each replica its own."""
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"
    name = "".join(letter for letter in gpu if letter.isalnum() or letter == "-")
    return Path(tempfile.gettempdir()) / f"lookback-{os.getuid()}-gpu-{name}"
