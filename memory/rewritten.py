"""What a model's words about an episode rest on: its quotes as corrections put them right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from memory.episode_rows import EPISODES, Placed, episode_of
from memory.knowledge import Knowledge
from memory.records import Correction, Episode, Quote, put_right
from memory.rows import replace_rows
from memory.summary import cut
from memory.tables import Tables, any_of, quote, select

Row = dict[str, Any]

EXTRACT = "extract"  # who wrote a summary that is made of quotes
OF_A_TRY = ("written", "rewritten", "tried", "tried_by")


def right_quotes(episode: Episode, corrections: Sequence[Correction]) -> tuple[Quote, ...]:
    """The episode's quotes with every wrong word corrected."""
    return tuple(_right(one, corrections) for one in episode.quotes)


def material_of(quotes: Sequence[Quote]) -> str:
    """What tells these quotes from others: SHA-256, in hexadecimal."""
    told = [(q.id, q.observation.speaker, q.observation.text) for q in quotes]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def as_told(row: Row, corrections: Sequence[Correction]) -> Episode:
    """The episode of a row, its summary put right; without a model's words where they were written
    of other quotes than these now are. The vector may be left out."""
    episode = episode_of(row)
    quotes = right_quotes(episode, corrections)
    text = episode.text
    for heard, right in zip(episode.quotes, quotes, strict=True):
        if heard is not right:
            text = text.replace(cut(heard.observation.text), cut(right.observation.text))
    if episode.rewritten is not None and row["tried"] != material_of(quotes):
        return replace(episode, text=text, rewritten=None, written=EXTRACT)
    return replace(episode, text=text)


def carried_over(
    tables: Tables, knowledge: Knowledge, made: Sequence[Placed], rows: Sequence[Row]
) -> list[Row]:
    """The rows of episodes that are made anew, with what a model wrote of those that hold the same
    quotes as before. On the writer's thread."""
    where = f"tried IS NOT NULL AND {any_of('id', [placed.episode.id for placed in made])}"
    tried = {row["id"]: row for row in select(tables.episodes, where, ["id", *OF_A_TRY])}
    if not tried:
        return list(rows)
    found: list[Row] = []
    for placed, row in zip(made, rows, strict=True):
        before = tried.get(row["id"])
        corrections = knowledge.corrections(row["stream_id"])
        if before and before["tried"] == material_of(right_quotes(placed.episode, corrections)):
            row = {**row, **{name: before[name] for name in OF_A_TRY}}
        found.append(row)
    return found


def overtaken(tables: Tables, knowledge: Knowledge, stream_id: str) -> list[Row]:
    """The stream's episodes that were tried of other quotes than they now hold, as whole rows."""
    corrections = knowledge.corrections(stream_id)
    where = f"stream_id = {quote(stream_id)} AND tried IS NOT NULL"
    return [
        row
        for row in select(tables.episodes, where)
        if material_of(right_quotes(episode_of(row), corrections)) != row["tried"]
    ]


def forget_overtaken(tables: Tables, knowledge: Knowledge, stream_id: str) -> None:
    """Take away what was written of quotes as corrections put them right that are no more."""
    note_try(tables, overtaken(tables, knowledge, stream_id), None, None, None)


def note_try(
    tables: Tables,
    rows: Sequence[Row],
    material: str | None,
    writer: str | None,
    text: str | None,
) -> None:
    """Write to whole rows of episodes what a model made of them, or (all None) that none has tried.
    On the writer's thread."""
    if not rows:
        return
    by = EXTRACT if text is None or writer is None else writer
    noted = {"rewritten": text, "written": by, "tried": material, "tried_by": writer}
    noted_rows = [{**row, **noted} for row in rows]
    replace_rows(tables.episodes, pa.Table.from_pylist(noted_rows, EPISODES))


def _right(one: Quote, corrections: Sequence[Correction]) -> Quote:
    seen = one.observation
    right = put_right(corrections, one.id, seen.stream_id, seen.start, seen.text)
    return one if right is None else replace(one, observation=replace(seen, text=right))
