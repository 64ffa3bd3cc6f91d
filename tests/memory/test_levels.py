"""Of a stream of days under a budget: what of the levels is left, counted, found and forgotten."""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import shutil
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from memory.embedder import HashEmbedder
from memory.holding import Holding
from memory.levels import Levels
from memory.records import Episode, Query, Selection
from memory.store import Store
from perception.records import Moment
from tests.memory.episodic import content_of, remember, said_in, talk
from tests.memory.storing import stream

pytestmark = pytest.mark.unit

DAY = 4 * 86_400.0  # every fourth one
DAYS = 3
BUDGET = 0.25  # MB; the days take three times as much
COUNTED = ("kept", "merged", "dropped")


def of_day(day: int) -> list[Moment]:
    """Six hours in which there is a moment every four and a half minutes; a topic for an hour and a half."""
    found: list[Moment] = []
    for n in range(4):
        begin = day * DAY + n * 5400.0
        found += talk(begin, 5400.0, n, every=270.0, pictures=n % 2 == 0, seed=n)
    return found


def planted() -> list[list[Moment]]:
    days = [of_day(day) for day in range(DAYS)]
    days[0][3] = said_in(days[0][3], "The Mirabel parcel 4471 is in Hall 9 at 10 with Oriel")
    days[0][4] = said_in(days[0][4], "The valve is at 12 bar")
    days[0][5] = said_in(days[0][5], "The valve is at 15 bar")
    return days


def hold(store: Store) -> None:
    store._longterm.holding._weighed = -math.inf  # as if a minute had passed
    store.consolidate()


def fed(path: Path) -> Store:
    store = Store(path, HashEmbedder(), budget_mb=BUDGET)
    for day in planted():
        remember(store, day, batch=90)
        hold(store)
    return store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("levels") / "store"
    fed(path).close()
    return path


@pytest.fixture
def path(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "kept"))


@pytest.fixture
def kept(path: Path) -> Iterator[Store]:
    with Store(path, HashEmbedder(), budget_mb=BUDGET) as store:
        yield store


def own(store: Store, level: int) -> list[Episode]:
    return [e for e in store.episodes("cam", level=level) if e.level == level]


def test_old_minutes_are_outlived_by_hours_and_those_by_days(kept: Store) -> None:
    minutes, hours, days = (own(kept, level) for level in (1, 2, 3))
    assert len(days) >= DAYS - 1
    assert days[0].alone
    assert any(hour.alone for hour in hours)
    assert min(e.start for e in minutes) > max(e.start for e in hours if e.alone)
    assert min(e.start for e in hours) >= max(e.end for e in days if e.alone)
    assert max(e.end for e in minutes) > (DAYS - 1) * DAY
    everything = [q for day in days for q in day.quotes]
    assert any("4471" in q.observation.text for q in everything)


def test_the_store_keeps_to_its_bytes_level_by_level(kept: Store) -> None:
    with kept._upkeep.held_off():
        kept._writer.call(kept.maintenance.purge)
    assert kept.place.bytes() < 1.25e6 * BUDGET


def test_what_is_asked_of_a_level_that_is_no_more_is_told_by_the_one_above(kept: Store) -> None:
    told = kept.episodes("cam", 0.0, DAY / 2, level=1)
    assert [e.level for e in told] == [3] * len(told) != []
    assert told == kept.episodes("cam", 0.0, DAY / 2, level=2)
    spans = [(e.start, e.end) for e in kept.episodes("cam", level=1)]
    assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:], strict=False))


def test_its_quotes_are_found_and_shown(kept: Store) -> None:
    (hit,) = kept.search(Query("Mirabel parcel 4471", limit=1))
    assert hit.outlived
    assert "4471" in kept.moment(hit.moment_id).text


def test_every_observation_is_accounted_for_and_old_days_in_one_row(kept: Store) -> None:
    ledger = kept.stats().ledger
    accounted = [row for row in kept._ledger.hours().values()]
    last = max(row["hour"] + row["hours"] for row in accounted) * 3600.0
    given = sum(len(m.observations) for day in planted() for m in day if m.start < last)
    assert sum(ledger[f"{how}_observations"] for how in COUNTED) == given
    assert accounted[0]["hours"] == 24
    assert ledger["outlived_episodes"] > 50
    assert ledger["outlived_bytes"] >= 5_000 * ledger["outlived_episodes"]
    assert sum(span.count for span in kept.dropped("cam")) == ledger["dropped_observations"]
    assert kept.dropped("cam", 0.0, DAY, "harbour crane")


