"""The observations as search reads them: columns, postings, vectors and who comes after whom.

Held in memory and filled from the table, about 0.9 KB a row. Vectors are kept at eight bits a
number, and at one bit a number for the first pass over many rows. Not safe for threads by itself.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from memory.columns import Codes, Column
from memory.quantised import lengths, quantised
from memory.queries import name_words
from memory.words import stems

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# Two observations of one kind belong to one exchange when the second starts this soon after the
# first ends; what is further apart is not each other's context.
EXCHANGE_GAP = 60.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the observations table, as the index takes it in."""

    row_id: int  # Lance's
    id: str
    stream_id: str
    kind: str
    role: str
    start: float
    end: float
    wall: datetime
    text: str
    speaker: str | None
    version: int  # of memory, when it was first there


class Index:
    """Rows are known by their position, in the order they came; positions are never reused."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.position: dict[str, int] = {}  # of an observation's id
        self.ids: list[str] = []  # by position
        self.streams, self.kinds, self.roles, self.speakers = Codes(), Codes(), Codes(), Codes()
        self.names: dict[str, frozenset[int]] = {}  # a word of a speaker's name: their codes
        self._postings: defaultdict[str, array[int]] = defaultdict(lambda: array("I"))
        self._chains: defaultdict[tuple[int, int], list[tuple[float, str, int]]] = defaultdict(list)
        self._columns = {
            "row_id": Column(np.int64),
            "live": Column(np.bool_),
            "stream": Column(np.int32),
            "kind": Column(np.int16),
            "role": Column(np.int16),
            "speaker": Column(np.int32),  # -1: not known
            "start": Column(np.float64),
            "end": Column(np.float64),
            "wall": Column(np.float64),  # `start` in seconds since 1970, UTC
            "version": Column(np.int64),
            "asks": Column(np.bool_),
            "previous": Column(np.int64),  # position of the one before in its exchange, or -1
            "next": Column(np.int64),
            "quantised": Column(np.int8, dimension),
            "scale": Column(np.float32),
        }
        # One column for each 64 numbers: whole columns are compared faster than rows of six words.
        self._signs = [Column(np.uint64) for _ in range(dimension // 64)]
        differing = np.arange(dimension + 1, dtype=np.float32)
        self._cosines: Floats = np.cos(np.float32(np.pi / dimension) * differing)

    def __len__(self) -> int:
        return len(self.position)

    @property
    def dead_rows(self) -> int:
        """Rows that were dropped; their places are not used again."""
        return len(self.ids) - len(self.position)

    def column(self, name: str) -> npt.NDArray[Any]:
        return self._columns[name].view

    def moved(
        self, ids: Sequence[str], row_ids: Rows, roles: Sequence[str], ends: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        """Note where rows are now, and what of them may have changed; which of them are known."""
        positions = np.array([self.position.get(id, -1) for id in ids], np.int64)
        known = positions >= 0
        at = positions[known]
        self.column("row_id")[at] = row_ids[known]
        codes = np.array([self.roles.add(role) for role in roles], np.int16)
        self.column("role")[at] = codes[known]
        self.column("end")[at] = ends[known]
        return known

    def add(self, entries: Sequence[Entry], vectors: Floats) -> None:
        """Take in rows that are not known yet.

        `vectors` float32 [n, dimension], unit rows, in the order of the entries."""
        first = len(self.ids)
        self._extend(entries)
        self._extend_vectors(vectors)
        for position, entry in enumerate(entries, first):
            self.position[entry.id] = position
            self.ids.append(entry.id)
            for term in set(stems(entry.text)):
                self._postings[term].append(position)
            self._link(position, entry)

    def keep_only(self, ids: set[str]) -> None:
        """Drop every row whose id is not among `ids`; what was its text is gone at once."""
        gone = np.array([at for id, at in self.position.items() if id not in ids], np.int64)
        if not len(gone):
            return
        self.column("live")[gone] = False
        self.column("quantised")[gone] = 0
        for word in self._signs:
            word.view[gone] = 0
        self.position = {id: at for id, at in self.position.items() if id in ids}
        dropped = set(gone.tolist())
        for position in dropped:
            self.ids[position] = ""
        for term, rows in list(self._postings.items()):
            left = array("I", (row for row in rows if row not in dropped))
            if left:
                self._postings[term] = left
            else:
                del self._postings[term]
        self._chains = defaultdict(list, {k: _kept(c, dropped) for k, c in self._chains.items()})
        for chain in self._chains.values():
            links = [position for _, _, position in chain]
            self.column("previous")[links[:1]] = -1
            self.column("next")[links[-1:]] = -1
            self._relink(links)

    def postings(self, term: str) -> Rows:
        """Positions of the rows that hold the term, ascending, each once."""
        rows = self._postings.get(term)
        return np.empty(0, np.int64) if rows is None else np.array(rows, np.int64)

    def similarity(self, query: Floats, rows: Rows) -> Floats:
        """Cosine of a unit query with each row."""
        numbers = self.column("quantised")[rows].astype(np.float32)
        cosines: Floats = weighed(numbers, query) * self.column("scale")[rows]
        return cosines

    def rough_similarity(self, query: Floats, rows: Rows) -> Floats:
        """The cosine as the share of equal signs tells it (Charikar 2002, SimHash); about 0.08 off,
        a hundred times cheaper."""
        differing = np.zeros(len(rows), np.uint16)
        every = len(rows) == len(self.ids)
        for column, asked in zip(self._signs, _signs(query[None])[0], strict=True):
            word = column.view if every else column.view[rows]
            differing += np.bitwise_count(word ^ asked)
        return self._cosines[differing]

    def _extend(self, entries: Sequence[Entry]) -> None:
        speakers = [-1 if e.speaker is None else self._speaker(e.speaker) for e in entries]
        added: dict[str, Any] = {
            "row_id": [e.row_id for e in entries],
            "live": np.ones(len(entries), np.bool_),
            "stream": [self.streams.add(e.stream_id) for e in entries],
            "kind": [self.kinds.add(e.kind) for e in entries],
            "role": [self.roles.add(e.role) for e in entries],
            "speaker": speakers,
            "start": [e.start for e in entries],
            "end": [e.end for e in entries],
            "wall": [e.wall.timestamp() for e in entries],
            "version": [e.version for e in entries],
            "asks": [_asks(e.text) for e in entries],
            "previous": np.full(len(entries), -1),
            "next": np.full(len(entries), -1),
        }
        for name, rows in added.items():
            self._columns[name].extend(rows)

    def _extend_vectors(self, vectors: Floats) -> None:
        codes = quantised(vectors)
        self._columns["quantised"].extend(codes)
        self._columns["scale"].extend(1 / lengths(codes))
        for column, word in zip(self._signs, _signs(vectors).T, strict=True):
            column.extend(word)

    def _speaker(self, name: str) -> int:
        known = self.speakers.get(name)
        if known >= 0:
            return known
        code = self.speakers.add(name)
        for word in name_words(name):
            self.names[word] = self.names.get(word, frozenset()) | {code}
        return code

    def _link(self, position: int, entry: Entry) -> None:
        stream, kind = self.column("stream")[position], self.column("kind")[position]
        chain = self._chains[int(stream), int(kind)]
        link = (entry.start, entry.id, position)
        insort(chain, link)
        at = bisect_left(chain, link)
        self._relink([p for _, _, p in chain[max(0, at - 1) : at + 2]])

    def _relink(self, chain: list[int]) -> None:
        """Make each of these positions, in order of time, the neighbour of the one before."""
        start, end = self.column("start"), self.column("end")
        previous, following = self.column("previous"), self.column("next")
        for one, other in zip(chain, chain[1:], strict=False):
            near = start[other] - end[one] <= EXCHANGE_GAP
            following[one] = other if near else -1
            previous[other] = one if near else -1


def weighed(rows: Floats, weights: Floats) -> Floats:
    """The sum of each row by weights, on this thread alone: with the cores busy elsewhere, BLAS
    waits for its other threads longer than they help."""
    sums: Floats = np.einsum("ij,j->i", rows, weights)
    return sums


def _kept(chain: list[tuple[float, str, int]], dropped: set[int]) -> list[tuple[float, str, int]]:
    return [link for link in chain if link[2] not in dropped]


def _signs(vectors: Floats) -> npt.NDArray[np.uint64]:
    return np.packbits(vectors > 0, axis=1).view(np.uint64)


def _asks(text: str) -> bool:
    """Does it end in a question? A caption in brackets at the end does not count as its end."""
    said = text.rstrip()
    if said.endswith("]") and "[" in said:
        said = said[: said.rindex("[")].rstrip()
    return said.endswith(("?", "\uff1f", "\u061f"))
