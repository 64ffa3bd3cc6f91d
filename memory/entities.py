"""People, places and things by name: the moments that mention them, as heard or as put right."""

from __future__ import annotations

from typing import Any

from memory.corrections import holds
from memory.errors import InvalidRequest
from memory.knowledge import Knowledge
from memory.tables import Tables, quote, select
from memory.words import words

_READ = ["id", "moment_id", "stream_id", "start", "text", "speaker"]


def mentioning(
    tables: Tables, knowledge: Knowledge, entity: str, stream_id: str | None = None
) -> list[str]:
    """Ids of the moments in which it speaks or is named, in words or on a screen, in no order.

    What was corrected is named by the right name; the moment that corrects it is among them. So are
    moments that were given up, of which an episode or a fact kept the name."""
    if not words(entity):
        raise InvalidRequest("an entity is known by its name: at least one word")
    corrections = [c for c in knowledge.corrections(stream_id) if holds(c.right, entity)]
    said, speaks = [], []
    for name in {entity, *(c.wrong for c in corrections)}:
        word = quote(max(words(name), key=len))
        said.append(f"contains(lower(text), {word})")
        speaks.append(f"contains(lower(speaker), {word})")
    where = f"({' OR '.join(said + speaks)})"
    if stream_id is not None:
        where += f" AND stream_id = {quote(stream_id)}"
    rows = select(tables.observations, where, _READ)
    rows += _outlived(tables, f"({' OR '.join(said)})", stream_id)
    found = set()
    for row in rows:
        put_right = knowledge.corrected(*(row[n] for n in ("id", "stream_id", "start", "text")))
        if holds(put_right or row["text"], entity) or holds(row["speaker"] or "", entity):
            found.add(row["moment_id"])
    return sorted(found)


def _outlived(tables: Tables, said: str, stream_id: str | None) -> list[dict[str, Any]]:
    """What is kept of observations that were given up: quotes, and sentences that state something."""
    of_stream = "" if stream_id is None else f" AND stream_id = {quote(stream_id)}"
    quoting = f"outlived > 0 AND level = 1{of_stream}"
    rows = []
    for episode in select(tables.episodes, quoting, ["stream_id", "quotes"]):
        kept = [q for q in episode["quotes"] if q["outlived"]]
        rows += [{**q, "stream_id": episode["stream_id"]} for q in kept]
    columns = ["observation_id", "moment_id", "stream_id", "start", "text"]
    for row in select(tables.facts, said + of_stream, columns):
        rows.append({**row, "id": row["observation_id"], "speaker": None})
    return rows
