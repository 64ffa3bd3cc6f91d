"""What follows from new observations: facts and corrections, written in the commit that brings them.

Ids are made of the observation's, so deriving again changes nothing. Whether a fact still holds is
not written down: it follows from the others when they are read, whatever order they came in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import lancedb
import pyarrow as pa
from lancedb.table import LanceTable

from memory.corrections import BACK, TakenBack, holds, lasting, meant, taken_back
from memory.records import FOREVER
from memory.rows import put
from memory.statements import about, statements
from memory.tables import CORRECTIONS, FACTS, quote, select
from memory.uncapitalised import meant_plainly, taken_back_plainly, uncapitalised

Row = dict[str, Any]
READ = ("speech", "screen_text")
AT_ONCE = 4096
_COLUMNS = "id moment_id stream_id kind role start end wall text speaker confidence".split()
_CAME = ("stream_id", "moment_id", "start", "end")


def derive(
    rows: Iterable[Row], observations: LanceTable, facts: LanceTable, corrections: LanceTable
) -> bool:
    """Write what follows from these rows of `observations`; was there anything?"""
    stated, back = [], []
    for row in rows:
        if row["role"] != "statement" or row["kind"] not in READ:
            continue
        stated += _facts(row)
        if row["kind"] == "speech" and (said := _taken_back(row["text"])) is not None:
            back += _correction(row, said, observations)
    for table, found, schema in ((facts, stated, FACTS), (corrections, back, CORRECTIONS)):
        if found:
            put(table, pa.Table.from_pylist(found, schema))
    return bool(stated or back)


def derive_all(db: lancedb.DBConnection) -> None:
    """The same for every observation there is."""
    names = ("observations", "facts", "corrections")
    observations, facts, corrections = (cast(LanceTable, db.open_table(name)) for name in names)
    held = observations.search().select(_COLUMNS).to_arrow()
    for batch in held.to_batches(max_chunksize=AT_ONCE):
        derive(batch.to_pylist(), observations, facts, corrections)


def _facts(row: Row) -> list[Row]:
    return [
        {
            **{name: row[name] for name in (*_CAME, "wall")},
            "id": f"{row['id']}#{number}",
            "observation_id": row["id"],
            "subject": stated.subject,
            "about": f" {' '.join(about(stated.subject))} ",
            "attribute": stated.attribute,
            "value": stated.value,
            "text": stated.text,
            "confidence": row["confidence"] * stated.trust,
            "shared": stated.shared,
        }
        for number, stated in enumerate(statements(row["text"], row["kind"] == "screen_text"))
    ]


def _taken_back(text: str) -> TakenBack | None:
    plainly = taken_back_plainly(text) if uncapitalised(text) else None
    return plainly or taken_back(text)


def _correction(row: Row, said: TakenBack, observations: LanceTable) -> list[Row]:
    since, until, target = 0.0, FOREVER, None
    before = _before(row, observations)
    if said.wrong:
        named = [n for n, heard in enumerate(before) if holds(heard["text"], said.wrong)]
        found = (named[-1], said.wrong) if named else None
        if found is None and (said.heard or not lasting(said)):
            return []  # nothing of late that it could put right
    else:
        texts = [heard["text"] for heard in before]
        found = meant(said, texts) or meant_plainly(said, texts)
        if found is None:
            return []
    heard_in = before[found[0]]["id"] if found else None
    wrong = found[1] if found else said.wrong
    if not lasting(said):
        target = heard_in
    elif _two_of_them(row["stream_id"], wrong, said.right, row["id"], observations):
        since, until = max(0.0, row["start"] - BACK), row["start"]
    return [
        {
            **{name: row[name] for name in (*_CAME, "text")},
            "id": f"{row['id']}#corrects",
            "observation_id": row["id"],
            "wrong": wrong,
            "right": said.right,
            "since": since,
            "until": until,
            "target": target,
            "heard_in": heard_in,
        }
    ]


def _before(row: Row, observations: LanceTable) -> list[Row]:
    """What was said shortly before, oldest first."""
    since = row["start"] - BACK
    where = (
        f"stream_id = {quote(row['stream_id'])} AND kind = 'speech' AND role = 'statement' "
        f"AND start >= {since!r} AND start < {float(row['start'])!r}"
    )
    found = select(observations, where, ["id", "start", "text"])
    return sorted(found, key=lambda one: (one["start"], one["id"]))


def _two_of_them(
    stream_id: str, wrong: str, right: str, correcting: str, observations: LanceTable
) -> bool:
    """Are both names those of somebody? One of them speaks under it, or one text has both."""
    folded = quote(wrong.lower())
    where = f"stream_id = {quote(stream_id)} AND contains(lower(text), {folded})"
    rows = select(observations, where, ["id", "text"])
    both = any(holds(row["text"], right) for row in rows if row["id"] != correcting)
    where = f"stream_id = {quote(stream_id)} AND lower(speaker) = {folded}"
    return both or bool(select(observations, where, ["id"]))
