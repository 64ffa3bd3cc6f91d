"""Who follows a stream hears what happens on it: a bounded queue per listener, losses counted."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from typing import Any

from fastapi.sse import format_sse_event

QUEUE = 256  # events a slow listener may lag behind before the oldest are dropped for it
OVER = frozenset({"ended", "replayed"})  # nothing goes on with that stream any more


def sse(kind: str, body: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return format_sse_event(event=kind, data_str=json.dumps(body, ensure_ascii=False))


class Broadcast:
    """Events by stream. Publishing never waits; a listener that is too slow is told what it missed,
    one that comes late the state that it comes into. `watched` is told every stream's."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[_Listener]] = defaultdict(set)
        self._states: dict[str, str] = {}  # of the streams with which something goes on
        self.watched: Callable[[str, dict[str, Any]], None] = lambda kind, body: None

    def publish(self, stream_id: str, kind: str, body: dict[str, Any]) -> None:
        self.watched(kind, body)
        if kind == "state" and body["state"] != "failed":
            self._states[stream_id] = body["state"]
        elif kind in OVER:
            self._states.pop(stream_id, None)
        for listener in self._listeners.get(stream_id, ()):
            listener.put(kind, body)

    async def listen(self, stream_id: str) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """The state it is in, while something goes on with it; then every event, as (kind, body)."""
        listener = _Listener()
        if stream_id in self._states:
            listener.put("state", {"state": self._states[stream_id]})
        self._listeners[stream_id].add(listener)
        try:
            while True:
                yield await listener.get()
        finally:
            self._listeners[stream_id].discard(listener)
            if not self._listeners[stream_id]:
                del self._listeners[stream_id]


class _Listener:
    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(QUEUE)
        self._missed = 0

    def put(self, kind: str, body: dict[str, Any]) -> None:
        if self._queue.full():
            self._queue.get_nowait()
            self._missed += 1
        self._queue.put_nowait((kind, body))

    async def get(self) -> tuple[str, dict[str, Any]]:
        if self._missed:
            missed, self._missed = self._missed, 0
            return "missed", {"events": missed}
        return await self._queue.get()
