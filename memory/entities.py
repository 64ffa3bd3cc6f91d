"""People, places and things by name: the moments that mention them, as heard or as put right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from memory.corrections import holds
from memory.episode_rows import LOWEST
from memory.errors import InvalidRequest
from memory.knowledge import Knowledge
from memory.records import Correction
from memory.tables import Tables, quote, select
from memory.words import words

_READ = ["id", "moment_id", "stream_id", "start", "text", "speaker"]


def mentioning(
    tables: Tables, knowledge: Knowledge, entity: str, stream_id: str | None = None
) -> list[str]:
    """Ids of the moments in which it speaks or is named, in words or on a screen, in no order.

    By either name where one was corrected: as it was heard and as it was put right; the moment that
    corrects it is among them. So are moments that were given up, of which an episode or a fact kept
    the name."""
    if not words(entity):
        raise InvalidRequest("an entity is known by its name: at least one word")
    corrections = knowledge.corrections(stream_id)
    names = _heard_as(entity, corrections)
    said = _holding("text", names)
    where = f"({said} OR {_holding('speaker', names)})"
    if stream_id is not None:
        where += f" AND stream_id = {quote(stream_id)}"
    rows = select(tables.observations, where, _READ)
    rows += _outlived(tables, said, stream_id)
    taken_back = [c for c in corrections if holds(c.right, entity) or holds(c.wrong, entity)]
    found = {correction.moment_id for correction in taken_back}
    for row in rows:
        put_right = knowledge.corrected(*(row[n] for n in ("id", "stream_id", "start", "text")))
        if any(holds(said or "", entity) for said in (row["text"], put_right, row["speaker"])):
            found.add(row["moment_id"])
    return sorted(found)


def _heard_as(entity: str, corrections: Sequence[Correction]) -> set[str]:
    """The name, and what was put right to it, also in steps."""
    names = {entity}
    while more := {c.wrong for c in corrections if any(holds(c.right, n) for n in names)} - names:
        names |= more
    return {name for name in names if words(name)}


def _holding(column: str, names: Iterable[str]) -> str:
    """A filter that lets through every row which may hold one of the names. What is not plain ASCII
    is folded by other rules in SQL than `words` has, and told apart later."""
    longest = sorted({max(words(name), key=len) for name in names})
    plain = [f"contains(lower({column}), {quote(word)})" for word in longest]
    return f"({' OR '.join(plain)} OR octet_length({column}) > character_length({column}))"


def _outlived(tables: Tables, said: str, stream_id: str | None) -> list[dict[str, Any]]:
    """What is kept of observations that were given up: quotes, and sentences that state something."""
    of_stream = "" if stream_id is None else f" AND stream_id = {quote(stream_id)}"
    quoting = f"outlived > 0 AND {LOWEST}{of_stream}"
    rows = []
    for episode in select(tables.episodes, quoting, ["stream_id", "quotes"]):
        kept = [q for q in episode["quotes"] if q["outlived"]]
        rows += [{**q, "stream_id": episode["stream_id"]} for q in kept]
    columns = ["observation_id", "moment_id", "stream_id", "start", "text"]
    for row in select(tables.facts, said + of_stream, columns):
        rows.append({**row, "id": row["observation_id"], "speaker": None})
    return rows
