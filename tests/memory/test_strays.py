"""Moments below closed episodes that none of these holds."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from memory import strays
from memory.embedder import HashEmbedder
from memory.store import Store
from memory.tables import any_of, select
from perception.records import Moment
from tests.memory.episodic import remember, talk

pytestmark = pytest.mark.unit

LATE = 20
DAY = [*talk(0, 420, 0), *talk(1200, 420, 1), *talk(2400, 420, 2), *talk(3600, 60, 3)]


def unheld(store: Store) -> set[str]:
    """Moments up to the last that an episode holds, and in none."""
    rows = select(store.tables.episodes, "level = 1", ["children"])
    held = [id for row in rows for id in row["children"]]
    assert len(held) == len(set(held))
    reached = store._longterm.consolidation.reached("cam")[0]
    return {m.id for m in store.timeline("cam") if m.start <= reached} - set(held)


def without_upkeep(path: Path) -> Store:
    store = Store(path, HashEmbedder())
    store._longterm._rest_until = math.inf
    return store


@pytest.mark.parametrize("span", [strays.SPAN, 700.0])
def test_what_was_to_be_taken_in_when_the_process_ended_is_after_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, span: float
) -> None:
    monkeypatch.setattr(strays, "SPAN", span)
    late: Moment = DAY[LATE]
    with without_upkeep(tmp_path) as store:
        remember(store, [moment for moment in DAY if moment is not late])
        store.consolidate()
        assert len(store.episodes("cam")) == 3
        remember(store, [late])
        # As an import leaves it: an episode made way, and what it held belongs to none.
        store.tables.episodes.delete(any_of("id", [store.episodes("cam")[1].id]))
        store._writer.call(store._seal)
        assert late.id in unheld(store)
        assert len(unheld(store)) > 50
    with without_upkeep(tmp_path) as store:
        store.consolidate()
        assert unheld(store) == set()
        assert late.id in store.episodes("cam")[0].children
        version = store.tables.episodes.version
    with without_upkeep(tmp_path) as store:
        store.consolidate()
        assert store.tables.episodes.version == version
