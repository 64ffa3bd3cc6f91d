"""What a store was asked to do and acknowledged, written where no kill reaches, and the comparison.

A line is in the journal before a change is asked for ("try") and after it was acknowledged
("done"). What was asked for and not acknowledged may be there or not, but whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memory.errors import MemoryFailure
from memory.records import Query
from memory.store import Store
from memory.tables import select
from perception.records import Moment, Observation

SPAN = 5.0  # seconds of stream time from one moment to the next
SEARCHED = 8  # moments looked for by their words at each comparison
TOKEN = re.compile(rb"zq[0-9a-f]{12}qz")

Key = tuple[str, int]  # a stream, and the how-manieth moment of it
Fault = tuple[str, str]  # "lost" | "resurrected" | "corrupt", and what


@dataclass
class Journal:
    """What the processes so far asked for and were told."""

    path: Path
    kept: set[Key] = field(default_factory=set)
    gone: set[Key] = field(default_factory=set)
    unsure: dict[Key, str] = field(default_factory=dict)  # what was tried: "remember" or "forget"
    acknowledged: int = 0  # observations, ever

    @classmethod
    def read(cls, path: Path) -> Journal:
        journal = cls(path)
        for line in path.read_text().splitlines() if path.exists() else ():
            journal._follow(json.loads(line))
        return journal

    def note(self, step: str, what: str, keys: Iterable[Key]) -> None:
        """One whole line, in the kernel's hands when this returns: SIGKILL cannot take it back."""
        line = json.dumps({"step": step, "what": what, "keys": sorted(keys)}) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def settle(self, held: Iterable[Key]) -> None:
        """What was unsure is as it was found, from now on."""
        found = set(held) & self.unsure.keys()
        absent = {key: what for key, what in self.unsure.items() if key not in found}
        self.note("found", "remember", found)
        self.note("found", "forget", [key for key, what in absent.items() if what == "forget"])
        self.note("found", "nothing", [key for key, what in absent.items() if what == "remember"])

    def _follow(self, line: dict[str, Any]) -> None:
        keys = {(stream, number) for stream, number in line["keys"]}
        what = line["what"]
        if line["step"] == "try":
            self.kept -= keys
            self.unsure.update(dict.fromkeys(keys, what))
            return
        for key in keys:
            self.unsure.pop(key, None)
        if what == "remember":
            self.kept |= keys
        elif what == "forget":
            self.gone |= keys
        if what == "remember" and line["step"] == "done":
            self.acknowledged += sum(len(moment_of(key)[0].observations) for key in keys)


def token(key: Key) -> str:
    """A word that only this moment holds."""
    return f"zq{hashlib.blake2s(repr(key).encode(), digest_size=6).hexdigest()}qz"


def moment_of(key: Key) -> tuple[Moment, dict[str, bytes]]:
    """The moment that this key stands for, and its keyframe: every third has one."""
    name, number = key
    start = number * SPAN
    observations = tuple(
        Observation(name, "speech", start + at, start + at + 0.9, f"{token(key)} is on shelf {at}")
        for at in range(1 + number % 3)
    )
    if number % 3:
        return Moment(name, start, start + SPAN, observations), {}
    picture = b"\xff\xd8\xff" + token(key).encode() * 40
    digest = hashlib.sha256(picture).hexdigest()
    return Moment(name, start, start + SPAN, observations, digest), {digest: picture}


def held_by(store: Store) -> dict[Key, Moment]:
    """Every moment of every stream."""
    return {
        (stream.id, round(moment.start / SPAN)): moment
        for stream in store.streams()
        for moment in store.timeline(stream.id)
    }


def faults(store: Store, journal: Journal, chance: random.Random) -> Iterator[Fault]:
    """What of the store is not as it was acknowledged."""
    held = held_by(store)
    known = journal.kept | journal.gone | journal.unsure.keys()
    yield from (("lost", str(key)) for key in journal.kept - held.keys())
    yield from (("resurrected", str(key)) for key in journal.gone & held.keys())
    yield from (("corrupt", f"{key} was never given") for key in held.keys() - known)
    for key, moment in held.items():
        given, pictures = moment_of(key)
        if moment != given:
            yield "corrupt", f"{key} is {moment}"
        elif given.keyframe:
            yield from _picture_faults(store, given, pictures[given.keyframe])
    yield from _table_faults(store, held)
    yield from _search_faults(store, journal.kept & held.keys(), chance)
    words = {token(key).encode(): key for key in journal.gone}
    for path in store.path.rglob("*"):
        if path.is_file():
            left = {words[w] for w in TOKEN.findall(path.read_bytes()) if w in words}
            yield from (("resurrected", f"{key} in {path}") for key in left)


def _picture_faults(store: Store, moment: Moment, picture: bytes) -> Iterator[Fault]:
    try:
        if store.keyframe(moment.id) != picture:
            yield "corrupt", f"keyframe of {moment.id}"
    except MemoryFailure as failure:
        yield "corrupt", f"keyframe of {moment.id}: {failure}"


def _table_faults(store: Store, held: Mapping[Key, Moment]) -> Iterator[Fault]:
    """Each observation is there once, and none outside of its moment; every table can be read."""
    rows = select(store.tables.observations, None, ["id", "moment_id", "vector"])
    ids = [row["id"] for row in rows]
    if len(set(ids)) != len(ids):
        yield "corrupt", f"{len(ids) - len(set(ids))} observations are there twice"
    if set(ids) != {o.id for moment in held.values() for o in moment.observations}:
        yield "corrupt", "observations without their moment"
    for name in store.tables.db.list_tables().tables:
        table = store.tables.db.open_table(name)
        if len(table.to_arrow()) != table.count_rows():
            yield "corrupt", f"table {name} has rows that cannot be read"


def _search_faults(store: Store, keys: set[Key], chance: random.Random) -> Iterator[Fault]:
    for key in chance.sample(sorted(keys), min(SEARCHED, len(keys))):
        hits = store.search(Query(token(key), limit=3))
        if not hits or hits[0].moment_id != moment_of(key)[0].id:
            yield "corrupt", f"search does not find {key}"
