"""Long-term memory: what is still found after a day, and what the day weighs, beside controls.

    python -m bench memory [--hours 24] [--budget 10 --budget 3 --budget 1] [--rows 10000] [--json]

A made-up day is fed at full speed: an hour of material looped, a picture every 7.5 s, and facts at
growing distance from the end, each among others that it is easily taken for (`plants.py`). Each is
asked for once, in other words. Controls, in the same run: the same store without a budget, the last
four moments only, and plain BM25 + vector fused by reciprocal rank over everything. Every way has a
process of its own. `MB/hour` is the whole store on disk after upkeep, keyframes included, `bytes/row`
all tables by observation; `RSS` the slope of the process's memory over the hours after the first two;
`found@1` the share of facts that come before all they are taken for. Then, for each `--rows`, how long
a search takes among that many observations while ten a second come in (`bench search` has the control).
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import models
from bench.day import HOUR, STREAM, Day
from bench.plants import People, Plant, plants
from bench.recall import PlainBM25
from bench.search import measured
from bench.table import report
from memory.embedder import Embedder, HashEmbedder, MiniLM, Vectors
from memory.records import Query
from memory.store import Store
from perception.records import Moment

DEPTH = 10
NEAR = (180.0, 600.0, 1800.0)
FAR_HOURS = (1, 3, 6, 12, 24)
LAST = 4  # moments
TEXTS_CACHED = 20_000
PAGE = os.sysconf("SC_PAGE_SIZE")

Found = Sequence[str | None]


class Cached:
    """An embedder that looks up what it has embedded: the day repeats its hour."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: OrderedDict[str, Any] = OrderedDict()
        self.name, self.dimension = embedder.name, embedder.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        unknown = list(dict.fromkeys(text for text in texts if text not in self._known))
        if unknown:
            self._known.update(zip(unknown, self._embedder.embed(unknown), strict=True))
        rows = np.stack([self._known[text] for text in texts]) if texts else np.empty((0, 384))
        while len(self._known) > TEXTS_CACHED:
            self._known.popitem(last=False)
        return rows.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Setting:
    """From which each process makes the same day."""

    hours: float
    each: int
    seed: int
    hashed: bool

    def day(self) -> Day:
        rng = random.Random(self.seed)
        people = People(rng)
        distances = [at for at in _distances(self.hours) if at <= self.hours * HOUR]
        planted = plants(rng, people, distances, self.each)
        return Day(self.hours, planted, people.names, self.seed)

    def embedder(self) -> Cached:
        return Cached(HashEmbedder() if self.hashed else MiniLM(models.locate("minilm")))


