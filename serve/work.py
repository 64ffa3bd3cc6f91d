"""What is at work in a deployment, and whether it goes on: a model that hangs answers every ping."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serve.errors import Stuck

# Seconds without a sign of life. The longest honest silence is an answer that waits behind three
# others on a machine that does something else as well: a minute or two.
LONGEST = 300.0


class Work:
    """The calls at work. Not safe for threads: for the event loop's side of a deployment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[object, float] = {}

    @contextmanager
    def call(self) -> Iterator[Callable[[], None]]:
        """A call lasts as long as the block; it calls what it is given when it gets on."""
        mine = object()

        def went_on() -> None:
            self._heard[mine] = self._clock()

        went_on()
        try:
            yield went_on
        finally:
            del self._heard[mine]

    def check(self) -> None:
        """Raises Stuck if a call has given no sign of life for `LONGEST`."""
        silent = max((self._clock() - heard for heard in self._heard.values()), default=0.0)
        if silent > LONGEST:
            raise Stuck(silent)
