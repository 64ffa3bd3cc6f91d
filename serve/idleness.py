"""Is anybody using the machine? What may only run while nobody is asks here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from reasoning.giving_way import unless
from serve.access import SAFE
from serve.background import BEHIND

T = TypeVar("T")

# Events of a stream that say somebody talks, or is answered.
TALK = frozenset({"partial", "state", "token", "answer", "interrupted"})


class Idleness:
    """Idle is who for `seconds` was asked nothing, given nothing, and talked to by nobody. `busy`
    says whether something runs that is seen elsewhere, a replay say."""

    def __init__(
        self,
        seconds: float,
        busy: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._busy = busy
        self._clock = clock
        self._last = clock()
        self._uses = 0
        self._begun = asyncio.Event()

    def touch(self) -> None:
        """Something happens: what waited for idleness ends at once, and waits anew."""
        self._last = self._clock()
        self._begun.set()

    @contextmanager
    def used(self) -> Iterator[None]:
        """The machine is used while the block runs, and was just now after it."""
        self._uses += 1
        self.touch()
        try:
            yield
        finally:
            self._uses -= 1
            self.touch()

    def published(self, kind: str, body: dict[str, Any]) -> None:
        """An event of a stream: what is said on it, and whether perception can keep up."""
        said = kind == "observation" and body.get("kind") == "speech"
        late = kind == "progress" and float(body.get("lag", 0.0)) > BEHIND
        if said or late or kind in TALK:
            self.touch()

    @property
    def idle(self) -> bool:
        """For long enough, and still."""
        quiet = self._clock() - self._last >= self._seconds
        return quiet and not self._uses and not self._busy()

    async def while_idle(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """What the work gives; None where the machine is not idle, or was wanted before the work was
        done, which is then cancelled. Raises what the work raises."""
        if not self.idle:
            return None
        self._begun.clear()
        return await unless(self._begun, work)


class NoticingUse:
    """ASGI middleware: a request that asks or changes something is use; to look is not."""

    def __init__(self, app: ASGIApp, idleness: Idleness) -> None:
        self._app = app
        self._idleness = idleness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        with self._idleness.used():
            await self._app(scope, receive, send)
