"""A stream's memory out as a zip file, and in again."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import IO, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, HTTPException, UploadFile
from fastapi import Path as PathParameter
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter, ValidationError

from memory.archive import TABLES, Archive, ArchiveWriter
from memory.errors import ArchiveRefused, KeyframeNotFound, KeyframeTorn
from memory.records import Selection
from serve import api
from serve.hub import Hub

TOGETHER = 200  # moments in one write
CHUNK = 1 << 18  # bytes
NAME: TypeAdapter[str] = TypeAdapter(api.StreamId)
IN_MEMORY = 8 << 20  # bytes of an archive; a larger one is written to a temporary file


def router(hub: Hub) -> APIRouter:
    """Export and import."""
    routes = APIRouter(tags=["archives"])
    memory = hub.services.memory

    @routes.get("/streams/{stream_id}/export", summary="Its memory as a zip file")
    async def export(stream_id: Annotated[api.StreamId, PathParameter()]) -> StreamingResponse:
        """Moments, tables as Parquet, keyframes, and the SHA-256 of each file. A keyframe that is
        lost or damaged is left out."""
        stream = await hub.stream(stream_id)
        file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed once sent
        writer = ArchiveWriter(file, stream, "all-MiniLM-L6-v2")
        moments = await memory.timeline(stream_id)
        writer.add_moments(moments)
        for name, rows in (await memory.rows(stream_id)).items():
            await asyncio.to_thread(writer.add, f"{TABLES}{name}.parquet", rows)
        shown: set[str] = set()
        for moment in moments:
            if moment.keyframe and moment.keyframe not in shown:
                with suppress(KeyframeNotFound, KeyframeTorn):
                    writer.add_keyframe(moment.keyframe, await memory.keyframe(moment.id))
                shown.add(moment.keyframe)
        writer.finish(len(moments))
        name = quote(f"{stream_id}.zip")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return StreamingResponse(_sent(file), media_type="application/zip", headers=headers)

    @routes.post("/import", summary="Take an exported stream in")
    async def take_in(
        file: Annotated[UploadFile, File(description="A zip file from export.")],
    ) -> dict[str, Any]:
        """Refused whole when any hash does not match, or anything in it is not what memory keeps.
        Importing again changes nothing."""
        archive = await asyncio.to_thread(Archive, file.file)
        stream = archive.stream
        _check_name(stream.id)
        known = await hub.find_stream(stream.id)
        if known is not None and known.wall_start != stream.wall_start:
            raise HTTPException(
                409, f"a stream {stream.id!r} is here that began at {known.wall_start.isoformat()}"
            )
        moments = await asyncio.to_thread(lambda: list(archive.moments()))
        rest = iter(moments)
        version = await memory.remember(stream, [], {})
        # Before the moments: what is pinned stays, and what episodes hold is not compressed anew.
        try:
            rows = await memory.add_rows(stream.id, archive.tables())
        except ArchiveRefused:
            if known is None:
                await memory.forget(Selection(stream_id=stream.id))
            raise
        while chunk := list(islice(rest, TOGETHER)):
            shown = {m.keyframe for m in chunk if m.keyframe}
            pictures = {digest: archive.keyframe(digest) for digest in shown}
            version = await memory.remember(stream, chunk, pictures)
        return {
            "stream_id": stream.id,
            "moments": len(moments),
            "observations": sum(len(m.observations) for m in moments),
            "rows": rows,
            "version": version,
        }

    return routes


def _check_name(stream_id: str) -> None:
    try:
        NAME.validate_python(stream_id)
    except ValidationError:
        raise ArchiveRefused(f"{stream_id[:200]!r} is no name for a stream here") from None


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(CHUNK):
            yield piece
