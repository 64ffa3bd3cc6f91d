"""Facts and corrections as they are read: which still hold, and what they put right.

Both are worked out from all of them at each reading, so an order of arrival, a correction or a
forgotten contradiction needs nothing rewritten.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from memory.records import Correction, Fact, put_right
from memory.statements import about, agree
from memory.tables import Tables, quote, select
from memory.words import stem, words

Row = dict[str, Any]
# Of these a thing may have several: a hall has seats and doors.
_SEVERAL = frozenset(stem(word) for word in "is has have hold need take contain".split())
# What a thing has of itself, whatever it is: a gate's place is no "gate place" that is something.
_OF_THEIR_OWN = _SEVERAL | frozenset(
    stem(word) for word in "place time name home work cost weigh seat measure last".split()
)


class Knowledge:
    """Safe to use from many threads."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._guard = threading.Lock()
        self._version = -1
        self._corrections: tuple[Correction, ...] = ()

    def corrections(self, stream_id: str | None = None) -> tuple[Correction, ...]:
        """What was corrected, in the order in which it was said."""
        table = self._tables.corrections
        with self._guard:
            if table.version != self._version:
                version = table.version
                rows = sorted(select(table, None), key=lambda row: (row["start"], row["id"]))
                names = [field.name for field in fields(Correction)]
                self._corrections = tuple(Correction(**{n: row[n] for n in names}) for row in rows)
                self._version = version
            known = self._corrections
        return tuple(c for c in known if stream_id in (None, c.stream_id))

    def corrected(self, id: str, stream_id: str, start: float, text: str) -> str | None:
        """The text of an observation put right, or None if nothing corrects it."""
        return put_right(self.corrections(stream_id), id, stream_id, start, text)

    def facts(
        self, subject: str | None, stream_id: str | None, until: datetime | None, history: bool
    ) -> list[Fact]:
        """In order of time. `until`: as they stood then."""
        wanted = set(about(subject)) if subject is not None else set()
        rows = select(self._tables.facts, self._where(wanted))
        if until is not None:
            rows = [row for row in rows if row["wall"] <= until]
        corrections = self.corrections()
        rows = [_put_right(row, corrections) for row in rows]
        rows = [row for row in rows if wanted <= set(about(row["subject"]))]
        rows.sort(key=lambda row: (row["wall"], row["id"]))
        superseded = _superseded(rows)
        names = [field.name for field in fields(Fact)]
        return [
            Fact(
                **{name: row[name] for name in names if name in row},
                valid_from=row["start"],
                superseded_by=superseded.get(row["id"]),
            )
            for row in rows
            if stream_id in (None, row["stream_id"]) and (history or row["id"] not in superseded)
        ]

    def resting(self, stream_id: str) -> set[str]:
        """Ids of the stream's observations that a fact rests on which still holds."""
        rows, superseded = self._of_stream(stream_id)
        return {row["observation_id"] for row in rows if row["id"] not in superseded}

    def superseded(self, stream_id: str) -> set[str]:
        """Ids of the stream's facts that a later one of it contradicts."""
        return set(self._of_stream(stream_id)[1])

    def _of_stream(self, stream_id: str) -> tuple[list[Row], dict[str, str]]:
        columns = ["id", "stream_id", "observation_id", "wall", "subject", "attribute", "value"]
        rows = select(self._tables.facts, f"stream_id = {quote(stream_id)}", [*columns, "shared"])
        rows.sort(key=lambda row: (row["wall"], row["id"]))
        return rows, _superseded(rows)

    def _where(self, wanted: set[str]) -> str | None:
        """A subject goes by each of its words, or by what it was heard as."""
        clauses = []
        corrections = self.corrections()
        for word in sorted(wanted):
            heard = {word} | {
                w for c in corrections if word in about(c.right) for w in about(c.wrong)
            }
            either = " OR ".join(f"contains(about, ' {one} ')" for one in sorted(heard))
            clauses.append(f"({either})")
        return " AND ".join(clauses) or None


def _put_right(row: Row, corrections: Sequence[Correction]) -> Row:
    came = row["observation_id"], row["stream_id"], row["start"]
    right = {name: put_right(corrections, *came, row[name]) for name in ("subject", "value")}
    return {**row, **{name: text for name, text in right.items() if text is not None}}


def _superseded(rows: Sequence[Row]) -> dict[str, str]:
    """By id, which fact contradicts it next. `rows` in order of time."""
    alike: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        alike[_asked(row)].append(row)
    found: dict[str, str] = {}
    for group in alike.values():
        for at, row in enumerate(group):
            for later in group[at + 1 :]:
                same_thing = row["stream_id"] == later["stream_id"] or (
                    row["shared"] and later["shared"]
                )
                if same_thing and _contradicts(row, later):
                    found[row["id"]] = later["id"]
                    break
    return found


def _asked(row: Row) -> tuple[frozenset[str], str]:
    """What a statement answers. "The gate code is 4471" and "the code for the gate" are one."""
    subject, attribute = about(row["subject"]), about(row["attribute"])
    if not attribute or attribute[0] in _OF_THEIR_OWN:
        return frozenset(subject), " ".join(attribute)
    return frozenset((*subject, *attribute)), ""


def _contradicts(row: Row, later: Row) -> bool:
    if row["observation_id"] == later["observation_id"] or agree(row["value"], later["value"]):
        return False
    if stem(row["attribute"]) not in _SEVERAL:
        return True
    one, other = (_unnumbered(r["value"]) for r in (row, later))
    return one == other and _numbered(row["value"]) and _numbered(later["value"])


def _unnumbered(value: str) -> set[str]:
    return {stem(word) for word in words(value) if not _is_number(word)}


def _numbered(value: str) -> bool:
    return any(_is_number(word) for word in words(value))


def _is_number(word: str) -> bool:
    return any(c.isdigit() for c in word) or word in _NUMBER_WORDS


_NUMBER_WORDS = frozenset(
    """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred
    thousand""".split()
)
