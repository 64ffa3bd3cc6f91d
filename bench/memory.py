"""Long-term memory: what is still found after a day, and what the day weighs, beside controls.

    python -m bench memory [--hours 24] [--budget 10] [--json]

A made-up day is fed at full speed: an hour of material looped, a picture every 7.5 s, and distinct
facts at growing distance from the end. Each fact is asked for once. Controls, in the same run:
the same store without a budget, the last four moments only, and plain BM25 + vector fused by
reciprocal rank over everything. `MB/hour` is the whole store on disk after upkeep, keyframes
included; `RSS` the slope of the process's memory over the hours after the first two.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import sys
import tempfile
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import models
from bench.day import HOUR, STREAM, Day, Plant, plants
from bench.recall import PlainBM25
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


@dataclass
class Outcome:
    """What one way of remembering gave."""

    found: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    search_ms: list[float] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)

    def ask(self, planted: Sequence[Plant], search: Callable[[Plant], Found]) -> None:
        for plant in planted:
            began = time.perf_counter()
            refs = list(search(plant))[:DEPTH]
            self.search_ms.append((time.perf_counter() - began) * 1e3)
            self.found[_distance(plant.distance)].append(plant.ref in refs)

    def row(self, name: str) -> dict[str, Any]:
        every = [one for found in self.found.values() for one in found]
        row: dict[str, Any] = {"method": name, f"found@{DEPTH}": float(np.mean(every))}
        row.update({where: float(np.mean(found)) for where, found in self.found.items()})
        row["search p95 ms"] = float(np.percentile(self.search_ms, 95))
        return {**row, **self.costs}


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench memory`."""
    parser = argparse.ArgumentParser(prog="bench memory", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="length of the day")
    parser.add_argument("--budget", type=float, default=10.0, help="MB per stream-hour")
    parser.add_argument("--each", type=int, default=10, help="facts at each distance")
    parser.add_argument("--seed", type=int, default=None, help="default: another day every time")
    parser.add_argument("--hash", action="store_true", help="a fake embedder: no weights needed")
    parser.add_argument("--json", action="store_true", help="no table on standard output")
    given = parser.parse_args(arguments)
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    real = HashEmbedder() if given.hash else MiniLM(models.locate("minilm"))
    embedder = Cached(real)
    distances = [at for at in _distances(given.hours) if at <= given.hours * HOUR]
    planted = plants(random.Random(seed), distances, given.each)
    day = Day(given.hours, planted, seed)
    rows = [
        remembered(day, embedder, given.budget).row(f"Lookback, {given.budget:g} MB per hour"),
        remembered(day, embedder, None).row("keep everything"),
        *(outcome.row(name) for name, outcome in plain(day, embedder).items()),
    ]
    kept = rows[0][f"found@{DEPTH}"] / max(rows[1][f"found@{DEPTH}"], 1e-9)
    _say(f"seed {seed}: found {kept:.3f} times as often as by keeping everything")
    report(f"memory after {given.hours:g} hours", rows, given.json)


def remembered(day: Day, embedder: Embedder, budget: float | None) -> Outcome:
    """A store that the whole day is fed to, held to a budget or not."""
    outcome = Outcome()
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder), embedder, budget_mb_per_hour=budget) as store,
    ):
        rss = _feed(day, store, "held to a budget" if budget else "everything kept")
        spent = store.stats().ledger
        hours = day.seconds / HOUR
        store._writer.call(store.maintenance.purge)  # upkeep that would come in its time, now
        outcome.ask(day.planted, lambda plant: _searched(store, plant))
        stats = store.stats()
        size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
        outcome.costs = {
            "MB/hour": size / hours / 1e6,
            "keyframes/hour": stats.keyframes / hours,
            "rows/hour": stats.observations / hours,
            "tier s/hour": spent["consolidation_seconds"] / hours,
            "longest slice s": spent["longest_slice_seconds"],
            "RSS MB/hour": _slope(rss),
        }
    return outcome


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
            _say(f"{what}: {end / HOUR:4.1f} h in {time.monotonic() - began:5.1f} s")
    return rss


def _searched(store: Store, plant: Plant) -> Found:
    hits = store.search(Query(plant.question, DEPTH, STREAM.id))
    return [hit.observation.ref for hit in hits]


def plain(day: Day, embedder: Embedder) -> dict[str, Outcome]:
    """Controls that are no memory: the last moments, and hybrid search over all there was."""
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
