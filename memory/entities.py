"""People, places and things by name: the moments that mention them, as heard or as put right."""

from __future__ import annotations

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

    What was corrected is named by the right name; the moment that corrects it is among them."""
    if not words(entity):
        raise InvalidRequest("an entity is known by its name: at least one word")
    corrections = [c for c in knowledge.corrections(stream_id) if holds(c.right, entity)]
    clauses = []
    for name in {entity, *(c.wrong for c in corrections)}:
        word = quote(max(words(name), key=len))
        clauses.append(f"contains(lower(text), {word}) OR contains(lower(speaker), {word})")
    where = f"({' OR '.join(clauses)})"
    if stream_id is not None:
        where += f" AND stream_id = {quote(stream_id)}"
    found = set()
    for row in select(tables.observations, where, _READ):
        put_right = knowledge.corrected(*(row[n] for n in ("id", "stream_id", "start", "text")))
        if holds(put_right or row["text"], entity) or holds(row["speaker"] or "", entity):
            found.add(row["moment_id"])
    return sorted(found)