def test_an_alone_episode_keeps_its_picture_and_no_fact_that_does_not_hold(kept: Store) -> None:
    shown = [e for e in kept.episodes("cam") if e.alone and e.keyframes]
    assert shown
    for episode in shown:
        (digest,) = episode.keyframes
        assert kept.keyframe(kept.showing("cam", [digest])[digest])
    assert not any("12 bar" in fact.text for fact in kept.facts("valve", history=True))


def test_feeding_all_again_changes_nothing_also_after_opening_again(path: Path) -> None:
    said = []
    for _ in range(3):
        with Store(path, HashEmbedder(), budget_mb=BUDGET) as store:
            store.consolidate()
            said.append(said_by(store))
            for day in planted():
                remember(store, day, batch=90)
            store.consolidate()
            said.append(said_by(store))
    assert said == said[:1] * 6


def said_by(store: Store) -> object:
    ledger = store.stats().ledger
    accounts = {k: v for k, v in ledger.items() if k.startswith((*COUNTED, "streams", "outlived"))}
    levels = [store.episodes("cam", level=level) for level in (1, 2, 3)]
    return accounts, levels, store.timeline("cam"), store.dropped("cam")


def test_an_archive_of_it_is_taken_in_whole_and_into_itself_without_change(
    kept: Store, tmp_path: Path
) -> None:
    rows, moments = kept.rows("cam"), kept.timeline("cam")
    before = said_by(kept)
    kept.add_rows("cam", rows)
    assert said_by(kept) == before
    with Store(tmp_path, HashEmbedder()) as other:
        other.remember(stream(), [], {})
        other.add_rows("cam", rows)
        pictures = {m.keyframe: content_of(m.start) for m in moments if m.keyframe}
        other.remember(stream(), moments, pictures)
        assert other.timeline("cam") == moments
        other.consolidate()
        for level in (1, 2, 3):
            both = [one.episodes("cam", level=level) for one in (other, kept)]
            spans = [[(e.id, e.end, e.children, e.alone) for e in own] for own in both]
            assert spans[0] == spans[1]
            alone = [[e for e in own if e.alone] for own in both]
            assert alone[0] == alone[1]


def test_the_budget_also_holds_where_the_details_of_an_archive_are(
    kept: Store, tmp_path: Path
) -> None:
    """What stands alone in one store takes no place in another that holds more of that time."""
    with Store(tmp_path, HashEmbedder()) as other:
        remember(other, planted()[0])
        other.consolidate()
        before = other.episodes("cam")
        other.add_rows("cam", kept.rows("cam"))
        assert [e for e in other.episodes("cam") if e.end < DAY / 2] == [
            e for e in before if e.end < DAY / 2
        ]
        ledger = other._ledger.hours()
        covered = [
            h for _, hour in ledger for h in range(hour, hour + ledger["cam", hour]["hours"])
        ]
        assert sorted(set(covered)) == sorted(covered)


def test_a_span_of_what_stands_alone_is_forgotten_for_good(kept: Store) -> None:
    day = own(kept, 3)[0]
    half = day.end / 2
    pictures = [d for d in day.keyframes if kept.showing("cam", [d])]
    kept.forget(Selection(stream_id="cam", start=0.0, end=half))
    left = own(kept, 3)[0]
    assert (left.end, left.id) == (day.end, day.id)
    assert all(q.observation.start >= half for q in left.quotes)
    assert left.quotes
    assert not kept.search(Query("Mirabel parcel 4471", limit=1))[0].coverage > 0.5
    words = [b"Mirabel", b"4471", b"Oriel", *(d.encode() for d in pictures)]
    files = [path for path in kept.path.rglob("*") if path.is_file()]
    assert not [f for f in files if any(w in f.read_bytes() for w in words)]
    remember(kept, planted()[0])
    kept.consolidate()
    assert kept.timeline("cam", 0.0, half - 1.0) == []
    kept.forget(Selection(stream_id="cam", start=0.0, end=day.end))
    assert day.id not in {e.id for e in own(kept, 3)}
    kept.forget(Selection(stream_id="cam"))
    assert kept.streams() == []
    assert kept.tables.episodes.count_rows() == kept.tables.ledger.count_rows() == 0


