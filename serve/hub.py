"""What the routes share: the services, the settings, the streams under way and who follows them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from memory.errors import StreamNotFound
from perception.records import Stream
from reasoning.gate import Gate
from serve.dialogue import Dialogues
from serve.events import Broadcast
from serve.replays import Replays
from serve.services import Services
from serve.settings import Settings

if TYPE_CHECKING:
    from serve.conversation import LiveSession


UPLOADS = "uploads"  # in the store: recordings that are being replayed


class Hub:
    """One per gateway."""

    def __init__(self, services: Services, settings: Settings) -> None:
        self.services = services
        self.settings = settings
        self.gate = Gate(settings.agent_name, settings.answer_mode)
        self.events = Broadcast()
        self.dialogue = Dialogues()
        self.live: dict[str, LiveSession] = {}  # the streams that are being talked on
        self.replays = Replays(services, self.gate, self.events, settings.replays)
        self.on_close: list[Callable[[], Awaitable[None]]] = [self.replays.close]

    async def close(self) -> None:
        """End what still runs, the latest begun first."""
        for ending in reversed(self.on_close):
            await ending()

    def under_way(self) -> list[dict[str, Any]]:
        """The streams that are perceived now: how far they have come, how far behind their source
        that is (`lag`, seconds), and how many frames went unseen."""
        replays = [(one, "replay") for one in self.replays.sessions()]
        live = [(one, "live") for one in self.live.values()]
        return [
            {
                "stream_id": session.stream.id,
                "source": source,
                "stream_time": round(session.tally.stream_time, 2),
                "lag": round(session.tally.lag, 3),
                "dropped_frames": session.tally.dropped_frames,
            }
            for session, source in (*live, *replays)
        ]

    def lag(self) -> float:
        """Seconds that the live stream furthest behind is; recordings wait for nobody."""
        return max((one.tally.lag for one in self.live.values()), default=0.0)

    async def up_to_now(self, stream_id: str | None) -> None:
        """What is live, on that stream or on any, is remembered as far as it was perceived."""
        asked = [one for id, one in self.live.items() if stream_id in (None, id)]
        await asyncio.gather(*(one.up_to_now() for one in asked))

    def forget_answers(self) -> None:
        """Answers kept for followers and follow-up questions quote memory: they go with it."""
        self.replays.forget_answers()
        self.dialogue = Dialogues()

    async def find_stream(self, stream_id: str) -> Stream | None:
        """As remembered, or as it is live with nothing to remember yet."""
        for stream in await self.services.memory.streams():
            if stream.id == stream_id:
                return stream
        live = self.live.get(stream_id)
        return None if live is None else live.stream

    async def stream(self, stream_id: str) -> Stream:
        """Raises StreamNotFound."""
        found = await self.find_stream(stream_id)
        if found is None:
            raise StreamNotFound(f"no stream {stream_id!r} is remembered")
        return found
