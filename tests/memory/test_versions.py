"""Memory as it stood: by the version that an answer names, from one and the same store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import lancedb
import pytest

from memory import migrations
from memory.asof import AsOf
from memory.records import Query, Selection
from memory.store import Store
from memory.tables import select
from perception.records import Moment
from serve.services import InProcessMemory
from tests.memory.storing import BEGAN, HashEmbedder, moment, picture, said, stream

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", HashEmbedder()) as opened:
        yield opened


def found(store: Store, version: int | None) -> set[str]:
    hits = store.search(Query("crate has part", limit=100, version=version))
    return {hit.moment_id for hit in hits}


def test_a_search_at_a_version_sees_what_was_committed_by_then(store: Store) -> None:
    versions = [store.remember(stream(), [moment(n)], {}) for n in range(4)]
    assert versions == sorted(set(versions))
    for number, version in enumerate(versions):
        then = [moment(n) for n in range(number + 1)]
        assert found(store, version) == {m.id for m in then}
        assert store.timeline("cam", version=version) == then
        (known,) = store.streams(version)
        assert known.seconds == (20.0 if number == 3 else pytest.approx(5.0 * number + 2.9))
    middle = moment(1).observations[1]
    assert len(store.neighbours([middle], 60.0, versions[1])[0]) == 5
    assert store.streams(versions[0] - 1) == []


def test_versions_outlast_upkeep_forgetting_and_a_restart(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder()) as store:
        versions = [store.remember(stream(), [moment(n)], {}) for n in range(4)]
        upkeep = store.maintenance
        with store._upkeep.held_off():
            store._writer.call(lambda: upkeep.run(list(store.tables.all()), prune=True))
        store.forget(Selection(moment_ids=(moment(0).id,)))
    with Store(tmp_path, HashEmbedder()) as store:
        assert found(store, versions[1]) == {moment(1).id}
        assert store.snapshot().version > versions[-1]


def test_a_correction_does_not_move_an_observation_to_a_later_version(store: Store) -> None:
    first = store.remember(stream(), [Moment("cam", 0.0, 3.0, (said("cam", 0.0, "left"),))], {})
    longer = said("cam", 0.0, "left", 2.5)
    store.remember(stream(), [Moment("cam", 0.0, 3.0, (longer,))], {})
    assert [h.observation for h in store.search(Query("left", version=first))] == [longer]


def test_repeating_what_is_there_does_not_move_it_either(store: Store) -> None:
    first = store.remember(stream(), [moment(0)], {})
    store.remember(stream(), [moment(1)], {})
    store.remember(stream(), [moment(0), moment(1)], {})
    assert found(store, first) == {moment(0).id}


def test_an_older_store_gains_the_column_and_its_rows_were_always_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = lancedb.connect(str(tmp_path / "tables"))
    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
        migrations.migrate(db)
    table = db.open_table("observations")
    assert "version" not in table.schema.names
    with Store(tmp_path / "new", HashEmbedder()) as new:
        new.remember(stream(), [moment(0)], {})
        rows = new.tables.observations.to_arrow().drop_columns(["version"])
        for name in ("moments", "streams"):
            db.open_table(name).add(getattr(new.tables, name).to_arrow())
    table.add(rows)
    with Store(tmp_path, HashEmbedder()) as store:
        assert store.timeline("cam") == [moment(0)]
        later = store.remember(stream(), [moment(1)], {})
        assert found(store, 1) == {moment(0).id}
        assert found(store, later) == {moment(0).id, moment(1).id}
        versions = {r["version"] for r in select(store.tables.observations, None, ["version"])}
        assert min(versions) == 0 < max(versions)


async def test_a_wall_clock_time_cuts_every_stream_by_its_own_beginning(store: Store) -> None:
    digest, content = picture("hall")
    store.remember(stream(), [moment(n) for n in range(3)], {})
    late = stream("lab").__class__("lab", BEGAN + timedelta(seconds=8), "x")
    store.remember(late, [moment(0, "lab", keyframe=digest)], {digest: content})
    whole = InProcessMemory(lambda: store)
    then = AsOf(whole, store.snapshot().version, BEGAN + timedelta(seconds=10))
    hits = await then.search(Query("crate has part", limit=100))
    assert {(h.observation.stream_id, h.observation.start) for h in hits} == {
        *(("cam", s) for s in (0.0, 1.0, 2.0, 5.0, 6.0, 7.0)),
        *(("lab", s) for s in (0.0, 1.0)),
    }
    assert [len(m.observations) for m in await then.timeline("cam")] == [3, 3]
    (cut,) = await then.timeline("lab")
    assert (len(cut.observations), cut.keyframe) == (2, None)
    assert len((await then.neighbours([moment(0, "lab").observations[0]], 60.0))[0]) == 1
    assert [(s.id, s.seconds) for s in await then.streams()] == [("cam", 10.0), ("lab", 2.0)]
    before = AsOf(whole, store.snapshot().version, BEGAN - timedelta(seconds=1))
    assert await before.streams() == []
    assert await before.search(Query("crate")) == []
    assert await before.timeline("cam") == []
