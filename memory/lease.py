"""One writer of a store that many machines reach: a lease object, renewed while its holder lives.

Taking, renewing and giving back are conditional writes, so of two that try one succeeds. A lease
that was not renewed for its time, by the server's clock, may be taken over; its holder, by its own
clock, stops before that, and asks the server just before each change whether it still is the holder
(`fence.py`). Of a change that was already on its way to the server when its holder stopped, the commit
fails: the next holder writes the seal and every table anew (`bucket.py`), and it finds that changed.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from memory.errors import StoreLocked, StoreUnreachable, WriteFailed
from memory.objects import Object, Objects

log = logging.getLogger(__name__)

NAME = "lease.json"
ASKED = "lease.asked"  # written to learn the server's time
SECONDS = 12.0  # that a lease lasts unless it is renewed
RENEWALS = 4  # in that time
GRAIN = 1.0  # seconds: of the times that a server gives


def _now() -> float:
    """Seconds on a clock that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """Held from construction to `release`. Raises `StoreLocked`, `StoreUnreachable`.

    `taken_over`: the holder before did not give it back. `epoch` counts holders.
    """

    def __init__(
        self, objects: Objects, seconds: float = SECONDS, clock: Callable[[], float] = _now
    ) -> None:
        self._objects = objects
        self._seconds = seconds
        self._clock = clock
        self._guard = threading.Lock()
        self._lost = False
        self._name = secrets.token_hex(8)
        self.taken_over = False
        self.epoch = 1
        self._tag = self._take()
        self._ended = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="store-lease", daemon=True)
        self._renewing.start()

    def check(self) -> None:
        """Raises `WriteFailed` once it ran out or was taken. Where it was not renewed for long, that
        is found out now: this process may have slept."""
        if not self._lost and self._clock() > self._until - self._seconds / 2:
            with suppress(StoreUnreachable):  # then what is left of it counts
                self.renew()
        self._check_not_lost()
        if self._clock() >= self._until:
            raise WriteFailed(
                f"the store at {self._objects.url} could not be reached in time to keep it; "
                "nothing is written until it can"
            )

    def fence(self) -> None:
        """As `check`, by what the server has: a clock may have stood still with its process. Raises
        `WriteFailed`, `StoreUnreachable`."""
        self.check()
        held = self._objects.get(NAME)
        if held is None or _owner(held).get("holder") != self._name:
            self._lost = True
        self._check_not_lost()

    def release(self) -> None:
        """Give it back; where the server cannot be reached it runs out by itself."""
        self._ended.set()
        self._renewing.join()
        with self._guard:
            if self._lost:
                return
            try:
                self._objects.put_if(NAME, self._content(free=True), self._tag)
            except StoreUnreachable as failure:
                log.warning("the lease was not given back: %s", failure)

    def renew(self) -> None:
        """Once; what its thread does again and again."""
        with self._guard:
            if self._lost:
                return
            began = self._clock()
            tag = self._objects.put_if(NAME, self._content(), self._tag)
            if tag is None:
                self._lost = True
            else:
                self._tag, self._until = tag, began + self._seconds

    def _check_not_lost(self) -> None:
        if self._lost:
            raise WriteFailed(
                f"another process has taken over the store at {self._objects.url}; open it again"
            )

    def _take(self) -> str:
        while True:
            began = self._clock()
            held = self._objects.get(NAME)
            self._may_take(held)
            tag = self._objects.put_if(NAME, self._content(), held.tag if held else None)
            if tag is not None:
                self._until = began + self._seconds
                return tag

    def _may_take(self, held: Object | None) -> None:
        """Raises `StoreLocked` where somebody holds it."""
        if held is None:
            return
        owner = _owner(held)
        self.epoch = int(owner.get("epoch", 0)) + 1
        if owner.get("free"):
            return
        lasts = float(owner.get("seconds", self._seconds)) + GRAIN
        left = lasts - (self._server_time() - held.written).total_seconds()
        if left > 0:
            raise StoreLocked(
                f"the store at {self._objects.url} is in use by process {owner.get('pid')} on "
                f"{owner.get('host')}; stop it, or ask it with --url, or give another --store (if it "
                f"was killed, the store is free in {left:.0f} s)"
            )
        self.taken_over = True

    def _server_time(self) -> datetime:
        now = self._objects.put(ASKED, b"")
        self._objects.remove(ASKED)
        return now

    def _content(self, free: bool = False) -> bytes:
        """No two are alike, so that a write can be told from another's."""
        owner = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "holder": self._name,
            "epoch": self.epoch,
            "seconds": self._seconds,
            "free": free,
            "write": secrets.token_hex(8),
        }
        return json.dumps(owner).encode()

    def _renew(self) -> None:
        reached = True
        while not self._lost and not self._ended.wait(self._seconds / RENEWALS):
            try:
                self.renew()
                reached = True
            except StoreUnreachable as failure:
                if reached:
                    log.warning("the lease was not renewed: %s", failure)
                reached = False


def _owner(held: Object) -> dict[str, Any]:
    try:
        owner = json.loads(held.content)
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}
