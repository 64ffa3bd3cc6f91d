"""Captions: what a model says of a keyframe after its moment was remembered, as one more observation
of that moment, known by its `ref`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from memory.failures import failures_named
from memory.records import Uncaptioned
from memory.remember import Remembering
from memory.tables import Tables, quote, select
from memory.tier import settled
from memory.writer import GroupWriter
from perception.records import Moment, Observation

CAPTION = "caption"  # the `ref` of the observation
CONFIDENCE = 0.7  # models that describe pictures also make things up


class Captioned:
    """The part of `Store` about captions."""

    path: Path
    tables: Tables
    _remembering: Remembering
    _writer: GroupWriter[Any]
    _check_open: Callable[[], None]

    def uncaptioned(self, limit: int) -> list[Uncaptioned]:
        """The latest of the moments whose keyframe has no caption, the latest first."""
        self._check_open()
        return settled(lambda: self._uncaptioned(limit))

    def caption(self, moment_id: str, keyframe: str, text: str) -> bool:
        """Add what the keyframe shows to its moment, durably on return. False: the moment shows
        that keyframe no longer, or the text was given up before."""
        self._check_open()
        with failures_named(self.path):
            kept: bool = self._writer.call(lambda: self._caption(moment_id, keyframe, text))
            return kept

    def _uncaptioned(self, limit: int) -> list[Uncaptioned]:
        said = self.tables.observations.search().where(f"ref = {quote(CAPTION)}")
        captioned = said.select(["moment_id"]).to_arrow()["moment_id"]
        shown = self.tables.moments.search().where("keyframe IS NOT NULL")
        rows = shown.select(["id", "stream_id", "start", "keyframe"]).to_arrow()
        rows = rows.filter(pc.invert(pc.is_in(rows["id"], value_set=captioned.combine_chunks())))
        beginnings = {s.id: s.wall_start for s in dict(self._remembering.streams).values()}
        found: list[tuple[datetime, str, str]] = [
            (
                beginnings[row["stream_id"]] + timedelta(seconds=row["start"]),
                row["id"],
                row["keyframe"],
            )
            for row in rows.to_pylist()
            if row["stream_id"] in beginnings
        ]
        return [Uncaptioned(id, digest) for _, id, digest in sorted(found, reverse=True)[:limit]]

    def _caption(self, moment_id: str, keyframe: str, text: str) -> bool:
        """On the writer's thread: what was forgotten meanwhile does not come back."""
        where = f"id = {quote(moment_id)} AND keyframe = {quote(keyframe)}"
        for row in select(self.tables.moments, where):
            stream = self._remembering.streams[row["stream_id"]]
            seen = Observation(
                stream.id,
                "vision",
                row["start"],
                row["end"],
                text,
                ref=CAPTION,
                confidence=CONFIDENCE,
            )
            moment = Moment(stream.id, row["start"], row["end"], (seen,), keyframe)
            batch = self._remembering.prepare(stream, [moment], {})
            if seen.id in batch.rows:
                self._remembering.commit([batch])
                return True
        return False
