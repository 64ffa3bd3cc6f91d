"""Streams: their list, timeline and events, and recordings replayed into them."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, HTTPException, Query, Response, UploadFile
from fastapi import Path as PathParameter
from fastapi.sse import EventSourceResponse

from memory.errors import StreamNotFound
from perception.errors import SourceError
from perception.records import Stream
from serve import api
from serve.errors import ReplayRunning
from serve.events import sse
from serve.hub import UPLOADS, Hub

StreamId = Annotated[api.StreamId, PathParameter()]
Time = Annotated[api.Seconds | None, Query()]

# A comment line this often keeps proxies from closing a quiet event stream.
KEEP_ALIVE = 15.0
LONGEST_NAME = 200  # characters kept of what an upload is called


def router(hub: Hub) -> APIRouter:
    """Lists, timelines, episodes, events and replays."""
    routes = APIRouter(tags=["streams"])
    _of_what_was(routes, hub)
    _of_replays(routes, hub)

    @routes.get("/streams/{stream_id}/events", summary="What happens on it, as it happens")
    async def events(stream_id: StreamId) -> Response:
        """Server-sent events: `observation`, `moment`, `token`, `answer`, `state`, `progress`,
        `replayed`; `missed` says how many a slow reader lost. The first is the `state` it is in, while a
        session or a replay is on.
        """
        return EventSourceResponse(_events(hub, stream_id))

    return routes


def _of_what_was(routes: APIRouter, hub: Hub) -> None:
    @routes.get("/streams", summary="Every stream remembered")
    async def streams() -> dict[str, Any]:
        return {"streams": [api.stream_json(one) for one in await hub.services.memory.streams()]}

    @routes.get("/streams/{stream_id}/timeline", summary="A stream's moments in order")
    async def timeline(stream_id: StreamId, start: Time = None, end: Time = None) -> dict[str, Any]:
        """`{"stream_id", "wall_start", "source", "seconds", "moments": [{"moment_id", "start", "end",
        "text", "keyframe", "observations"}]}`: those that overlap the span."""
        if start is not None and end is not None and end < start:
            raise HTTPException(422, f"end {end} is before start {start}")
        stream = await hub.stream(stream_id)
        try:
            moments = await hub.services.memory.timeline(stream_id, start, end)
        except StreamNotFound:  # live, and with nothing to remember yet
            moments = []
        return {**api.stream_json(stream), "moments": [api.moment_json(one) for one in moments]}

    @routes.get("/streams/{stream_id}/episodes", summary="What its moments were compressed into")
    async def episodes(
        stream_id: StreamId, level: api.Level = "minutes", start: Time = None, end: Time = None
    ) -> dict[str, Any]:
        """In order, each with its summary and best quotes. `written_by` is "extract" where the text is
        made of quotes, else the model whose words it is in. What a stream did last belongs to none
        yet."""
        if start is not None and end is not None and end < start:
            raise HTTPException(422, f"end {end} is before start {start}")
        stream = await hub.stream(stream_id)
        at = api.LEVELS.index(level) + 1
        found = await hub.services.memory.episodes(stream_id, start, end, at)
        corrections = await hub.services.memory.corrections(stream_id)
        shown = {digest for episode in found for digest in episode.keyframes}
        shown_in = await hub.services.memory.showing(stream_id, shown)
        told = [api.episode_json(one, corrections, shown_in) for one in found]
        return {**api.stream_json(stream), "episodes": told}


def _of_replays(routes: APIRouter, hub: Hub) -> None:
    @routes.get("/streams/{stream_id}/replay", summary="How far a replay is")
    async def progress(stream_id: StreamId) -> dict[str, Any]:
        replay = hub.replays.get(stream_id)
        if replay is None:
            raise HTTPException(404, f"no replay of stream {stream_id!r} since the server started")
        return replay.to_json()

    @routes.delete("/streams/{stream_id}/replay", summary="Stop a replay")
    async def stop(stream_id: StreamId) -> dict[str, Any]:
        """It goes no further; what was perceived so far stays. Where it is, as by GET."""
        replay = await hub.replays.stop(stream_id)
        if replay is None:
            raise HTTPException(404, f"no replay of stream {stream_id!r} since the server started")
        return replay.to_json()

    @routes.post(
        "/streams/{stream_id}/replay",
        status_code=202,
        summary="Replay a recording into a stream",
    )
    async def replay(
        stream_id: StreamId,
        file: Annotated[UploadFile, File(description="Anything FFmpeg opens.")],
        wall_start: Annotated[str | None, Form(description="ISO 8601 with a zone.")] = None,
        speed: Annotated[Literal["max", "1x"], Form()] = "max",
    ) -> dict[str, Any]:
        """Perceived as if it were live. Follow it with GET, or by the stream's events. Replaying the
        same recording into the same stream again changes nothing.
        """
        if hub.replays.running(stream_id) or stream_id in hub.live:
            raise ReplayRunning(stream_id)
        begun = api.wall_time(wall_start) if wall_start else None
        known = await hub.find_stream(stream_id)
        name = Path(file.filename or "").name[:LONGEST_NAME] or "upload"
        stream = known or Stream(stream_id, begun or datetime.now(UTC), name)
        path = await asyncio.to_thread(_keep, file, hub.settings.local)
        try:
            opened = await asyncio.to_thread(hub.replays.open, path, speed)
            return hub.replays.start(stream, opened, path, name).to_json()
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, SourceError):
                raise error.named(name) from error
            raise


def _keep(file: UploadFile, beside: Path) -> Path:
    """The upload as a file of its own beside the store, so that a full disk is found out now."""
    folder = beside / UPLOADS
    folder.mkdir(parents=True, exist_ok=True)
    suffix = Path(file.filename or "").suffix[:12]
    handle, name = tempfile.mkstemp(dir=folder, suffix=suffix)
    try:
        with os.fdopen(handle, "wb") as kept:
            shutil.copyfileobj(file.file, kept, 1 << 20)
    except BaseException:
        os.unlink(name)
        raise
    return Path(name)


async def _events(hub: Hub, stream_id: str) -> AsyncGenerator[bytes, None]:
    listener = hub.events.listen(stream_id)
    try:
        pending = asyncio.ensure_future(anext(listener))
        yield b": following; what happens comes as it does\n\n"  # or an idle stream looks broken
        while True:
            done, _ = await asyncio.wait({pending}, timeout=KEEP_ALIVE)
            if not done:
                yield b": still here\n\n"
                continue
            kind, body = pending.result()
            pending = asyncio.ensure_future(anext(listener))
            yield sse(kind, body)
    finally:
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
        await listener.aclose()