def test_the_picture_that_stands_for_a_day_can_be_pinned(kept: Store) -> None:
    """Its moment is noted as written, and belongs to no episode of minutes."""
    (digest,) = own(kept, 3)[0].keyframes
    before = kept.episodes("cam")
    kept.pin([kept.showing("cam", [digest])[digest]])
    kept.consolidate()
    assert kept.episodes("cam") == before


def test_what_is_pinned_keeps_its_minutes(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder(), budget_mb=BUDGET) as store:
        store._longterm.holding.total = 120_000
        for number, day in enumerate(planted()[:2]):
            remember(store, day, batch=90)
            if number == 0:
                store.pin([day[3].id])
            hold(store)
        moment = planted()[0][3]
        assert store.moment(moment.id) == moment
        assert any(moment.id in e.children for e in own(store, 1))
        assert any(e.alone for level in (2, 3) for e in own(store, level))
        store.pin([moment.id], pinned=False)
        store._longterm.holding.total = 60_000
        hold(store)
        assert store.moment(moment.id) != moment


def test_standing_alone_that_fails_midway_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Levels._account
    failing: list[object] = []

    def torn(levels: Levels, *given: object) -> None:
        account(levels, *given)  # type: ignore[arg-type]  # as they came
        if len(failing) < 2:
            failing.append(given)
            raise RuntimeError("the disk failed")

    monkeypatch.setattr(Levels, "_account", torn)
    with Store(tmp_path, HashEmbedder(), budget_mb=BUDGET) as store:
        store._longterm.holding.total = 100_000
        for day in planted()[:2]:
            remember(store, day, batch=90)
            for _ in range(4):
                before = {e.id for level in (1, 2, 3) for e in own(store, level)}
                known = len(failing)
                try:
                    hold(store)
                except Exception:
                    left = {e.id for level in (1, 2, 3) for e in own(store, level)}
                    assert not any(e.alone for e in store.episodes("cam"))
                    assert before <= left
                if len(failing) == known:
                    break
        assert len(failing) == 2
        assert any(e.alone for e in store.episodes("cam"))
    assert isinstance(store._longterm.holding, Holding)


def until_killed(path: Path, budget: float, pipe: Connection) -> None:
    with Store(path, HashEmbedder(), budget_mb=budget) as store:
        pipe.send("open")
        while True:
            hold(store)


@pytest.mark.soak
def test_killed_at_any_time_every_level_is_whole(tmp_path: Path) -> None:
    given = [moment for day in planted() for moment in day]
    with Store(tmp_path, HashEmbedder()) as store:
        remember(store, given)
        store.consolidate()
    spawn, chance = multiprocessing.get_context("spawn"), random.Random(4)
    for _ in range(16):
        ours, theirs = spawn.Pipe()
        child = spawn.Process(target=until_killed, args=(tmp_path, 0.1, theirs))
        child.start()
        assert ours.poll(60)
        threading.Event().wait(chance.uniform(0.3, 3.0))
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join(60)
        with Store(tmp_path, HashEmbedder()) as store:
            check_whole(store, given)
            alone = [sum(e.alone for e in own(store, level)) for level in (2, 3)]
    assert min(alone) > 0, alone


def check_whole(store: Store, given: list[Moment]) -> None:
    ledger = store._ledger.hours()
    for row in ledger.values():
        begin, end = row["hour"] * 3600.0, (row["hour"] + row["hours"]) * 3600.0
        count = sum(len(m.observations) for m in given if begin <= m.start < end)
        assert sum(row[f"{how}_observations"] for how in COUNTED) == count
    levels = {level: own(store, level) for level in (1, 2, 3)}
    for level in (1, 2, 3):
        told = store.episodes("cam", level=level)
        assert all(one.end <= other.start for one, other in zip(told, told[1:], strict=False))
    for level in (2, 3):
        below = {e.id for e in levels[level - 1]}
        assert all(e.alone or set(e.children) <= below for e in levels[level])
    for moment in store.timeline("cam"):
        assert moment.keyframe is None or store.keyframe(moment.id)
    assert store.search(Query("the harbour crane", limit=3))