@dataclass
class Outcome:
    """What one way of remembering gave."""

    found: list[tuple[Plant, bool, bool]] = field(default_factory=list)  # among DEPTH; as the first
    search_ms: list[float] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)

    def ask(self, planted: Sequence[Plant], search: Callable[[Plant], Found]) -> None:
        for plant in planted:
            if plant.ref is None:
                continue
            began = time.perf_counter()
            refs = list(search(plant))[:DEPTH]
            self.search_ms.append((time.perf_counter() - began) * 1e3)
            self.found.append((plant, plant.ref in refs, plant.ref in refs[:1]))

    def row(self, name: str) -> dict[str, Any]:
        row: dict[str, Any] = {"method": name, f"found@{DEPTH}": self.share}
        row["found@1"] = float(np.mean([first for _, _, first in self.found]))
        for label in (lambda p: _distance(p.distance), lambda p: p.form):
            groups: dict[str, list[bool]] = defaultdict(list)
            for plant, found, _ in self.found:
                groups[label(plant)].append(found)
            row.update({where: float(np.mean(found)) for where, found in groups.items()})
        row["search p95 ms"] = float(np.percentile(self.search_ms, 95))
        return {**row, **self.costs}

    @property
    def share(self) -> float:
        return float(np.mean([found for _, found, _ in self.found]))


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench memory`."""
    parser = argparse.ArgumentParser(prog="bench memory", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="length of the day")
    parser.add_argument(
        "--budget", type=float, action="append", help="MB per stream-hour [10, 3, 1]"
    )
    parser.add_argument("--each", type=int, default=10, help="facts at each distance")
    parser.add_argument("--seed", type=int, default=None, help="default: another day every time")
    parser.add_argument("--hash", action="store_true", help="a fake embedder: no weights needed")
    parser.add_argument("--rows", type=int, action="append", help="[10000, 100000]; 0: no search")
    parser.add_argument("--json", action="store_true", help="no table on standard output")
    given = parser.parse_args(arguments)
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    setting = Setting(given.hours, given.each, seed, given.hash)
    budgets = given.budget or [10.0, 3.0, 1.0]
    outcomes = {
        **{f"Lookback, {b:g} MB per hour": alone(remembered, setting, b) for b in budgets},
        "keep everything": alone(remembered, setting, None),
        **alone(plain, setting),
    }
    everything = outcomes["keep everything"].share
    for name, outcome in outcomes.items():
        often = outcome.share / max(everything, 1e-9)
        _say(f"seed {seed}: {name}: found {often:.3f} times as often as by keeping everything")
    rows = [outcome.row(name) for name, outcome in outcomes.items()]
    report(f"memory after {given.hours:g} hours", rows, given.json)
    sizes = [size for size in given.rows or (10_000, 100_000) if size]
    if sizes:
        report("search while writing", [alone(searched, setting, n) for n in sizes], given.json)


def alone(work: Callable[..., Any], *given: Any) -> Any:
    """What `work` returns in a process of its own, where nothing else takes memory."""
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # as the deployments do
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        return process.submit(work, *given).result()


def remembered(setting: Setting, budget: float | None) -> Outcome:
    """A store that the whole day is fed to, held to a budget or not."""
    outcome, day, embedder = Outcome(), setting.day(), setting.embedder()
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder), embedder, budget_mb_per_hour=budget) as store,
    ):
        rss = _feed(day, store, f"{budget:g} MB per hour" if budget else "everything kept")
        spent = store.stats().ledger
        hours = day.seconds / HOUR
        with store._upkeep.held_off():  # upkeep that would come in its time, now
            store._writer.call(store.maintenance.purge)
        outcome.ask(day.planted, lambda plant: _searched(store, plant))
        stats = store.stats()
        size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
        outcome.costs = {
            "MB/hour": size / hours / 1e6,
            "keyframes/hour": stats.keyframes / hours,
            "rows/hour": stats.observations / hours,
            "bytes/row": store.place.bytes("tables") / max(1, stats.observations),
            "tier s/hour": spent["consolidation_seconds"] / hours,
            "longest slice s": spent["longest_slice_seconds"],
            "longest hold s": spent["longest_hold_seconds"],
            "RSS MB/hour": _slope(rss),
        }
    return outcome


def searched(setting: Setting, size: int) -> dict[str, Any]:
    """How long a search takes among that many observations while ten a second come in."""
    with tempfile.TemporaryDirectory() as folder:
        return measured(Path(folder), size, 200, 10.0, setting.embedder(), False)[0]


def _feed(day: Day, store: Store, what: str) -> list[tuple[float, float]]:
    """Every hour of stream, its memory in MB after it."""
    rss = []
    began = time.monotonic()
    for moments, keyframes in day.batches():
        store.remember(STREAM, moments, keyframes)
        end = moments[-1].end
        if end % HOUR == 0 or end >= day.seconds:
            store.consolidate()
            _trim()
            rss.append((end / HOUR, _resident()))
            took = time.monotonic() - began
            _say(f"{what}: {end / HOUR:4.1f} h in {took:5.1f} s, {rss[-1][1]:.0f} MB")
    return rss


def _searched(store: Store, plant: Plant) -> Found:
    hits = store.search(Query(plant.question, DEPTH, STREAM.id))
    return [hit.observation.ref for hit in hits]


def plain(setting: Setting) -> dict[str, Outcome]:
    """Controls that are no memory: the last moments, and hybrid search over all there was."""
    day, embedder = setting.day(), setting.embedder()
    texts: list[str] = []
    refs: list[str | None] = []
    last: list[Moment] = []
    for moments, _ in day.batches():
        last = [*last, *moments][-LAST:]
        for moment in moments:
            for seen in moment.observations:
                texts.append(f"{seen.speaker}: {seen.text}" if seen.speaker else seen.text)
                refs.append(seen.ref)
    _say(f"plain retrieval over {len(texts)} observations")
    lexical, vectors = PlainBM25(texts), embedder.embed(texts)

    def fused(plant: Plant) -> Found:
        by_meaning = vectors @ embedder.embed([plant.question])[0]
        score = 1 / (60 + _ranks(lexical.scores(plant.question))) + 1 / (60 + _ranks(by_meaning))
        return [refs[at] for at in np.argsort(-score, kind="stable")[:DEPTH]]

    outcomes = {"last four moments": Outcome(), "BM25 + vector": Outcome()}
    recent = [seen.ref for moment in last for seen in moment.observations]
    outcomes["last four moments"].ask(day.planted, lambda _: recent)
    outcomes["BM25 + vector"].ask(day.planted, fused)
    return outcomes


def _distances(hours: float) -> list[float]:
    far = [hour * HOUR - 60.0 for hour in FAR_HOURS if hour <= hours]
    return [*NEAR, *far]


def _distance(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < HOUR - 120 else f"{(seconds + 60) / HOUR:.0f} h"


def _ranks(scores: Any) -> Any:
    return np.argsort(np.argsort(-scores, kind="stable"), kind="stable") + 1


def _slope(rss: Sequence[tuple[float, float]]) -> float:
    """MB an hour, by least squares over what follows the first two hours."""
    later = [point for point in rss if point[0] > 2] or list(rss)
    if len(later) < 2:
        return float("nan")
    at, size = np.array(later).T
    return float(np.polyfit(at, size, 1)[0])


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * PAGE / 1e6


def _trim() -> None:
    """As the deployments do: freed memory goes back to the machine."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
