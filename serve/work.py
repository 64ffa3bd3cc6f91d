"""What is at work in a deployment, and whether it gets on: a model that hangs answers pings."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serve.errors import Stuck

# Seconds without a sign of life. The longest honest silence is an answer that waits behind three
# others on a machine that does something else as well: a minute or two.
LONGEST = 300.0
LATELY = 10.0  # seconds


class Work:
    """The calls at work. Not safe for threads: for the event loop's side of a deployment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[object, float] = {}
        self._began: dict[object, float] = {}
        self._took: deque[tuple[float, float]] = deque()  # when calls ended, and how long they took

    @contextmanager
    def call(self) -> Iterator[Callable[[], None]]:
        """A call lasts as long as the block; it calls what it is given when it gets on."""
        mine = object()

        def went_on() -> None:
            self._heard[mine] = self._clock()

        went_on()
        began = self._began[mine] = self._clock()
        try:
            yield went_on
        finally:
            del self._heard[mine], self._began[mine]
            now = self._clock()
            self._took.append((now, now - began))
            self._forget(now)

    def slowest(self) -> float:
        """Seconds of the slowest call that ended lately, or that is at work."""
        now = self._clock()
        self._forget(now)
        ended = [took for _, took in self._took]
        return max([*ended, *(now - began for began in self._began.values())], default=0.0)

    def _forget(self, now: float) -> None:
        while self._took and now - self._took[0][0] > LATELY:
            self._took.popleft()

    def check(self) -> None:
        """Raises Stuck if a call has given no sign of life for `LONGEST`."""
        silent = max((self._clock() - heard for heard in self._heard.values()), default=0.0)
        if silent > LONGEST:
            raise Stuck(silent)
