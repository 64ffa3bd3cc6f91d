"""The process that `bench kill` kills: it checks the store, then works it from all sides until then.

    python -m bench.kill_load STORE JOURNAL SEED

On standard output, a JSON object a line: {"ready": seconds} once the store is open and has answered
a search, then {"checked": moments, "faults": [...]} when it was compared with the journal.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import memory.holding
import memory.maintenance
from bench.kill_archive import BUDGET, packed, take_in
from bench.kill_journal import (
    BEGAN,
    IMPORTED,
    SPAN,
    THIN,
    Journal,
    Key,
    faults,
    held_by,
    moment_of,
    token,
)
from memory.embedder import HashEmbedder
from memory.records import Query, Selection
from memory.store import Store
from perception.records import Stream

WRITERS = 3
TOTAL = 0.1  # MB, in every other life: then hours are emptied, and their episodes stand alone
KEPT = 500  # moments; above it whole streams are forgotten


def main(arguments: list[str]) -> None:
    """Open, say so, check, say so, and work until killed."""
    path, journal_path, seed = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    chance = random.Random(seed)
    hurry_upkeep()
    began = time.perf_counter()
    total = TOTAL if seed % 2 else None
    store = Store(path, HashEmbedder(), budget_mb_per_hour=BUDGET, budget_mb=total)
    store.search(Query("shelf", limit=3))
    tell({"ready": time.perf_counter() - began})
    journal = Journal.read(journal_path)
    with store._upkeep.held_off():  # what is compared must not be compressed meanwhile
        found = list(faults(store, journal, chance))
        journal.settle(held_by(store))
    journal = Journal.read(journal_path)
    tell({"checked": len(journal.kept), "faults": found})
    loads: list[Callable[[], None]] = [
        *(writing(store, journal, random.Random(chance.random())) for _ in range(WRITERS)),
        thinning(store, journal),
        importing(store, journal),
        forgetting(store, journal, chance),
        reading(store, sorted(journal.kept)),
        rewriting(store),
        upkeep(store),
    ]
    for load in loads:
        threading.Thread(target=ended_by_failure(load), daemon=True).start()
    threading.Event().wait()


def hurry_upkeep() -> None:
    """Upkeep that a store does once a minute, here many times a second: more of it is cut off."""
    memory.maintenance.FRAGMENTS = 4
    memory.maintenance.STALE_ROWS = 20
    memory.maintenance.RETENTION = 0.5
    memory.maintenance.PRUNE_EVERY = 0.3
    memory.maintenance.SHARE = 0.7
    memory.maintenance.SETTLE = 0.05
    memory.holding.TOTAL_EVERY = 0.2


def tell(what: dict[str, Any]) -> None:
    """One line to whoever started this process."""
    print(json.dumps(what), flush=True)


def ended_by_failure(load: Callable[[], None]) -> Callable[[], None]:
    """A load that fails ends the process with what failed: nothing is to fail under it."""

    def run() -> None:
        try:
            load()
        except BaseException as failure:
            tell({"failed": f"{type(failure).__name__}: {failure}"})
            os._exit(3)

    return run


def writing(store: Store, journal: Journal, chance: random.Random) -> Callable[[], None]:
    """Moments of a stream of its own, one to four a call; some calls repeat the last one."""
    name = os.urandom(6).hex()

    def run() -> None:
        number = 0
        keys: list[Key] = []
        while True:
            if not keys or chance.random() > 0.15:
                keys = [(name, number + n) for n in range(chance.randint(1, 4))]
                number += len(keys)
                journal.note("try", "remember", keys)
                write(store, keys)
                journal.note("done", "remember", keys)
            else:
                write(store, keys)

    return run


def thinning(store: Store, journal: Journal) -> Callable[[], None]:
    """A stream whose hours end soon: episodes, and a budget that takes most of each."""
    name = f"{THIN}{os.urandom(6).hex()}"

    def run() -> None:
        for first in itertools.count(0, 10):
            keys = [(name, number) for number in range(first, first + 10)]
            journal.note("try", "remember", keys)
            write(store, keys)
            journal.note("done", "remember", keys)

    return run


def importing(store: Store, journal: Journal) -> Callable[[], None]:
    """An archive: first those that were cut off, again, then under new names."""

    def run() -> None:
        archive = packed(journal.path.parent)
        names = iter(journal.interrupted())
        while True:
            name = next(names, None) or f"{IMPORTED}{os.urandom(6).hex()}"
            journal.note("try", "remember", archive.keys(name))
            take_in(store, archive, name)
            journal.note("done", "remember", archive.keys(name))
            time.sleep(0.3)

    return run


def write(store: Store, keys: list[Key]) -> None:
    """Remember the moments of these keys, of one stream, in one call."""
    given = [moment_of(key) for key in keys]
    pictures = {digest: picture for _, held in given for digest, picture in held.items()}
    stream = Stream(keys[0][0], BEGAN, "load", 0.0)
    store.remember(stream, [moment for moment, _ in given], pictures)


def forgetting(store: Store, journal: Journal, chance: random.Random) -> Callable[[], None]:
    """A moment, a span or a whole stream of earlier lives, by chance; without end, while there are
    any: their writers are dead, so what is left of them is known. Archives that are being taken in
    again are left alone."""

    def run() -> None:
        streams = {
            name: [number for _, number in keys]
            for name, keys in itertools.groupby(sorted(journal.kept), key=lambda key: key[0])
            if name not in journal.interrupted()
        }
        while streams:
            name = chance.choice(sorted(streams))
            numbers = streams[name]
            # Of an hour that was thinned and then cut into, the ledger no longer says what went.
            whole = name.startswith((THIN, IMPORTED)) or chance.random() < 0.1
            whole = whole or sum(map(len, streams.values())) > KEPT
            if whole:
                going, what = numbers, Selection(stream_id=name)
            elif chance.random() < 0.5:
                going = [chance.choice(numbers)]
                what = Selection(moment_ids=(moment_of((name, going[0]))[0].id,))
            else:
                first = chance.choice(numbers)
                going = [n for n in numbers if first <= n < first + 4]
                span = first * SPAN, (first + 4) * SPAN
                what = Selection(stream_id=name, start=span[0], end=span[1])
            keys = [(name, number) for number in going]
            journal.note("try", "forget", keys)
            store.forget(what)
            journal.note("done", "forget", keys)
            streams[name] = [number for number in numbers if number not in going]
            if not streams[name]:
                del streams[name]

    return run


def rewriting(store: Store) -> Callable[[], None]:
    """Summaries in a model's words, which repeat what the quotes say; of some it makes nothing."""

    def run() -> None:
        for turn in itertools.count():
            store._longterm.behind = False  # here there is always more to compress first
            waiting = store.unwritten("load")
            if waiting is None:
                time.sleep(0.05)
                continue
            said = " ".join(quote.observation.text for quote in waiting.quotes)
            text = said if turn % 4 else None
            store.rewrite(waiting.episode_id, waiting.material, "load", text)

    return run


def reading(store: Store, keys: list[Key]) -> Callable[[], None]:
    """Searches, as answers would make them."""

    def run() -> None:
        for key in itertools.cycle(keys or [("none", 0)]):
            store.search(Query(token(key), limit=5))
            store.stats()

    return run


def upkeep(store: Store) -> Callable[[], None]:
    """Consolidation at once, where the store has it, instead of bit by bit when idle."""
    consolidate = getattr(store, "consolidate", None)

    def run() -> None:
        while consolidate is not None:
            time.sleep(0.3)  # once begun it ends only where nothing is written: then nobody gets in
            consolidate()

    return run


if __name__ == "__main__":
    main(sys.argv[1:])
