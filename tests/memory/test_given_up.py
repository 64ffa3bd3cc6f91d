"""What was given up, beside the rest: versions, corrections, facts, ages, archives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from memory.asof import AsOf
from memory.embedder import HashEmbedder
from memory.records import Query, Selection
from memory.retention import Retention
from memory.store import Store
from serve.services import InProcessMemory
from tests.memory.episodic import remember, said_in, talk
from tests.memory.storing import BEGAN, stream

pytestmark = pytest.mark.unit

# An hour and a quarter of talk, of which the first hour has to become small.
HOURS = [m for n in range(18) for m in talk(n * 250.0, 250.0, n % 4, every=30.0, seed=n)]
BUDGET = 0.0004  # MB: less than one observation, so that of what may go nothing stays
KEY = HOURS[30]
HOURS[30] = said_in(KEY, "Helen 4471 is in the blue tin.")
HOURS[31] = said_in(HOURS[31], "That's Elin, not Helen.")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", HashEmbedder(), budget_mb_per_hour=BUDGET) as opened:
        remember(opened, HOURS)
        opened.consolidate()
        assert KEY.id not in {m.id for m in opened.timeline("cam")}
        yield opened


def outlived(store: Store) -> set[str]:
    return {q.id for e in store.episodes("cam") for q in e.quotes if q.outlived}


def test_a_quote_is_put_right_and_found_by_the_right_name(store: Store) -> None:
    hits = store.search(Query("Elin 4471", stream_id="cam"))
    (hit,) = (hit for hit in hits if hit.moment_id == KEY.id)
    assert hit.outlived
    assert "Helen" in hit.observation.text
    assert "Elin" in (hit.corrected or "")


def test_as_of_a_time_only_what_had_ended_then(store: Store) -> None:
    async def look() -> None:
        memory = InProcessMemory(lambda: store)
        version = store.snapshot().version
        for until in (800.0, 2000.0):
            then = AsOf(memory, version, BEGAN + timedelta(seconds=until))
            given = [e for e in await memory.episodes("cam") if e.end <= until]
            assert await then.episodes("cam") == given != []
            gone = [s for s in await memory.dropped("cam") if s.end <= until]
            assert await then.dropped("cam") == gone
            hits = await then.search(Query("4471 blue tin"))
            assert any("4471" in h.observation.text for h in hits) == (until > KEY.end)
        assert await AsOf(memory, version).episodes("cam") == await memory.episodes("cam")

    asyncio.run(look())


def test_a_quote_is_not_seen_at_a_version_before_its_stream_came_so_far(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder(), budget_mb_per_hour=BUDGET) as store:
        remember(store, HOURS[:20])
        early = store.snapshot().version
        remember(store, HOURS[20:])
        late = store.snapshot().version
        store.consolidate()
        store.remember(stream("other"), talk(0.0, 60.0, 1, stream_id="other"), {})
        for version, seen in ((early, False), (late, True), (None, True)):
            hits = store.search(Query("4471 blue tin", version=version))
            assert any("4471" in h.observation.text for h in hits) == seen


def test_facts_of_it_go_with_the_name_in_them(store: Store) -> None:
    assert any("4471" in fact.text for fact in store.facts())
    assert KEY.id in store.mentions("4471")
    store.forget(Selection(entity="4471"))
    assert not any("4471" in fact.text for fact in store.facts())
    assert not any("4471" in h.observation.text for h in store.search(Query("4471 tin")))
    assert store.mentions("4471") == []


def test_what_an_old_moment_left_expires(store: Store) -> None:
    then = BEGAN + timedelta(days=1, seconds=1500.0)
    retention = Retention(store.tables, store._forgetting.forget, timedelta(days=1), lambda: then)
    store._writer.call(retention.run)
    assert not any("4471" in fact.text for fact in store.facts())
    assert min(m.end for m in store.timeline("cam")) > 1500.0
    for episode in store.episodes("cam"):
        assert all(q.observation.end > 1500.0 for q in episode.quotes)


def test_an_archive_carries_pins_episodes_and_the_ledger(store: Store, tmp_path: Path) -> None:
    kept = store.timeline("cam")
    store.pin([kept[0].id])
    with Store(tmp_path / "other", HashEmbedder(), budget_mb_per_hour=BUDGET) as other:
        other.remember(stream(), [], {})
        other.add_rows("cam", store.rows("cam"))
        other.remember(stream(), kept, {})
        other.consolidate()
        assert other.pinned([kept[0].id]) == {kept[0].id}
        assert outlived(other) == outlived(store) != set()
        spans = [[(e.id, e.end, e.children) for e in s.episodes("cam")] for s in (other, store)]
        assert spans[0] == spans[1]
        assert other.dropped("cam") == store.dropped("cam")
        remember(other, HOURS)
        assert other.timeline("cam") == kept
    with Store(tmp_path / "other", HashEmbedder()) as again:
        assert again.pinned([kept[0].id]) == {kept[0].id}


def test_an_archive_taken_into_a_store_with_episodes_of_its_own_leaves_none_overlapping(
    store: Store, tmp_path: Path
) -> None:
    """A stream that went on elsewhere was cut elsewhere: the archive's episodes overlapped."""
    kept = store.timeline("cam")
    late = [m for m in HOURS if m.start > 400.0]
    with Store(tmp_path / "other", HashEmbedder(), budget_mb_per_hour=None) as other:
        other.remember(stream(), late, {})
        other.consolidate()
        assert other.episodes("cam")
        other.add_rows("cam", store.rows("cam"))
        other.remember(stream(), kept, {})
        other.consolidate()
        for level in (1, 2):
            episodes = other.episodes("cam", level=level)
            children = [id for episode in episodes for id in episode.children]
            assert children == sorted(set(children))
        held = {id for episode in other.episodes("cam") for id in episode.children}
        last = max(e.end for e in other.episodes("cam"))
        assert {m.id for m in (*kept, *late) if m.end <= last} <= held


def test_an_archive_taken_in_again_or_beside_other_hours_moves_no_episode(
    store: Store, tmp_path: Path
) -> None:
    """Episodes that did not overlap were taken to: the quotes of one side's given-up hour were lost."""
    rows = store.rows("cam")
    before = store.rows("cam")["episodes"]
    store.add_rows("cam", rows)
    assert store.rows("cam")["episodes"] == before
    with Store(tmp_path / "other", HashEmbedder(), budget_mb_per_hour=BUDGET) as other:
        later = [
            m for n in range(40, 58) for m in talk(n * 250.0, 250.0, n % 4, every=30.0, seed=n)
        ]
        remember(other, later)
        other.consolidate()
        both = outlived(store) | outlived(other)
        assert outlived(other)
        other.add_rows("cam", rows)
        assert outlived(other) == both
