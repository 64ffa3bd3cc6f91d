"""Summaries in a model's words: which episodes wait for one, and what is kept of what it wrote.

The extract stays beside it. What was tried is known by a digest of the quotes as corrections put
them right, so a text is told only while what it was written from stands, and an episode of which a
model could make nothing is tried again only once there is something else to tell. All of it is in
the episode's row: what makes the episode anew, or takes it away, takes these words along.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from memory.episode_rows import episode_of
from memory.failures import failures_named
from memory.knowledge import Knowledge
from memory.longterm import LongTerm
from memory.place import Place
from memory.records import Unwritten
from memory.rewritten import material_of, note_try, overtaken, right_quotes
from memory.tables import Tables, quote, select
from memory.tier import Reading
from memory.upkeep import Upkeep
from memory.writer import GroupWriter


class Rewriting(Reading):
    """The part of `Store` about summaries in a model's words."""

    place: Place
    tables: Tables
    _knowledge: Knowledge
    _longterm: LongTerm
    _writer: GroupWriter[Any]
    _upkeep: Upkeep
    _check_open: Callable[[], None]
    _seal: Callable[[], None]

    _judged = -1  # the version of the corrections at which `_overtaken` was found out
    _overtaken: frozenset[str] = frozenset()  # episodes whose quotes were put right since a try

    def unwritten(self, writer: str) -> Unwritten | None:
        """The episode that this model is to put in words next: of the highest level, the oldest.
        None where there is none, or more is still to be compressed before."""
        self._check_open()
        if self._longterm.behind:
            return None
        return self._settled(lambda: self._unwritten(writer))

    def rewrite(self, episode_id: str, material: str, writer: str, text: str | None) -> bool:
        """Keep what the model made of the episode, durably on return; None: it could make nothing
        of it, which is remembered. False: the episode is not there any more, or holds something
        else than what `material` stands for."""
        self._check_open()
        with failures_named(self.place.name), self._upkeep.held_off():
            kept: bool = self._writer.call(
                partial(self._rewrite, episode_id, material, writer, text)
            )
            return kept

    def _unwritten(self, writer: str) -> Unwritten | None:
        untried = f"tried IS NULL OR (rewritten IS NULL AND tried_by != {quote(writer)})"
        columns = ["id", "level", "wall"]
        rows = {row["id"]: row for row in select(self.tables.episodes, untried, columns)}
        for id in self._put_right_since() - rows.keys():
            rows.update((r["id"], r) for r in select(self.tables.episodes, _is(id), columns))
        for one in sorted(rows.values(), key=lambda r: (-r["level"], r["wall"], r["id"])):
            for row in select(self.tables.episodes, _is(one["id"])):
                episode = episode_of(row)
                quotes = right_quotes(episode, self._knowledge.corrections(episode.stream_id))
                material = material_of(quotes)
                done = row["rewritten"] is not None or row["tried_by"] == writer
                if not done or row["tried"] != material:
                    return Unwritten(episode.id, episode.level, quotes, material)
        return None

    def _put_right_since(self) -> frozenset[str]:
        """Episodes that were tried, and of whose quotes a correction makes something else."""
        version = self.tables.corrections.version
        if version != self._judged:
            self._overtaken = frozenset(
                row["id"]
                for stream_id in sorted({c.stream_id for c in self._knowledge.corrections()})
                for row in overtaken(self.tables, self._knowledge, stream_id)
            )
            self._judged = version
        return self._overtaken

    def _rewrite(self, episode_id: str, material: str, writer: str, text: str | None) -> bool:
        """On the writer's thread: what was forgotten or put right meanwhile does not come back."""
        self._overtaken -= {episode_id}
        for row in select(self.tables.episodes, _is(episode_id)):
            episode = episode_of(row)
            quotes = right_quotes(episode, self._knowledge.corrections(episode.stream_id))
            if material_of(quotes) == material:
                note_try(self.tables, [row], material, writer, text)
                self._seal()
                return True
        return False


def _is(episode_id: str) -> str:
    return f"id = {quote(episode_id)}"
