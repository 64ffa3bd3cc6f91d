"""Writing observations, reading moments, forgetting."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Response

from memory.records import Selection
from perception.records import Moment, Stream
from serve import api, metrics
from serve.hub import Hub
from serve.services import MemoryService

PINS_ASKED = 100  # moments in one request


def router(hub: Hub) -> APIRouter:
    """Writing, reading and forgetting."""
    routes = APIRouter(tags=["memory"])
    memory = hub.services.memory
    _of_moments(routes, memory)

    @routes.post("/observations", summary="Remember what something else saw or heard")
    async def observe(posted: api.Observations) -> dict[str, Any]:
        """`{"stream_id", "acknowledged", "moment_ids", "version"}`, once they are durable. Sending the
        same observations again changes nothing."""
        stream = await _stream(hub, posted)
        moments = [_moment(api.observation(stream.id, one)) for one in posted.observations]
        with metrics.stage("remember"):
            version = await memory.remember(stream, moments, {})
        return {
            "stream_id": stream.id,
            "acknowledged": len(moments),
            "moment_ids": [moment.id for moment in moments],
            "version": version,
        }

    @routes.get("/facts", summary="What was stated, and whether it still holds")
    async def facts(
        subject: str | None = None,
        stream_id: str | None = None,
        at: str | None = None,
        history: bool = False,
    ) -> dict[str, Any]:
        """The newest statement of each thing, as of `at`; with `history`, the contradicted ones
        too. A thing of one's own ("my keys") is the same in every stream."""
        stream = None if stream_id is None else await hub.stream(stream_id)
        when, wall = api.asked_of(at, stream)
        if wall is not None and stream is not None:
            when = (wall - stream.wall_start).total_seconds()
        found = await memory.facts(subject, stream_id, when, history)
        return {"facts": [api.fact_json(fact) for fact in found]}

    @routes.delete("/memory", summary="Forget, completely")
    async def forget(chosen: api.Forgotten) -> dict[str, Any]:
        """Rows, vectors, keyframes and old versions go; the receipt counts them."""
        if chosen.stream_id is not None:
            await hub.stream(chosen.stream_id)
        what = Selection(
            stream_id=chosen.stream_id,
            start=chosen.start,
            end=chosen.end,
            moment_ids=tuple(chosen.moment_ids or ()),
            entity=chosen.entity,
        )
        receipt = await memory.forget(what)
        hub.forget_answers()
        return {"forgotten": asdict(receipt)}

    return routes


def _of_moments(routes: APIRouter, memory: MemoryService) -> None:
    @routes.get("/moments/{moment_id}", summary="One moment, with its observations")
    async def moment(moment_id: str) -> dict[str, Any]:
        found = api.moment_json(await memory.moment(moment_id))
        return {**found, "pinned": bool(await memory.pinned([moment_id]))}

    @routes.get("/moments/{moment_id}/keyframe", summary="Its picture", response_class=Response)
    async def keyframe(
        moment_id: str, if_none_match: Annotated[str, Header(include_in_schema=False)] = ""
    ) -> Response:
        picture = await memory.keyframe(moment_id)
        kind = "image/webp" if picture[8:12] == b"WEBP" else "image/jpeg"
        tag = f'"{hashlib.sha256(picture).hexdigest()[:32]}"'
        # Private and revalidated: what is forgotten must not live on in a shared cache.
        headers = {"Cache-Control": "private, no-cache", "ETag": tag}
        if tag in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(picture, media_type=kind, headers=headers)

    @routes.post("/moments/{moment_id}/pin", summary="Keep it whole, whatever the budget")
    async def pin(moment_id: str) -> dict[str, Any]:
        await memory.pin([moment_id])
        return {"moment_id": moment_id, "pinned": True}

    @routes.get("/pins", summary="Which of these moments are pinned")
    async def pins(moment_id: Annotated[list[str], Query(max_length=PINS_ASKED)]) -> dict[str, Any]:
        return {"pinned": sorted(await memory.pinned(moment_id))}

    @routes.delete("/moments/{moment_id}/pin", summary="No longer keep it whatever the budget")
    async def unpin(moment_id: str) -> dict[str, Any]:
        await memory.pin([moment_id], pinned=False)
        return {"moment_id": moment_id, "pinned": False}


async def _stream(hub: Hub, posted: api.Observations) -> Stream:
    """The stream as known, or a new one. Its `wall_start` is fixed by whoever names it first."""
    reached = max(one.end for one in posted.observations)
    given = api.wall_time(posted.wall_start) if posted.wall_start else None
    known = await hub.find_stream(posted.stream_id)
    if known is None:
        return Stream(posted.stream_id, given or datetime.now(UTC), "http", reached)
    if given is not None and given != known.wall_start:
        began = known.wall_start.isoformat()
        raise HTTPException(
            409, f"stream {known.id!r} began at {began}, not at {given.isoformat()}"
        )
    return Stream(known.id, known.wall_start, known.source, max(known.seconds, reached))


def _moment(observation: Any) -> Moment:
    """One observation, one moment: what is cut must not depend on how the sender batches."""
    return Moment(
        stream_id=observation.stream_id,
        start=observation.start,
        end=observation.end,
        observations=(observation,),
    )
