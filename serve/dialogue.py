"""What was last asked and answered on each stream, so that "and before that?" has a that."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from reasoning.followup import resolve
from reasoning.records import Answer, Exchange

FRESH = 120.0  # seconds in which a question may follow upon the last
STREAMS = 500  # whose last exchange is kept


class Dialogues:
    """One per gateway."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: OrderedDict[str, tuple[float, Exchange]] = OrderedDict()

    def last(self, stream_id: str | None) -> Exchange | None:
        """The last exchange, if it was not too long ago."""
        if stream_id is None or stream_id not in self._last:
            return None
        at, exchange = self._last[stream_id]
        return exchange if self._clock() - at <= FRESH else None

    def note(self, stream_id: str | None, answer: Answer) -> None:
        """An answer was given."""
        if stream_id is None:
            return
        before = self.last(stream_id)
        asked = resolve(answer.question, before).text if before else answer.question
        cited = min((one.start for one in answer.citations), default=None)
        self._last[stream_id] = (self._clock(), Exchange(asked, answer.answer, cited))
        self._last.move_to_end(stream_id)
        while len(self._last) > STREAMS:
            self._last.popitem(last=False)
