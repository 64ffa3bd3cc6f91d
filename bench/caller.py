"""A WHIP client in Python: sends sound and pictures in real time, hears the agent's voice.

Used by the bench and by the tests. Pictures of a recording are sent as they are encoded, so that
the client costs the machine next to nothing.
"""

from __future__ import annotations

import asyncio
import fractions
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import httpx
import numpy as np
import numpy.typing as npt
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from app.webrtc import offer_only

RATE = 48_000
PACKET = 960  # samples, 20 ms
LOUD = 300  # root mean square of int16 above which a packet of the voice is sound

Samples = npt.NDArray[np.int16]


class Sound(MediaStreamTrack):
    """Silence, with what `say` was given in it, at the pace of the clock."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._said: list[tuple[int, Samples]] = []
        self._count = 0
        self.began: float | None = None  # monotonic time of the first sample

    def say(self, samples: Samples, at: float | None = None) -> float:
        """Send samples (48 kHz mono) from `at` seconds after the beginning on (None: now). Returns
        the monotonic time at which they begin."""
        start = self._count if at is None else round(at * RATE)
        self._said.append((start, samples))
        return (self.began or time.monotonic()) + start / RATE

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        if self.began is None:
            self.began = time.monotonic()
        wait = self.began + self._count / RATE - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        packet = np.zeros((1, PACKET), np.int16)
        for start, samples in self._said:
            offset = self._count - start
            piece = samples[max(0, offset) : max(0, offset + PACKET)]
            packet[0, max(0, -offset) : max(0, -offset) + len(piece)] += piece
        self._said = [one for one in self._said if one[0] + len(one[1]) > self._count + PACKET]
        frame = av.AudioFrame.from_ndarray(packet, format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, self._count
        frame.time_base = fractions.Fraction(1, RATE)
        self._count += PACKET
        return frame


class Colours(MediaStreamTrack):
    """Small plain frames, ten a second, another colour every two seconds."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._began = time.monotonic()

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(max(0.0, self._began + self._count / 10 - time.monotonic()))
        image = np.full((120, 160, 3), (self._count // 20 * 70) % 256, np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = self._count * 9000, fractions.Fraction(1, 90_000)
        self._count += 1
        return frame


class Pictures(MediaStreamTrack):
    """The H.264 video of a recording, sent as it is, at the pace of the clock."""

    kind = "video"

    def __init__(self, path: Path, loops: int = 1) -> None:
        super().__init__()
        self._packets = self._read(path, loops)
        self._began: float | None = None

    def _read(self, path: Path, loops: int) -> Iterator[tuple[float, Any]]:
        offset = 0.0
        for _ in range(loops):
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                convert = av.BitStreamFilterContext("h264_mp4toannexb", stream)
                last = 0.0
                for packet in container.demux(stream):
                    for out in convert.filter(packet if packet.size else None):
                        last = float((out.pts or 0) * out.time_base)
                        out.pts = round((offset + last) * 90_000)
                        out.time_base = fractions.Fraction(1, 90_000)
                        yield offset + last, out
                offset += float((container.duration or 0) / av.time_base)

    async def recv(self) -> Any:
        if self.readyState != "live":
            raise MediaStreamError
        self._began = self._began if self._began is not None else time.monotonic()
        try:
            due, packet = next(self._packets)
        except StopIteration:
            self.stop()
            raise MediaStreamError from None
        await asyncio.sleep(max(0.0, self._began + due - time.monotonic()))
        return packet


class Caller:
    """One call: `async with Caller(client, audio=Sound()) as call`. DELETEs its session at the end.

    `heard` are (monotonic time, root mean square) of each packet of the voice; `events` what the
    stream's server-sent events said, as (monotonic time, kind, body).
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        audio: MediaStreamTrack | None = None,
        video: MediaStreamTrack | None = None,
        codec: str | None = None,
        stream_id: str | None = None,
        listens: bool = True,
    ) -> None:
        self._client = client
        self._stream_id = stream_id
        self.connection: Any = RTCPeerConnection(RTCConfiguration([]))
        if audio is not None:
            self.connection.addTransceiver(audio, "sendrecv" if listens else "sendonly")
        if video is not None:
            sent = self.connection.addTransceiver(video, "sendonly")
            if codec is not None:
                known = RTCRtpSender.getCapabilities("video").codecs
                sent.setCodecPreferences([c for c in known if c.mimeType == f"video/{codec}"])
        self._control = self.connection.createDataChannel("control")
        self._following: asyncio.Task[None] | None = None
        self._hearing: list[asyncio.Task[None]] = []
        self.stream_id = ""
        self.answer = ""
        self.heard: list[tuple[float, float]] = []
        self.events: list[tuple[float, str, dict[str, Any]]] = []
        self._event = asyncio.Event()
        self.connection.on("track", self._take)

    async def offer(self) -> str:
        """A complete offer on 127.0.0.1."""
        offer_only(self.connection, ["127.0.0.1"])
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return str(self.connection.localDescription.sdp)

    async def __aenter__(self) -> Caller:
        query = {"stream_id": self._stream_id} if self._stream_id else {}
        response = await self._client.post(
            "/whip",
            params=query,
            content=await self.offer(),
            headers={"Content-Type": "application/sdp"},
        )
        response.raise_for_status()
        self.answer = response.text
        self.stream_id = response.headers["location"].rsplit("/", 1)[1]
        answer = RTCSessionDescription(self.answer, "answer")
        await self.connection.setRemoteDescription(answer)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tasks = [*self._hearing, *([self._following] if self._following else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.connection.close()
        await self._client.delete(f"/whip/{self.stream_id}")

    def control(self, **message: Any) -> None:
        """Send a control message."""
        self._control.send(json.dumps(message))

    def follow(self, publish: Any = None) -> None:
        """Keep the stream's events from now on."""
        self._following = asyncio.create_task(self._follow())

    async def wait_for(self, kind: str, count: int = 1, seconds: float = 20.0) -> dict[str, Any]:
        """The count-th event of a kind. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(found := self.of(kind)) < count:
                self._event.clear()
                await self._event.wait()
        return found[count - 1][1]

    def of(self, kind: str) -> list[tuple[float, dict[str, Any]]]:
        """Every event of a kind, with when it came."""
        return [(at, body) for at, name, body in self.events if name == kind]

    def keep(self, kind: str, body: dict[str, Any]) -> None:
        """Note an event."""
        self.events.append((time.monotonic(), kind, body))
        self._event.set()

    async def _follow(self) -> None:
        path = f"/v1/streams/{self.stream_id}/events"
        kind = ""
        async with self._client.stream("GET", path, timeout=None) as response:
            async for line in response.aiter_lines():
                if line.startswith("event:"):
                    kind = line[6:].strip()
                elif line.startswith("data:"):
                    self.keep(kind, json.loads(line[5:]))

    def _take(self, track: Any) -> None:
        self._hearing.append(asyncio.create_task(self._hear(track)))

    async def _hear(self, track: Any) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            samples = frame.to_ndarray().astype(np.float64)
            self.heard.append((time.monotonic(), float(np.sqrt(np.mean(samples**2)))))


def sounds(heard: Sequence[tuple[float, float]], since: float = 0.0) -> list[float]:
    """When the voice was heard, by packet."""
    return [at for at, level in heard if level > LOUD and at >= since]


def samples_of(path: Path) -> Samples:
    """The sound of a recording: 48 kHz mono."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s16", "mono", RATE)
        pieces = [
            out.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for out in resampler.resample(frame)
        ]
    return np.concatenate(pieces).astype(np.int16)
