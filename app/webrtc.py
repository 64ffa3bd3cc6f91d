"""One WebRTC session: an offer in, an answer out, its tracks into a LiveSource, the voice back.

aiortc is spoken to here alone. It gathers every candidate before the answer is given (no trickle),
and asks no STUN server unless the settings name one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)

from app.errors import BadOffer
from app.live import LiveSource
from app.offer import read
from app.voice import VoiceTrack
from serve import ice

log = logging.getLogger("lookback.live")

CLOSING = 5.0  # seconds a peer connection may take to close


class Peer:
    """A peer connection that takes one audio and one video track.

    Args:
        on_control: a message of the data channel "control", parsed.
        on_gone: the connection failed or was closed by the other side; called once, with why.
    """

    def __init__(
        self,
        source: LiveSource,
        ice_servers: Sequence[RTCIceServer],
        *,
        host_addresses: Sequence[str] = (),
        relay_only: bool = False,
        on_control: Callable[[dict[str, Any]], None],
        on_gone: Callable[[str], None],
    ) -> None:
        policy = RTCIceTransportPolicy.RELAY if relay_only else RTCIceTransportPolicy.ALL
        configuration = RTCConfiguration(list(ice_servers), iceTransportPolicy=policy)
        self._connection: Any = RTCPeerConnection(configuration)
        self._source = source
        self._host_addresses = tuple(host_addresses)
        self._on_control, self._on_gone = on_control, on_gone
        self._draining: list[asyncio.Task[None]] = []
        self.voice: VoiceTrack | None = None
        self._connection.on("track", self._take)
        self._connection.on("datachannel", self._channel)
        self._connection.on("connectionstatechange", self._changed)

    @property
    def connected(self) -> bool:
        return str(self._connection.connectionState) == "connected"

    async def answer(self, offer: str, *, voice: bool) -> str:
        """The SDP answer. With `voice`, the agent speaks on an audio section that would hear it.

        Raises:
            BadOffer: the offer is malformed, sends nothing, or has no codec in common with us.
        """
        given = read(offer)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(given.sdp, "offer"))
        except Exception as error:  # aiortc raises whatever its parser stumbles over
            raise BadOffer(
                f"the offer cannot be met: {str(error) or type(error).__name__}"
            ) from error
        if voice and given.ear is not None:
            self._speak_on(given.ear)
        if self._host_addresses:
            offer_only(self._connection, self._host_addresses)
        await self._connection.setLocalDescription()
        return str(self._connection.localDescription.sdp)

    async def close(self) -> None:
        """Releases sockets, decoders and threads. Safe to call twice."""
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        if self.voice is not None:
            self.voice.stop()
        try:
            await asyncio.wait_for(self._connection.close(), CLOSING)
        except TimeoutError:
            log.warning("a peer connection did not close within %s s", CLOSING)

    def _take(self, track: Any) -> None:
        if track.kind == "audio":
            self._hasten()
        drain = self._source.listen if track.kind == "audio" else self._source.watch
        self._draining.append(asyncio.create_task(drain(track), name=f"live: {track.kind}"))

    def _speak_on(self, mid: str) -> None:
        self.voice = VoiceTrack()
        sections = self._connection.getTransceivers()
        (ear,) = (one for one in sections if one.kind == "audio" and one.mid == mid)
        ear.sender.replaceTrack(self.voice)
        ear.direction = "sendrecv"

    def _hasten(self) -> None:
        """Audio is given as soon as it comes. aiortc holds four packets back, 80 ms, and has no
        setting for it. One is enough to put two packets in order; more only delays a barge-in."""
        for receiver in self._connection.getReceivers():
            buffer = getattr(receiver, "_RTCRtpReceiver__jitter_buffer", None)
            if buffer is not None and not buffer._is_video:
                buffer._prefetch = 1

    def _channel(self, channel: Any) -> None:
        if channel.label != "control":
            return

        def received(message: str | bytes) -> None:
            try:
                body = json.loads(message)
            except ValueError:
                body = None
            if isinstance(body, dict):
                self._on_control(body)
            else:
                log.warning("a control message that is no JSON object was ignored")

        channel.on("message", received)

    def _changed(self) -> None:
        state = str(self._connection.connectionState)
        if state in ("failed", "closed"):
            self._on_gone("connection lost" if state == "failed" else "closed by the sender")


def offer_only(connection: Any, addresses: Sequence[str]) -> None:
    """Has host candidates of a peer connection gathered on exactly these addresses.

    aioice enumerates interfaces and leaves out 127.0.0.1; what it found goes through one method,
    whose argument is replaced here.
    """
    transports = [one.receiver.transport for one in connection.getTransceivers()]
    if connection.sctp is not None:
        transports.append(connection.sctp.transport)
    for transport in transports:
        agent = transport.transport.iceGatherer._connection
        agent.get_component_candidates = _gathering(agent, addresses)


def _gathering(agent: Any, addresses: Sequence[str]) -> Callable[..., Any]:
    gather, chosen = agent.get_component_candidates, list(addresses)
    return lambda component, addresses: gather(component=component, addresses=chosen)


def ice_servers(setting: str) -> list[RTCIceServer]:
    """STUN and TURN servers of the setting. Raises ValueError."""
    return [RTCIceServer(list(one.urls), one.username, one.credential) for one in ice.read(setting)]


def link_headers(servers: Sequence[RTCIceServer]) -> list[str]:
    """Values of `Link` that tell a WHIP client of the servers (RFC 9725, section 4.6)."""
    values = []
    for server in servers:
        for url in [server.urls] if isinstance(server.urls, str) else server.urls:
            value = f'<{url}>; rel="ice-server"'
            if server.username:
                secret = re.sub(r'(["\\])', r"\\\1", server.credential or "")
                value += f'; username="{server.username}"; credential="{secret}"'
                value += '; credential-type="password"'
            values.append(value)
    return values
