"""An archive for the kill load: one stream that a budget has thinned, taken in under ever new names.

It is made once, and kept beside the journal. Under another name every id, word, picture and hash of
it is another, so that each name can be forgotten, and looked for, by itself.
"""

from __future__ import annotations

import io
import os
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.kill_journal import BEGAN, IMPORTED, TOKEN, Key, moment_of, token
from memory.embedder import HashEmbedder
from memory.ledger import id_hash, keyframe_key, moment_key
from memory.store import Store
from perception.records import Moment, Stream

NAME = f"{IMPORTED}000000000000"
MOMENTS = 70  # two hours and a bit, of which two are held to the budget
BUDGET = 0.012  # MB per stream-hour: of thirty moments about a third goes


@dataclass(frozen=True, slots=True)
class Packed:
    """What an archive holds: `tables` is Parquet by name."""

    moments: tuple[Moment, ...]
    tables: dict[str, bytes]

    def keys(self, name: str) -> list[Key]:
        """Of the moments that are left, under that name."""
        return [(name, key_number(moment)) for moment in self.moments]


def packed(beside: Path) -> Packed:
    """The one that is kept there, or made now."""
    file = beside / "archive.pickle"
    if file.exists():
        kept: Packed = pickle.loads(file.read_bytes())  # noqa: S301  # written by this function
        return kept
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder), HashEmbedder(), budget_mb_per_hour=BUDGET) as store,
    ):
        for number in range(MOMENTS):
            moment, pictures = moment_of((NAME, number))
            store.remember(Stream(NAME, BEGAN, "load", 0.0), [moment], pictures)
        store.consolidate()
        made = Packed(tuple(store.timeline(NAME)), store.rows(NAME))
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(pickle.dumps(made))
    temporary.replace(file)
    return made


def take_in(store: Store, archive: Packed, name: str) -> None:
    """As an import does: its rows, then its moments, some at a time."""
    changed = _changes(name)
    store.remember(Stream(name, BEGAN, "load", 0.0), [], {})
    store.add_rows(name, {n: _rewritten(rows, name, changed) for n, rows in archive.tables.items()})
    pictures = {d: p for n in range(MOMENTS) for d, p in moment_of((name, n))[1].items()}
    for first in range(0, len(archive.moments), 20):
        moments = [_renamed(m, name, changed) for m in archive.moments[first : first + 20]]
        shown = {m.keyframe: pictures[m.keyframe] for m in moments if m.keyframe}
        store.remember(Stream(name, BEGAN, "load", 0.0), moments, shown)


def key_number(moment: Moment) -> int:
    """The how-manieth of the archive's stream it was."""
    return next(n for n in range(MOMENTS) if moment_of((NAME, n))[0].start == moment.start)


def _renamed(moment: Moment, name: str, changed: Callable[[str], str]) -> Moment:
    seen = tuple(replace(o, stream_id=name, text=changed(o.text)) for o in moment.observations)
    shown = None if moment.keyframe is None else changed(moment.keyframe)
    return replace(moment, stream_id=name, observations=seen, keyframe=shown)


def _changes(name: str) -> Callable[[str], str]:
    """From the strings of the archive to those of that name."""
    other: dict[str, str] = {}
    for number in range(MOMENTS):
        other[token((NAME, number))] = token((name, number))
        for old, new in zip(
            moment_of((NAME, number))[1], moment_of((name, number))[1], strict=True
        ):
            other[old] = new

    def changed(text: str) -> str:
        if text in other:
            return other[text]
        told = TOKEN.sub(
            lambda m: other.get(m.group().decode(), m.group().decode()).encode(), text.encode()
        )
        return told.decode().replace(NAME, name)

    return changed


def _rewritten(rows: bytes, name: str, changed: Callable[[str], str]) -> bytes:
    """Parquet, every string and every hash of an id put in the new name's terms."""
    table = pq.read_table(io.BytesIO(rows))
    hashes: dict[int, int] = {}
    for number in range(MOMENTS):
        old, new = moment_of((NAME, number))[0], moment_of((name, number))[0]
        pairs = [(o.id, n.id) for o, n in zip(old.observations, new.observations, strict=True)]
        pairs += [(of(old.id), of(new.id)) for of in (moment_key, keyframe_key)]
        hashes.update((id_hash(one), id_hash(other)) for one, other in pairs)
    changed_rows = [
        {k: _deep(v, changed, hashes if k == "gone" else {}) for k, v in row.items()}
        for row in table.to_pylist()
    ]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(changed_rows, table.schema), file)
    return file.getvalue()


def _deep(value: Any, changed: Callable[[str], str], hashes: dict[int, int]) -> Any:
    if isinstance(value, str):
        return changed(value)
    if isinstance(value, list):
        return [_deep(one, changed, hashes) for one in value]
    if isinstance(value, dict):
        return {k: _deep(v, changed, hashes) for k, v in value.items()}
    return hashes.get(value, value) if isinstance(value, int) and hashes else value
