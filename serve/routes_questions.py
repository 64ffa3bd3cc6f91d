"""Asking and searching."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse

from memory.records import Query
from reasoning.records import Answer, Question, Replace, Token
from serve import api, failures, metrics
from serve.events import sse
from serve.hub import Hub

Piece = Token | Replace | Answer


def router(hub: Hub) -> APIRouter:
    """Asking and searching."""
    routes = APIRouter(tags=["questions"])

    @routes.post("/ask", summary="Ask the memory", response_model=None)
    async def ask(asked: api.Asked) -> Response:
        """`{"type": "answer", "trigger", "question", "answer", "abstained", "method", "citations":
        [{"moment_id", "stream_id", "start", "end", "kind", "quote", "keyframe"}], "snapshot":
        {"version", "stream_time"}, "timings"}`. With `"stream": true`, server-sent events: `token`s
        (and `replace`, when the text so far did not stand), then one `answer`.
        """
        of_now = asked.at is None and asked.version is None
        if of_now:
            await hub.up_to_now(asked.stream_id)
        stream = await hub.stream(asked.stream_id) if asked.stream_id else None
        at, wall = api.asked_of(asked.at, stream)
        live = hub.live.get(asked.stream_id or "") if of_now else None
        question = Question(
            text=asked.question,
            stream_id=asked.stream_id,
            at=at,
            follows=hub.dialogue.last(asked.stream_id),
            wall=wall,
            version=asked.version,
            frames=() if live is None else await live.recent.frames(),
        )
        pieces = hub.services.reasoning.answer(question)
        if asked.stream:
            # Refused before its first word, a question gets a status of its own.
            return EventSourceResponse(_streamed(hub, question, await anext(pieces), pieces))
        async for piece in pieces:
            if isinstance(piece, Answer):
                return JSONResponse(_noted(hub, piece, asked.stream_id))
        raise HTTPException(500, "the answer ended before it was whole")

    @routes.post("/search", summary="Search the memory")
    async def search(searched: api.Searched) -> dict[str, Any]:
        """`{"results": [{"moment_id", "stream_id", "start", "end", "kind", "text", "score", "ref", …}],
        "took_ms"}`: observations, best first. An empty query gives the latest. A `stream_id` that is not
        remembered is 404; among `stream_ids` it finds nothing.
        """
        since = time.perf_counter()
        if searched.stream_id is not None:
            await hub.stream(searched.stream_id)
        query = Query(
            text=searched.query.strip(),
            limit=searched.limit,
            stream_id=searched.stream_id,
            stream_ids=tuple(searched.stream_ids),
            kinds=tuple(searched.kinds),
            roles=tuple(searched.roles),
            start=searched.start,
            end=searched.end,
        )
        with metrics.stage("search"):
            hits = await hub.services.memory.search(query)
        took = (time.perf_counter() - since) * 1000
        return {"results": [api.hit_json(hit) for hit in hits], "took_ms": round(took, 2)}

    return routes


async def _streamed(
    hub: Hub, question: Question, first: Piece, rest: AsyncGenerator[Piece, None]
) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(rest) as following:
            yield _event(hub, question, first)
            async for piece in following:
                yield _event(hub, question, piece)
    except Exception as error:  # noqa: BLE001 - the status line is out: the error goes in the stream
        yield sse("error", failures.known(error)[1])


def _event(hub: Hub, question: Question, piece: Piece) -> bytes:
    if isinstance(piece, Answer):
        return sse("answer", _noted(hub, piece, question.stream_id))
    return sse("replace" if isinstance(piece, Replace) else "token", {"text": piece.text})


def _noted(hub: Hub, answer: Answer, stream_id: str | None) -> dict[str, Any]:
    """The answer's JSON, once it is part of the dialogue on its stream."""
    hub.dialogue.note(stream_id, answer)
    if stream_id is not None and stream_id in hub.live:
        hub.live[stream_id].typed(answer)
    return answer.to_json()
