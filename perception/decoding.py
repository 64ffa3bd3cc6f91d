"""Decoding of recordings with PyAV: what a file holds, then its samples in order of time."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np

from perception import errors
from perception.records import SAMPLE_RATE, Audio, Image

LONG_SIDE = 960  # px
STALE_TRACK = 10.0  # seconds after which a track that gives nothing is no longer waited for

Item = tuple[str, float, Any]  # ("audio" | "frame", stream time, array)

# Formats of FFmpeg that read further files by the names in them.
PLAYLISTS = frozenset({"hls", "dash", "concat", "imf", "applehttp"})


@dataclass(frozen=True, slots=True)
class Probe:
    """What a recording holds. `seconds` is None where the container does not say."""

    seconds: float | None
    has_audio: bool
    has_video: bool
    container: str


def probe(path: Path) -> Probe:
    """Opens the recording, decodes its first samples, and says what it holds.

    Raises:
        SourceError: the kind that fits; see `perception.errors`.
    """
    _check_file(path)
    try:
        with av.open(str(path)) as container:
            found = _decodable(container)
            seconds = container.duration / av.time_base if container.duration else None
            name = container.format.name
            if PLAYLISTS & set(name.split(",")):
                raise errors.Playlist(path)
    except av.error.FFmpegError as error:
        raise _as_source_error(path, error) from error
    if not found:
        raise _undecodable(path)
    if found == {"video"} and (name in ("image2", "tty") or name.endswith("_pipe")):
        raise errors.NotMedia(path, f"{name}: a picture or text, not a recording")
    return Probe(seconds, "audio" in found, "video" in found, name)


def _check_file(path: Path) -> None:
    try:
        if not path.is_file():
            raise errors.SourceMissing(path, "a folder" if path.is_dir() else "")
        with path.open("rb") as file:
            if not file.read(1):
                raise errors.SourceEmpty(path)
    except PermissionError as error:
        raise errors.SourceUnreadable(path) from error
    except OSError as error:
        raise errors.SourceUnreadable(path, error.strerror or "") from error


def _decodable(container: Any) -> set[str]:
    """The kinds of track of which a first frame can be decoded."""
    found: set[str] = set()
    for kind in ("audio", "video"):
        track = _best(container, kind)
        if track is None:
            continue
        try:
            if container.duration:
                container.seek(0)
            if next(container.decode(track), None) is not None:
                found.add(kind)
        except av.error.FFmpegError:
            continue  # a track that does not decode counts as absent; none at all is an error
    return found


def _best(container: Any, kind: str) -> Any:
    """The first track of the kind that is not a cover picture and has a decoder."""
    for track in getattr(container.streams, kind):
        attached = kind == "video" and "attached_pic" in str(track.disposition).lower()
        if not attached and track.codec_context is not None:
            return track
    return None


def _undecodable(path: Path) -> errors.SourceError:
    """Why nothing could be decoded: encrypted (an ISO container says so) or cut off or no track."""
    with path.open("rb") as file:
        head = file.read(1 << 20)
        file.seek(max(0, path.stat().st_size - (1 << 20)))
        tail = file.read()
    if any(mark in part for mark in (b"encv", b"enca", b"pssh") for part in (head, tail)):
        return errors.Encrypted(path)
    if b"ftyp" in head[:64] or head[:4] in (b"RIFF", b"\x1a\x45\xdf\xa3"):
        return errors.Truncated(path)
    return errors.NothingToPerceive(path)


def _as_source_error(path: Path, error: Exception) -> errors.SourceError:
    with path.open("rb") as file:
        head = file.read(64)
    if isinstance(error, PermissionError):
        return errors.SourceUnreadable(path)
    if b"ftyp" in head[:64] or head[:4] == b"\x1a\x45\xdf\xa3":
        return errors.Truncated(path)
    return errors.NotMedia(path)


class Decoder:
    """Yields ("audio", start, samples) and ("frame", time, picture) in the order of time.

    Pictures are sampled at `frames_per_second` at most; only those are converted to RGB. Audio
    comes without gaps or overlaps from 0 on (silence where the track has none), so that stream
    time is the number of samples.
    """

    def __init__(
        self, path: Path, found: Probe, frames_per_second: float, chunk_seconds: float
    ) -> None:
        self._container: Any = av.open(str(path))
        self._video = _best(self._container, "video") if found.has_video else None
        self._audio = _best(self._container, "audio") if found.has_audio else None
        if self._video is not None:
            self._video.thread_type = "AUTO"
        self._origin = _origin(self._container)
        self._period = 1.0 / frames_per_second
        self._next_frame = 0.0
        self._last_frame = -1.0
        self._resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        self._chunk = int(chunk_seconds * SAMPLE_RATE)
        self._buffer: Audio = np.zeros(0, np.float32)
        self._sent = 0  # samples
        self._heard = 0.0  # seconds up to which audio was decoded
        self._frames: deque[Item] = deque()
        self._closed = False

    def close(self) -> None:
        """Frees the file. Must not run while `__next__` runs in another thread."""
        if not self._closed:
            self._closed = True
            self._container.close()

    def __iter__(self) -> Iterator[Item]:
        tracks = [t for t in (self._video, self._audio) if t is not None]
        packets = self._container.demux(tracks)
        while not self._closed:
            try:
                packet = next(packets)
                frames = packet.decode()
            except (StopIteration, av.error.EOFError):
                break
            except av.error.InvalidDataError:
                continue  # one damaged packet; the rest of the recording is still good
            except av.error.FFmpegError as error:
                if error.errno == errno.EIO or self._closed:
                    break
                continue
            for frame in frames:
                if isinstance(frame, av.VideoFrame):
                    self._see(frame)
                else:
                    self._hear(frame)
            yield from self._ready()
        if not self._closed:
            yield from self._rest()

    def _see(self, frame: Any) -> None:
        time = frame.time
        time = self._last_frame + 0.04 if time is None else time - self._origin
        if time <= self._last_frame or time < self._next_frame - 1e-6:
            return
        self._last_frame = time
        self._next_frame = max(self._next_frame + self._period, time + self._period / 2)
        self._frames.append(("frame", round(max(0.0, time), 3), upright(frame)))

    def _hear(self, frame: Any) -> None:
        if frame.time is not None:
            start = frame.time - self._origin
            have = (self._sent + len(self._buffer)) / SAMPLE_RATE
            if start - have > 0.1 and self._heard > 0 or (self._heard == 0 and start > 0.02):
                # A gap in the track is silence, so that what follows keeps its place in time.
                missing = min(int((start - have) * SAMPLE_RATE), 600 * SAMPLE_RATE)
                self._buffer = np.concatenate([self._buffer, np.zeros(missing, np.float32)])
        frame.pts = None
        pieces = [out.to_ndarray()[0] for out in self._resampler.resample(frame)]
        self._buffer = np.concatenate([self._buffer, *pieces]).astype(np.float32, copy=False)
        self._heard = (self._sent + len(self._buffer)) / SAMPLE_RATE

    def _ready(self) -> Iterator[Item]:
        """What is known to be next: whole chunks, and frames that no earlier audio can precede."""
        while len(self._buffer) >= self._chunk:
            start = self._sent / SAMPLE_RATE
            waiting = self._video is not None and self._last_frame < start
            if waiting and self._heard - self._last_frame < STALE_TRACK:
                return
            yield from self._frames_before(start)
            yield self._cut(self._chunk)
        reached = self._sent / SAMPLE_RATE
        if self._audio is None or self._last_frame - self._heard > STALE_TRACK:
            reached = float("inf")
        yield from self._frames_before(reached)

    def _frames_before(self, time: float) -> Iterator[Item]:
        while self._frames and self._frames[0][1] <= time:
            yield self._frames.popleft()

    def _cut(self, count: int) -> Item:
        start = self._sent / SAMPLE_RATE
        samples, self._buffer = self._buffer[:count].copy(), self._buffer[count:]
        self._sent += len(samples)
        return "audio", start, samples

    def _rest(self) -> Iterator[Item]:
        if self._audio is not None and self._heard > 0:
            pieces = [out.to_ndarray()[0] for out in self._resampler.resample(None)]
            self._buffer = np.concatenate([self._buffer, *pieces]).astype(np.float32, copy=False)
        while len(self._buffer):
            yield from self._frames_before(self._sent / SAMPLE_RATE)
            yield self._cut(self._chunk)
        yield from self._frames_before(float("inf"))


def _origin(container: Any) -> float:
    """Stream time 0 on the container's clock (seconds)."""
    return (container.start_time or 0) / av.time_base


def upright(frame: Any) -> Image:
    """A decoded frame as RGB, rotated as its display matrix says, at most 960 px long.

    Args:
        frame: `av.VideoFrame`.
    """
    scale = min(1.0, LONG_SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
    image: Any = frame.to_ndarray(format="rgb24", width=width, height=height)
    # FFmpeg gives the counter-clockwise rotation that brings the picture upright.
    quarter_turns = round(frame.rotation / 90) % 4
    if quarter_turns:
        turns = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)
        image = cv2.rotate(image, turns[quarter_turns - 1])
    return np.ascontiguousarray(image, dtype=np.uint8)
