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
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from memory import tables
from memory.episodes import LEVELS
from memory.errors import MemoryFailure
from memory.ledger import id_hash, keyframe_key, moment_key
from memory.records import Query
from memory.store import Store
from memory.tables import OBSERVATION_COLUMNS, observation_of, select
from perception.records import Moment, Observation

BEGAN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
SPAN, WIDE = 5.0, 120.0  # seconds of stream time from one moment to the next
# Streams whose moments are far apart: their hours end soon, and are held to a budget. Those of the
# second kind come from an archive.
THIN, IMPORTED = "thin-", "take-"
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

    def interrupted(self) -> list[str]:
        """Names under which an archive was being taken in: that is to be done again."""
        return sorted(
            {
                name
                for (name, _), what in self.unsure.items()
                if name.startswith(IMPORTED) and what == "remember"
            }
        )

    def settle(self, held: Iterable[Key]) -> None:
        """What was unsure is as it was found, from now on, but for archives half taken in."""
        again = set(self.interrupted())
        unsure = {key: what for key, what in self.unsure.items() if key[0] not in again}
        found = set(held) & unsure.keys()
        absent = {key: what for key, what in unsure.items() if key not in found}
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


def span_of(name: str) -> float:
    """Seconds from one moment of that stream to the next."""
    return WIDE if name.startswith((THIN, IMPORTED)) else SPAN


def moment_of(key: Key) -> tuple[Moment, dict[str, bytes]]:
    """The moment that this key stands for, and its keyframe: every third has one."""
    name, number = key
    start = number * span_of(name)
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
    """Every moment of every stream, from the tables: a read for each stream would take minutes."""
    held: dict[str, list[Observation]] = defaultdict(list)
    for row in select(store.tables.observations, None, OBSERVATION_COLUMNS):
        held[row["moment_id"]].append(observation_of(row))
    rows = select(store.tables.moments, None)
    moments = [tables.moment_of(row, held.get(row["id"], ())) for row in rows]
    return {(m.stream_id, round(m.start / span_of(m.stream_id))): m for m in moments}


def faults(store: Store, journal: Journal, chance: random.Random) -> Iterator[Fault]:
    """What of the store is not as it was acknowledged."""
    held = held_by(store)
    yield from _timeline_faults(store, held, chance)
    known = journal.kept | journal.gone | journal.unsure.keys()
    given_up = given_up_in(store, journal.kept | held.keys())
    for key in journal.kept | held.keys():
        gone = given_up.get(key[0], frozenset())
        yield from _moment_faults(store, key, held.get(key), gone, key in journal.kept)
    yield from (("resurrected", str(key)) for key in journal.gone & held.keys())
    yield from (("corrupt", f"{key} was never given") for key in held.keys() - known)
    yield from _table_faults(store, held)
    yield from tier_faults(store, held, given_up)
    whole = {key for key in journal.kept & held.keys() if held[key].observations}
    yield from _search_faults(store, whole, chance)
    words = {token(key).encode(): key for key in journal.gone}
    for path in store.path.rglob("*"):
        if path.is_file():
            left = {words[w] for w in TOKEN.findall(path.read_bytes()) if w in words}
            yield from (("resurrected", f"{key} in {path}") for key in left)


def given_up_in(store: Store, keys: Iterable[Key]) -> dict[str, frozenset[int]]:
    """By stream, hashes of the ids that the ledger says were given up, or that an episode which
    stands alone has taken the place of."""
    gone: dict[str, set[int]] = {}
    for row in select(store.tables.ledger, None, ["stream_id", "gone"]):
        gone.setdefault(row["stream_id"], set()).update(row["gone"])
    alone: dict[str, list[tuple[float, float]]] = {}
    for row in select(store.tables.episodes, "alone", ["stream_id", "start", "end"]):
        alone.setdefault(row["stream_id"], []).append((row["start"], row["end"]))
    for key in keys:
        moment, _ = moment_of(key)
        if any(start <= moment.start < end for start, end in alone.get(key[0], ())):
            ids = [*(o.id for o in moment.observations), moment_key(moment.id)]
            gone.setdefault(key[0], set()).update(map(id_hash, [*ids, keyframe_key(moment.id)]))
    return {name: frozenset(hashes) for name, hashes in gone.items()}


