"""Who listens to a stream hears what happens on it, and what it comes into."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from serve.events import QUEUE, Broadcast


async def test_who_comes_late_is_told_the_state_it_comes_into() -> None:
    events = Broadcast()
    events.publish("desk", "state", {"state": "thinking", "question": "Where?"})
    events.publish("desk", "state", {"state": "failed", "message": "the voice is not answering"})
    async with aclosing(events.listen("desk")) as heard:
        assert await anext(heard) == ("state", {"state": "thinking"})
    events.publish("desk", "ended", {"reason": "ended by the sender"})
    async with aclosing(events.listen("desk")) as heard:
        first = asyncio.ensure_future(anext(heard))
        await asyncio.sleep(0)
        events.publish("desk", "state", {"state": "listening"})
        assert await first == ("state", {"state": "listening"})


async def test_a_slow_listener_is_told_how_much_it_missed() -> None:
    events = Broadcast()
    events.publish("desk", "state", {"state": "listening"})
    async with aclosing(events.listen("desk")) as heard:
        await anext(heard)
        for number in range(QUEUE + 3):
            events.publish("desk", "progress", {"stream_time": number})
        events.publish("hall", "progress", {"stream_time": 0})
        assert await anext(heard) == ("missed", {"events": 3})
        assert await anext(heard) == ("progress", {"stream_time": 3})
