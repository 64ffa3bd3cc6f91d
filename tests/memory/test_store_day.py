"""A day of appends: few fragments at any time, and a disk that holds little but what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

import memory.maintenance
from memory.store import Store
from tests.memory.storing import HashEmbedder, moment, stream

pytestmark = pytest.mark.soak

APPENDS = 600  # a commit each
MOST_FRAGMENTS = 50


def test_a_day_of_appends_leaves_few_fragments_and_little_waste(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of upkeep runs a hundred times as fast as that of a day, the appends as fast as
    they can; `live` is a store that got the same in one commit and was compacted."""
    monkeypatch.setattr(memory.maintenance, "RETENTION", 1.2)
    monkeypatch.setattr(memory.maintenance, "PRUNE_EVERY", 0.6)
    monkeypatch.setattr(memory.maintenance, "SETTLE", 0.01)
    most = 0
    with Store(tmp_path / "day", HashEmbedder()) as store:
        for number in range(APPENDS):
            store.remember(stream(), [moment(number)], {})
            if number % 20 == 0:
                most = max(most, store.stats().fragments)
        monkeypatch.setattr(memory.maintenance, "RETENTION", 0.0)
        tables = list(store.tables.all())
        with store._upkeep.held_off():
            store._writer.call(lambda: store.maintenance.run(tables, prune=True))
        after = store.stats()
    with Store(tmp_path / "live", HashEmbedder()) as store:
        store.remember(stream(), [moment(n) for n in range(APPENDS)], {})
        tables = list(store.tables.all())
        with store._upkeep.held_off():
            store._writer.call(lambda: store.maintenance.run(tables, prune=True))
        live = store.stats()
    assert after.observations == live.observations == 3 * APPENDS
    assert most <= MOST_FRAGMENTS
    assert after.fragments <= MOST_FRAGMENTS
    assert after.table_bytes <= 1.3 * live.table_bytes
    print(f"fragments at most {most}, bytes {after.table_bytes / live.table_bytes:.2f} of live")
