"""Live sessions: each a peer connection, the stream it feeds, and the conversation on it.

A session ends when its sender says so, when its connection fails or was never made, when no media
comes for a while, or when the server stops. Whatever ends it, all it held is released.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.errors import AlreadyLive, NoRoom
from app.live import LiveSource
from app.webrtc import Peer, ice_servers
from perception.records import Stream
from serve import metrics
from serve.conversation import LiveSession
from serve.hub import Hub

log = logging.getLogger("lookback.live")

WATCH = 1.0  # seconds between two looks at whether a session is still alive
# A session that has been quiet for so long makes way for another on its stream: a page that was
# reloaded has no chance to end the one before.
QUIET = 2.0
LEFT = 1000  # sessions that ended, remembered for the DELETE that may still come
DRAIN = 10.0  # seconds that what was heard last may take to be remembered


class Call:
    """One live session. `run` lasts as long as it does; `end` makes it stop."""

    def __init__(self, stream: Stream, hub: Hub, clock: Callable[[], float]) -> None:
        settings = hub.settings
        self.stream = stream
        self.resource = secrets.token_hex(8)  # the ICE session's ETag
        self.source = LiveSource(clock, settings.live_frames_per_second)
        self.peer = Peer(
            self.source,
            ice_servers(settings.ice_servers),
            host_addresses=[one for one in settings.ice_host_addresses.split(",") if one.strip()],
            relay_only=settings.ice_relay_only,
            on_control=self._control,
            on_gone=self.end,
        )
        self._hub = hub
        self._idle = settings.idle_seconds
        self._clock = clock
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.session: LiveSession | None = None

    @property
    def quiet(self) -> float:
        """Seconds since media came, or since it began."""
        return time.monotonic() - self.source.heard_from

    async def answer(self, offer: str, *, voice: bool) -> str:
        """The SDP answer. Raises BadOffer."""
        answered = await self.peer.answer(offer, voice=voice)
        self.session = LiveSession(
            self.stream, self.source, self._hub, voice=self.peer.voice, clock=self._clock
        )
        return answered

    def end(self, reason: str) -> None:
        """Stop, for this reason, as soon as may be."""
        if not self._ended.done():
            self._ended.set_result(reason)

    async def run(self) -> None:
        """Perceive and converse until something ends the session; then release everything."""
        assert self.session is not None
        perceiving = asyncio.create_task(self.session.run(), name="live: perceiving")
        watching = asyncio.create_task(self._watch(), name="live: watching")
        perceiving.add_done_callback(lambda _: self.end("the stream ended"))
        reason = "the server is stopping"
        try:
            reason = await self._ended
        finally:
            watching.cancel()
            self.source.close()
            await asyncio.wait({perceiving}, timeout=DRAIN)
            perceiving.cancel()
            failures = await asyncio.gather(perceiving, watching, return_exceptions=True)
            await self.peer.close()
            reason = _failure(failures[0]) or reason
            log.info("live session of %s ended: %s", self.stream.id, reason)
            metrics.forget_stream(self.stream.id)
            self._hub.events.publish(self.stream.id, "ended", {"reason": reason})

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH)
            if self.quiet > self._idle:
                self.end("no media came" if self.peer.connected else "no connection was made")

    def _control(self, message: dict[str, Any]) -> None:
        if self.session is not None:
            self.session.control(message)


class Calls:
    """The live sessions of one gateway."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._calls: dict[str, Call] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Ended, and their senders have not taken leave yet: they may not know.
        self._left: deque[str] = deque(maxlen=LEFT)
        hub.on_close.append(self.close)

    def __contains__(self, stream_id: str) -> bool:
        return stream_id in self._calls

    def __len__(self) -> int:
        return len(self._calls)

    async def open(self, stream_id: str | None, offer: str, *, voice: bool) -> tuple[Call, str]:
        """The call and its SDP answer. A stream that is known goes on where it was.

        Raises:
            BadOffer, AlreadyLive, NoRoom.
        """
        stream_id = stream_id or f"live-{secrets.token_hex(4)}"
        before, task = self._calls.get(stream_id), self._tasks.get(stream_id)
        if before is not None and task is not None and before.quiet > QUIET:
            before.end("another session took its place")
            await asyncio.wait({task})
        if stream_id in self._calls or self._hub.replays.running(stream_id):
            raise AlreadyLive(stream_id)
        if len(self._calls) >= self._hub.settings.live_sessions:
            raise NoRoom(self._hub.settings.live_sessions)
        known = await self._hub.find_stream(stream_id)
        stream = known or Stream(stream_id, datetime.now(UTC), "webrtc")
        call = Call(stream, self._hub, stream_clock(stream.wall_start))
        if stream_id in self._calls:  # another came while memory was asked
            raise AlreadyLive(stream_id)
        self._calls[stream_id] = call
        try:
            answered = await call.answer(offer, voice=voice)
        except BaseException:
            await call.peer.close()
            del self._calls[stream_id]
            raise
        self._tasks[stream_id] = asyncio.create_task(self._run(call), name=f"live: {stream_id}")
        return call, answered

    async def end(self, stream_id: str) -> bool:
        """End a session and wait until it is released; False if there is none to take leave of."""
        call, task = self._calls.get(stream_id), self._tasks.get(stream_id)
        if call is not None and task is not None:
            call.end("ended by the sender")
            await asyncio.wait({task})
        if stream_id not in self._left:
            return False
        self._left.remove(stream_id)
        return True

    async def close(self) -> None:
        """End every session."""
        for call in self._calls.values():
            call.end("the server is stopping")
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, call: Call) -> None:
        stream_id = call.stream.id
        assert call.session is not None
        self._hub.live[stream_id] = call.session
        try:
            await call.run()
        except Exception:
            log.exception("live session of %s failed", stream_id)
        finally:
            self._hub.live.pop(stream_id, None)
            self._calls.pop(stream_id, None)
            self._tasks.pop(stream_id, None)
            self._left.append(stream_id)


def stream_clock(wall_start: datetime) -> Callable[[], float]:
    """Stream time: seconds since `wall_start`, never going back with the wall clock."""
    offset = max(0.0, (datetime.now(UTC) - wall_start).total_seconds()) - time.monotonic()
    return lambda: time.monotonic() + offset


def _failure(outcome: Any) -> str | None:
    """What a session's perceiving died of, in words; None if it did not."""
    if not isinstance(outcome, Exception):
        return None
    while isinstance(outcome, ExceptionGroup):
        outcome = outcome.exceptions[0]
    log.error("a live session failed", exc_info=outcome)
    return f"perception failed: {outcome}"
