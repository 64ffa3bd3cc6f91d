"""Weeks of a stream under a budget for all of it: what the store weighs, and what it still tells.

    python -m bench weeks [--days 28] [--awake 8] [--every 60] [--budget 30] [--json]

The made-up hour of `bench memory`, thinned to a moment every `--every` seconds with its picture, is
looped through the waking hours of each day; every day one person says where they put a thing that
nobody else names. A row tells of the store after each week, once upkeep is done: `MB` all of it on
disk, `level` how many episodes of minutes, hours and days there are, `found` how many of the things
so far are among the first ten hits, by words alone. The last table asks of every seventh day what
happened on it: `told` how many quotes of that day the answer cites.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
import tempfile
import time
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.day import HOUR, STREAM, Day
from bench.plants import People
from bench.table import report
from memory.embedder import HashEmbedder
from memory.records import Query
from memory.store import Store
from perception.records import Moment, Observation
from reasoning import Agent, Answer, Question, ScriptedGenerator
from serve.services import InProcessMemory

DAY = 24 * HOUR
WEEK = 7
PLACES = "cellar attic pantry loft shed boathouse laundry".split()


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench weeks`."""
    parser = argparse.ArgumentParser(prog="bench weeks", description=__doc__)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--awake", type=int, default=8, help="hours of each day")
    parser.add_argument("--every", type=float, default=60.0, help="seconds between moments")
    parser.add_argument("--budget", type=float, default=30.0, help="MB for all of it")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--json", action="store_true", help="no table on standard output")
    given = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder), HashEmbedder(), budget_mb=given.budget) as store,
    ):
        rows = list(_live(store, given))
        report(f"weeks under {given.budget:g} MB, seed {given.seed}", rows, given.json)
        days = range(0, given.days, WEEK)
        asked = [asyncio.run(_asked(store, day)) for day in days]
        report("what happened on a day", asked, given.json)


def _live(store: Store, given: argparse.Namespace) -> Any:
    """Every day of it, and a row after each week."""
    rng = random.Random(given.seed)
    people = People(rng)
    hour = [
        (moment, shown[moment.keyframe or ""])
        for moments, shown in Day(1.0, [], people.names, given.seed).batches()
        for moment in moments
    ]
    step = max(1, round(given.every / (hour[1][0].start - hour[0][0].start)))
    things = [f"{rng.choice(people.names)} {_word(rng)}" for _ in range(given.days)]
    began = time.monotonic()
    for day in range(given.days):
        for n in range(given.awake):
            moments, shown = [], {}
            for moment, picture in islice(hour, n % step, None, step):
                at = day * DAY + n * HOUR
                content = picture + int(at).to_bytes(8, "big")  # another file than an hour ago
                digest = sha256(content).hexdigest()
                moments.append(replace(_moved(moment, at), keyframe=digest))
                shown[digest] = content
            if n == 1:
                name, thing = things[day].split()
                said = f"{name} has put the {thing} into the {PLACES[day % WEEK]}"
                moments[9] = _saying(moments[9], said)
            store.remember(STREAM, moments, shown)
        store._longterm.holding._weighed = -math.inf  # a day is longer than between two looks
        store.consolidate()
        print(f"day {day + 1} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        if (day + 1) % WEEK == 0:
            with store._upkeep.held_off():  # upkeep that would come in its time, now
                store._writer.call(store.maintenance.purge)
            yield _row(store, day + 1, things[: day + 1])


def _row(store: Store, days: int, things: list[str]) -> dict[str, Any]:
    took, found = [], 0
    for thing in things:
        began = time.perf_counter()
        hits = store.search(Query(f"Where is the {thing.split()[1]}?", limit=10))
        took.append((time.perf_counter() - began) * 1e3)
        found += any(thing.split()[1] in hit.observation.text for hit in hits)
    ledger = store.stats().ledger
    levels = store.tables.episodes.to_arrow()["level"].to_numpy()
    return {
        "days": days,
        "MB": store.place.bytes() / 1e6,
        "tables MB": store.place.bytes("tables") / 1e6,
        **{f"level {n}": int((levels == n).sum()) for n in (1, 2, 3)},
        "ledger rows": store.tables.ledger.count_rows(),
        "kept": ledger["kept_observations"],
        "given up": ledger["merged_observations"] + ledger["dropped_observations"],
        "outlived": ledger["outlived_episodes"],
        "found": f"{found} of {days}",
        "search p95 ms": float(np.percentile(took, 95)),
        "longest hold s": ledger["longest_hold_seconds"],
        "tier s": ledger["consolidation_seconds"],
    }


async def _asked(store: Store, day: int) -> dict[str, Any]:
    agent = Agent(InProcessMemory(lambda: store), ScriptedGenerator())
    question = Question("What happened today?", stream_id=STREAM.id, at=(day + 0.5) * DAY)
    answer = None
    async for event in agent.answer(question):
        if isinstance(event, Answer):
            answer = event
    assert answer is not None
    of_day = [c for c in answer.citations if day * DAY <= c.start < (day + 1) * DAY]
    return {"day": day + 1, "told": len(of_day), "answer": answer.answer[:160]}


def _moved(moment: Moment, by: float) -> Moment:
    observations = tuple(
        replace(o, start=o.start + by, end=o.end + by) for o in moment.observations
    )
    return replace(moment, start=moment.start + by, end=moment.end + by, observations=observations)


def _saying(moment: Moment, text: str) -> Moment:
    said = Observation(STREAM.id, "speech", moment.start + 1.0, moment.start + 4.0, text, "Ada")
    return replace(moment, observations=(*moment.observations, said))


def _word(rng: random.Random) -> str:
    """A thing that has no other name."""
    return "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(4))