def _timeline_faults(
    store: Store, held: Mapping[Key, Moment], chance: random.Random
) -> Iterator[Fault]:
    """What the store tells of a stream is what its tables hold."""
    names = sorted(stream.id for stream in store.streams())
    if {name for name, _ in held} - set(names):
        yield "corrupt", f"moments of no stream: { ({name for name, _ in held} - set(names)) }"
    for name in chance.sample(names, min(SEARCHED, len(names))):
        own = sorted((m for key, m in held.items() if key[0] == name), key=lambda m: m.start)
        if store.timeline(name) != own:
            yield "corrupt", f"the timeline of {name}"


def _moment_faults(
    store: Store, key: Key, moment: Moment | None, gone: frozenset[int], kept: bool
) -> Iterator[Fault]:
    """What the moment holds is as it was given, less what the ledger says was given up of it."""
    given, pictures = moment_of(key)
    left = tuple(o for o in given.observations if id_hash(o.id) not in gone)
    if moment is None:
        if kept and (left or id_hash(moment_key(given.id)) not in gone):
            yield "lost", str(key)
        return
    back = [o for o in moment.observations if id_hash(o.id) in gone]
    if back:
        yield "resurrected", f"{key} was given up: {back}"
    elif kept and (moment.observations, moment.end) != (left, given.end):
        yield "corrupt", f"{key} is {moment}"
    if moment.keyframe != given.keyframe and id_hash(keyframe_key(given.id)) not in gone:
        if kept:
            yield "corrupt", f"the keyframe of {key} is {moment.keyframe}"
    elif moment.keyframe is not None:
        own = moment.keyframe == given.keyframe
        yield from _picture_faults(store, moment, pictures[moment.keyframe] if own else None)


def _picture_faults(store: Store, moment: Moment, picture: bytes | None) -> Iterator[Fault]:
    """`picture`: what it has to be, where that is known."""
    try:
        assert moment.keyframe is not None
        shown = store.place.media.read(moment.keyframe)
        if picture is not None and shown != picture:
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


def tier_faults(
    store: Store, held: Mapping[Key, Moment], given_up: Mapping[str, frozenset[int]]
) -> Iterator[Fault]:
    """Episodes of a level stand side by side, hold what is there or was given up, and quote it."""
    moments = {moment.id for moment in held.values()}
    present = {o.id for moment in held.values() for o in moment.observations}
    with_episodes = {row["stream_id"] for row in select(store.tables.episodes, None, ["stream_id"])}
    for stream in (one for one in store.streams() if one.id in with_episodes):
        gone = given_up.get(stream.id, frozenset())
        below: set[str] = set()
        for level in sorted(LEVELS):
            episodes = store.episodes(stream.id, level=level)
            for one, other in pairwise(episodes):
                if other.start < one.end or set(one.children) & set(other.children):
                    yield "corrupt", f"episodes {one.id} and {other.id} overlap"
            for episode in episodes:
                known = moments if level == 1 else below
                lost = [id for id in episode.children if id not in known]
                if level > 1 and lost:
                    yield "corrupt", f"{episode.id} holds {lost}, which are not there"
                elif any(id_hash(moment_key(id)) not in gone for id in lost):
                    yield "corrupt", f"{episode.id} holds {lost}, never given up"
                quotes = [q for q in episode.quotes if q.outlived is (q.id in present)]
                if quotes:
                    yield "corrupt", f"{episode.id} quotes {quotes[0]}, not so"
                said = " ".join(quote.observation.text for quote in episode.quotes)
                if episode.rewritten not in (None, said):
                    yield "corrupt", f"{episode.id} is told as {episode.rewritten}"
            below = {episode.id for episode in episodes}


def _search_faults(store: Store, keys: set[Key], chance: random.Random) -> Iterator[Fault]:
    for key in chance.sample(sorted(keys), min(SEARCHED, len(keys))):
        hits = store.search(Query(token(key), limit=3))
        if not hits or hits[0].moment_id != moment_of(key)[0].id:
            yield "corrupt", f"search does not find {key}"
