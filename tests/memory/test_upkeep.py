"""Upkeep goes on beside the writer: commits, pins and answers do not wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lancedb.table import LanceTable

from memory.embedder import HashEmbedder
from memory.giving import Giving
from memory.maintenance import fragments
from memory.records import Query, Selection
from memory.store import Store
from memory.upkeep import Upkeep
from memory.writer import PACE, GroupWriter
from perception.records import Observation
from tests.memory.episodic import remember, talk
from tests.memory.storing import moment, stream

pytestmark = pytest.mark.unit

SECONDS = 30.0
HOURS = [m for n in range(18) for m in talk(n * 250.0, 250.0, n % 4, every=30.0, seed=n)]


class Held:
    """Stops whoever calls it until it is let go."""

    def __init__(self) -> None:
        self.reached, self.released = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.released.wait(SECONDS)


def beside(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_write_a_search_and_a_pin_do_not_wait_for_a_compaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, real = Held(), LanceTable.optimize

    def slow(table: LanceTable, **how: Any) -> None:
        held()
        real(table, **how)

    with Store(tmp_path, HashEmbedder()) as store:
        for number in range(4):
            store.remember(stream(), [moment(number)], {})
        monkeypatch.setattr(LanceTable, "optimize", slow)
        tables = list(store.tables.all())

        def compact() -> None:
            with store._upkeep.held_off():
                store.maintenance.run(tables, prune=True)

        compacting = beside(compact)
        assert held.reached.wait(SECONDS)
        store.remember(stream(), [moment(4)], {})
        store.pin([moment(4).id])
        assert store.search(Query("crate 4 part"))[0].moment_id == moment(4).id
        held.released.set()
        compacting.join(SECONDS)
        assert not compacting.is_alive()
        assert store.timeline("cam") == [moment(n) for n in range(5)]


def test_compaction_uses_handles_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handle that was compacted by while rows were merged by it showed the version before the
    merge; that was sealed, and a crash went back to it."""
    used: list[LanceTable] = []
    real = LanceTable.optimize

    def noted(table: LanceTable, **how: Any) -> None:
        used.append(table)
        real(table, **how)

    with Store(tmp_path, HashEmbedder()) as store:
        for number in range(15):
            store.remember(stream(), [moment(number)], {})
        tables = list(store.tables.all())
        monkeypatch.setattr(LanceTable, "optimize", noted)
        with store._upkeep.held_off():
            store.maintenance.run(tables, prune=False)
        assert len(used) == len(tables)
        assert not any(one is shared for one in used for shared in tables)
        newest = store.tables.db.open_table("observations").version
        assert store.tables.observations.version == newest
        assert fragments(store.tables.observations) == 1


@pytest.mark.parametrize("written", [True, False])
def test_what_is_pinned_or_written_while_its_hour_is_weighed_is_not_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """The hour is weighed again: what was decided before knew nothing of it."""
    held, real = Held(), Giving.give

    def slow(giving: Giving, *given: Any) -> set[str]:
        held()
        return real(giving, *given)

    monkeypatch.setattr(Giving, "give", slow)
    with Store(tmp_path, HashEmbedder(), budget_mb_per_hour=0.002) as store:
        remember(store, HOURS)
        chosen = HOURS[7]
        thinning = beside(store.consolidate)
        assert held.reached.wait(SECONDS)
        if written:
            bell = Observation("cam", "sound", chosen.start, chosen.end, "bell")
            later = replace(chosen, observations=(*chosen.observations, bell))
            store.remember(stream(), [later], {})
        store.pin([chosen.id])
        held.released.set()
        thinning.join(SECONDS)
        assert not thinning.is_alive()
        kept = store.moment(chosen.id)
        assert {o.kind for o in kept.observations} >= {"speech", "vision"}
        assert len(kept.observations) == 3 if written else kept == chosen
        assert store.stats().ledger["dropped_observations"] > 0


def test_forgetting_writes_anew_only_the_fragments_that_held_it(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder()) as store:
        observations = store.tables.observations
        with store._upkeep.held_off():
            for number in range(3):
                store.remember(stream(), [moment(n) for n in range(number * 9, number * 9 + 9)], {})
            assert fragments(observations) == 3
            store._writer.call(lambda: observations.delete(f"moment_id = '{moment(10).id}'"))
            assert len(store.maintenance._thinned_fragments(observations)) == 1
            store.forget(Selection(moment_ids=(moment(2).id,)))
            assert store.maintenance._thinned_fragments(observations) == []
        assert observations.count_rows() == 3 * 25


def test_rows_that_compaction_moves_while_search_takes_them_in_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows were no longer where they had been seen, and the search failed."""
    real = LanceTable.take_row_ids
    moves = iter([True])

    def late(table: LanceTable, row_ids: list[int]) -> Any:
        if next(moves, False):
            table.optimize()
        return real(table, row_ids)

    with Store(tmp_path, HashEmbedder()) as store, store._upkeep.held_off():
        store.remember(stream(), [moment(0)], {})
        monkeypatch.setattr(LanceTable, "take_row_ids", late)
        for number in range(1, 4):
            store._remembering.commit([store._remembering.prepare(stream(), [moment(number)], {})])
        store._search.sync()
        hits = store.search(Query("crate part", limit=50))
        assert {hit.moment_id for hit in hits} == {moment(n).id for n in range(4)}


def test_what_keeps_failing_is_said_once_and_again_after_it_went_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcomes = iter(["full", "full", "", "full", "read-only"])
    all_done = threading.Event()

    def idle() -> Iterator[None]:
        outcome = next(outcomes, None)
        if outcome is None:
            all_done.set()
            return
        upkeep.wake()
        if outcome:
            raise OSError(outcome)
        yield

    upkeep = Upkeep(idle)
    upkeep.wake()
    writer: GroupWriter[None] = GroupWriter(lambda batches: None, lambda: None, lambda: None)
    upkeep.start(writer)
    assert all_done.wait(SECONDS)
    upkeep.close()
    writer.close()
    said = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    assert said == ["full", "full", "read-only"]


def test_commits_are_paced_while_several_write_at_once() -> None:
    began: list[tuple[float, list[str]]] = []
    several = threading.Event()

    def commit(batches: list[str]) -> None:
        began.append((time.monotonic(), batches))
        several.wait(60)

    writer: GroupWriter[str] = GroupWriter(commit, lambda: None, lambda: None)
    with ThreadPoolExecutor(4) as senders:
        first = senders.submit(writer.write, "a")
        others = [senders.submit(writer.write, one) for one in "bcd"]
        while len(began) < 1 or sum(len(b) for _, b in began) + writer._jobs.qsize() < 4:
            assert not any(sent.done() for sent in (first, *others))
        several.set()
    writer.write("e")
    (_, together), (last, alone) = began[-2:]
    assert sorted(batch for _, batches in began for batch in batches) == list("abcde")
    assert len(together) > 1
    assert alone == ["e"]
    assert last - began[-2][0] >= PACE * 0.99
    writer.close()


def test_whoever_writes_alone_does_not_wait() -> None:
    began: list[float] = []
    writer: GroupWriter[str] = GroupWriter(
        lambda _: began.append(time.monotonic()), lambda: None, lambda: None
    )
    for number in range(40):
        writer.write("ab"[number % 2])
    gaps = [later - earlier for earlier, later in pairwise(began)]
    assert sum(gap < PACE for gap in gaps) > len(gaps) / 2
    writer.close()
