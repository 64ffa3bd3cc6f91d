"""SIGKILL at random moments, under writes, deletions, searches and upkeep; then what is left.

    python -m bench kill [--kills 300] [--store DIR] [--seed 1] [--json]

A process holds the store, with several writers, one whose hours are soon compressed and held to a
budget, one that takes in archives, one that forgets, one that searches, and upkeep many times as
often as usual. It is killed after a random time: mostly while it works, sometimes while it
opens. The next one opens what is left, and compares it with a journal of what was acknowledged:
every observation there once or given up as the ledger says, nothing deleted back in any table or
byte of any file, episodes side by side and true to what they quote, every table and keyframe
readable, search finding. `ready` is from the start of that process to its first answer;
`open` what opening the store takes of that.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.kill_journal import Journal
from bench.table import report

OPENING = 0.15  # of the kills come while the store is being opened or compared
OPENED_WITHIN = 2.5  # seconds from the start of a process in which those kills come
WORKED = 2.0  # seconds of work before the others come, at most
PATIENCE = 300.0  # seconds for a process to open and compare


@dataclass
class Outcome:
    """What the processes said, all together."""

    kills: int = 0
    acknowledged: int = 0  # observations
    forgotten: int = 0  # moments
    checks: int = 0  # openings after a kill that were compared to the end
    faults: list[tuple[str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)  # processes that ended by themselves
    ready: list[float] = field(default_factory=list)  # seconds
    opened: list[float] = field(default_factory=list)  # seconds

    def row(self) -> dict[str, Any]:
        ready, opened = np.array(self.ready or [np.nan]), np.array(self.opened or [np.nan])
        counts = {
            name: sum(1 for kind, _ in self.faults if kind == name)
            for name in ("lost", "resurrected", "corrupt")
        }
        return {
            "kills": self.kills,
            "checks": self.checks,
            "acknowledged": self.acknowledged,
            "forgotten": self.forgotten,
            **counts,
            "failed": len(self.failures),
            "ready p50 s": float(np.percentile(ready, 50)),
            "ready p95 s": float(np.percentile(ready, 95)),
            "open p95 s": float(np.percentile(opened, 95)),
        }


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench kill`; exit status 1 when anything was lost or came back."""
    parser = argparse.ArgumentParser(prog="bench kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--store", type=Path, help="a folder that is kept, and may be used again")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="no table on standard output")
    given = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        folder = given.store or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        outcome = kill_often(folder, given.kills, random.Random(given.seed), tell=_progress)
    for kind, what in outcome.faults:
        print(f"{kind}: {what}", file=sys.stderr)
    for failure in outcome.failures:
        print(f"a process ended by itself: {failure}", file=sys.stderr)
    report("kill", [outcome.row()], given.json)
    if outcome.faults or outcome.failures:
        sys.exit(1)


def kill_often(folder: Path, kills: int, chance: random.Random, tell: Any = None) -> Outcome:
    """Kill that many processes on the store in the folder, then open it once more."""
    outcome = Outcome()
    folder.mkdir(parents=True, exist_ok=True)
    for life in range(kills + 1):
        last = life == kills
        opening = 0 < life < kills and chance.random() < OPENING
        after = chance.uniform(0, OPENED_WITHIN) if opening else chance.uniform(0, WORKED)
        seed = chance.randrange(2**31)
        _live(folder, seed, None if opening else after, after if opening else PATIENCE, outcome)
        outcome.kills += not last
        if tell is not None:
            tell(outcome)
    journal = Journal.read(folder / "journal.jsonl")
    outcome.acknowledged, outcome.forgotten = journal.acknowledged, len(journal.gone)
    return outcome


def _live(
    folder: Path, seed: int, after_check: float | None, after_start: float, outcome: Outcome
) -> None:
    """One process, from its start to its end: `after_start` seconds after it began, or, once it has
    compared, `after_check` seconds later, whichever comes first."""
    killed = (folder / "journal.jsonl").exists()
    arguments = [str(folder / "store"), str(folder / "journal.jsonl"), str(seed)]
    began = time.perf_counter()
    with (folder / "errors.txt").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.kill_load", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    timers = [threading.Timer(after_start, process.kill)]
    timers[0].start()
    assert process.stdout is not None
    for line in process.stdout:
        said = json.loads(line)
        if "ready" in said and killed:
            outcome.ready.append(time.perf_counter() - began)
            outcome.opened.append(said["ready"])
        elif "checked" in said:
            outcome.checks += killed
            outcome.faults += [(kind, what) for kind, what in said["faults"]]
            if after_check is not None:
                timers.append(threading.Timer(after_check, process.kill))
                timers[-1].start()
        elif "failed" in said:
            outcome.failures.append(said["failed"])
    status = process.wait()
    for timer in timers:
        timer.cancel()
    if status not in (-9, 3):
        outcome.failures.append(f"{status}: {(folder / 'errors.txt').read_text()[-2000:]}")
    elif after_check is not None and time.perf_counter() - began >= after_start:
        outcome.failures.append(f"not open within {after_start:.0f} s")


def _progress(outcome: Outcome) -> None:
    if outcome.kills % 10 == 0:
        print(json.dumps(outcome.row()), file=sys.stderr, flush=True)
