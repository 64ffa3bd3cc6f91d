from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
import pytest
from lancedb.table import LanceTable

import memory.media
import memory.remember
from memory import migrations
from memory.durable import LAST_VERSION, DurableTables
from memory.errors import (
    StoreDamaged,
    StoreFull,
    StoreLocked,
    StoreNewer,
    StoreReadOnly,
    WriteFailed,
)
from memory.maintenance import FRAGMENTS
from memory.records import Query, Selection
from memory.rows import put
from memory.store import Store
from tests.memory.storing import HashEmbedder, moment, picture, stream

pytestmark = pytest.mark.unit

SPAWN = multiprocessing.get_context("spawn")


def received(pipe: Connection) -> Any:
    assert pipe.poll(60), "the other process says nothing"
    return pipe.recv()


def hold(path: Path, opened: Connection) -> None:
    with Store(path, HashEmbedder()):
        opened.send(os.getpid())
        opened.recv()


def test_a_second_opener_is_told_who_has_the_store(tmp_path: Path) -> None:
    ours, theirs = SPAWN.Pipe()
    child = SPAWN.Process(target=hold, args=(tmp_path, theirs))
    child.start()
    theirs.close()
    pid = received(ours)
    with pytest.raises(StoreLocked, match=f"process {pid} on "):
        Store(tmp_path, HashEmbedder())
    os.kill(pid, signal.SIGKILL)
    child.join(timeout=60)
    Store(tmp_path, HashEmbedder()).close()


def test_a_power_cut_takes_an_unsealed_commit_away_whole(tmp_path: Path) -> None:
    """Lance opens a manifest of zeros, which a power cut can leave, as an empty table."""
    with Store(tmp_path, HashEmbedder()) as store:
        store.remember(stream(), [moment(0), moment(1)], {})
        sealed = {table.name: table.version for table in store.tables.all()}
    tables = lancedb.connect(str(tmp_path / "tables"))
    tables.open_table("observations").delete("start < 5.0")
    for table in ("observations", "moments"):
        folder = tmp_path / "tables" / f"{table}.lance" / "_versions"
        torn = folder / f"{LAST_VERSION - sealed[table] - 2:020d}.manifest"
        torn.write_bytes(bytes(500))
    with Store(tmp_path, HashEmbedder()) as store:
        assert store.timeline("cam") == [moment(0), moment(1)]
        store.remember(stream(), [moment(2)], {})
        assert len(store.timeline("cam")) == 3


def test_every_file_of_a_commit_is_flushed_before_its_versions_are_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    real = os.fsync

    def recording(descriptor: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", recording)
    with Store(tmp_path, HashEmbedder()) as store:
        digest, content = picture("lamp")
        store.remember(stream(), [moment(0, keyframe=digest)], {digest: content})
        needed = [
            p
            for p in (tmp_path / "tables").rglob("*")
            if "_versions" in str(p) or p.suffix == ".lance"
        ]
        needed += (tmp_path / "media").iterdir()
        missing = [path for path in needed if str(path) not in flushed]
        assert missing == []
        order = [i for i, path in enumerate(flushed) if "sealed.json" in path]
        assert max(i for i, p in enumerate(flushed) if p.endswith(".manifest")) < order[-1]


def test_after_a_failed_flush_nothing_more_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel reports a lost page once: a second fsync of the same file would succeed."""
    with Store(tmp_path, HashEmbedder()) as store:
        store.remember(stream(), [moment(0)], {})
        with monkeypatch.context() as broken:
            broken.setattr("memory.durable.sync_file", fails_with(OSError(errno.EIO, "I/O error")))
            with pytest.raises(WriteFailed):
                store.remember(stream(), [moment(1)], {})
        with pytest.raises(WriteFailed, match="open it again"):
            store.remember(stream(), [moment(2)], {})
        with pytest.raises(WriteFailed, match="open it again"):
            store.check()
    with Store(tmp_path, HashEmbedder()) as store:
        store.check()
        assert store.timeline("cam") == [moment(0)]
        store.remember(stream(), [moment(2)], {})


def fails_with(failure: Exception) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise failure

    return fail


FAILURES = [
    (OSError(errno.ENOSPC, "No space left on device"), StoreFull),
    (RuntimeError("lance error: IO: No space left on device (os error 28), x.rs:1"), StoreFull),
    (OSError(errno.EROFS, "Read-only file system"), StoreReadOnly),
    (OSError("LanceError(IO): Permission denied (os error 13)"), StoreReadOnly),
    (RuntimeError("lance error: something else"), WriteFailed),
]


@pytest.mark.parametrize("seam", ["memory.media.write_whole", "memory.remember.put"])
@pytest.mark.parametrize(("failure", "named"), FAILURES)
def test_a_failing_disk_is_named_and_leaves_nothing_visible(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seam: str,
    failure: Exception,
    named: type[Exception],
) -> None:
    digest, content = picture("desk")
    given = moment(1, keyframe=digest)
    with Store(tmp_path, HashEmbedder()) as store:
        store.remember(stream(), [moment(0)], {})
        with monkeypatch.context() as broken:
            broken.setattr(seam, fails_with(failure))
            with pytest.raises(named):
                store.remember(stream(), [given], {digest: content})
        assert store.timeline("cam") == [moment(0)]
        store.remember(stream(), [given], {digest: content})
        assert store.timeline("cam") == [moment(0), given]


@pytest.mark.parametrize("cut", [2, 3])
def test_a_commit_that_failed_between_tables_is_hidden_until_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    real = put
    calls: list[object] = []

    def fail_later(table: Any, rows: Any) -> None:
        calls.append(table)
        if len(calls) >= cut:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(table, rows)

    with Store(tmp_path, HashEmbedder()) as store:
        with monkeypatch.context() as broken:
            broken.setattr(memory.remember, "put", fail_later)
            with pytest.raises(StoreFull):
                store.remember(stream(), [moment(0)], {})
        assert store.streams() == []
        assert cut == 3 or store.search(Query("crate 0 part 1")) == []
        store.remember(stream(), [moment(0)], {})
        assert store.timeline("cam") == [moment(0)]
        assert len(store.search(Query("crate 0 part 1"))) == 3
        assert store.stats().observations == 3


def test_repeating_a_commit_that_was_not_sealed_seals_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are there: the repetition had nothing to write, and was acknowledged unsealed."""
    with Store(tmp_path, HashEmbedder()) as store:
        store.remember(stream(seconds=900.0), [moment(0)], {})
        with monkeypatch.context() as broken:
            full = OSError(errno.ENOSPC, "No space left on device")
            broken.setattr("memory.durable.write_whole", fails_with(full))
            with pytest.raises(StoreFull):
                store.remember(stream(), [moment(1)], {})
        store.remember(stream(), [moment(1)], {})
        assert DurableTables(tmp_path).roll_back() == []


DAMAGED = {
    "observations": "tables/observations.lance/data/*",
    "moments": "tables/moments.lance/data/*",
    "manifest": "tables/observations.lance/_versions/*.manifest",
    "seal": "sealed.json",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_store_says_so_and_what_to_do(tmp_path: Path, what: str) -> None:
    with Store(tmp_path, HashEmbedder()) as store:
        store.remember(stream(), [moment(0)], {})
    for path in tmp_path.glob(DAMAGED[what]):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def read() -> None:
        with Store(tmp_path, HashEmbedder()) as store:
            store.timeline("cam")

    with pytest.raises(StoreDamaged, match=r"damaged: .*put back a copy"):
        read()


def fill_a_small_disk(path: Path, result: Connection) -> None:
    import resource

    with Store(path, HashEmbedder()) as store:
        store.remember(stream(), [moment(0)], {})
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        try:
            store.remember(stream(), [moment(n, count=5) for n in range(1, 30)], {})
        except StoreFull as full:
            result.send(str(full))
        else:
            result.send("it was written")
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        store.remember(stream(), [moment(1)], {})


def test_running_out_of_space_in_lance_is_a_full_store(tmp_path: Path) -> None:
    ours, theirs = SPAWN.Pipe(duplex=False)
    child = SPAWN.Process(target=fill_a_small_disk, args=(tmp_path, theirs))
    child.start()
    theirs.close()
    said = received(ours)
    child.join(timeout=60)
    assert "no space left" in said
    with Store(tmp_path, HashEmbedder()) as store:
        assert store.timeline("cam") == [moment(0), moment(1)]


def test_a_newer_store_is_refused_and_not_touched(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder()) as store:
        store.remember(stream(), [moment(0)], {})
        row = {"migration": "m999_from_tomorrow", "applied": stream().wall_start}
        store.tables.db.open_table("meta").add(pa.Table.from_pylist([row], migrations.META))
    before = contents(tmp_path)
    with pytest.raises(StoreNewer, match="m999_from_tomorrow"):
        Store(tmp_path, HashEmbedder())
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "lock"}


def test_migrations_run_once_in_order_and_bear_being_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def m998_first(db: lancedb.DBConnection) -> None:
        ran.append("first")

    def m999_second(db: lancedb.DBConnection) -> None:
        ran.append("second")
        if ran.count("second") == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    with Store(tmp_path, HashEmbedder()) as store:
        store.remember(stream(), [moment(0)], {})
    known = migrations.MIGRATIONS
    monkeypatch.setattr(migrations, "MIGRATIONS", [*known, m998_first, m999_second])
    with pytest.raises(StoreFull):
        Store(tmp_path, HashEmbedder())
    for _ in range(2):
        with Store(tmp_path, HashEmbedder()) as store:
            assert store.stats().schema == len(migrations.MIGRATIONS)
            assert store.timeline("cam") == [moment(0)]
    assert ran == ["first", "second", "second"]


def test_maintenance_keeps_the_fragments_few_and_the_index_fresh(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder()) as store:
        for number in range(30):
            store.remember(stream(), [moment(number)], {})
        upkeep = store.maintenance
        with store._upkeep.held_off():
            store._writer.call(lambda: upkeep.run(list(store.tables.all()), prune=True))
        assert store.stats().fragments <= FRAGMENTS
        assert store.stats().unindexed_rows == 0
        assert len(store.timeline("cam")) == 30


def test_a_store_may_be_copied_and_opened_elsewhere(tmp_path: Path) -> None:
    with Store(tmp_path / "here", HashEmbedder()) as store:
        store.remember(stream(), [moment(0)], {})
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    with Store(tmp_path / "there", HashEmbedder()) as store:
        assert store.timeline("cam") == [moment(0)]
        assert DurableTables(tmp_path / "there").roll_back() == []


def test_what_a_failed_commit_left_is_gone_once_another_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = put

    def fail_on_moments(table: Any, rows: Any) -> None:
        if table.name == "moments":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(table, rows)

    with Store(tmp_path, HashEmbedder()) as store:
        with monkeypatch.context() as broken:
            broken.setattr(memory.remember, "put", fail_on_moments)
            with pytest.raises(StoreFull):
                store.remember(stream(), [moment(0)], {})
        store.remember(stream("lab"), [moment(1, "lab")], {})
    with Store(tmp_path, HashEmbedder()) as store:
        assert store.stats().observations == 3
        assert {hit.moment_id for hit in store.search(Query("crate part"))} == {moment(1, "lab").id}


def test_forgetting_that_is_cut_off_takes_a_picture_only_with_its_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the two used to leave a moment whose picture was gone."""
    digest, content = picture("desk")
    shown = moment(0, keyframe=digest)
    with Store(tmp_path, HashEmbedder()) as store:
        store.remember(stream(), [shown, moment(1)], {digest: content})
        with monkeypatch.context() as broken:
            broken.setattr(store.place.media, "remove", fails_with(OSError(errno.EIO, "I/O error")))
            with pytest.raises(WriteFailed):
                store.forget(Selection(moment_ids=(shown.id,)))
        sealed = DurableTables(tmp_path)
        assert sealed.roll_back() == []
    with Store(tmp_path, HashEmbedder()) as store:
        assert store.timeline("cam") == [moment(1)]
        assert store.place.media.size(digest) is None


@pytest.mark.parametrize("age", [0.0, 1000.0])
def test_dropping_old_versions_makes_no_version_that_a_crash_would_undo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    """The sealed version's files went with the old ones, while a newer one was not sealed yet; a
    kill just then left a store that did not open."""
    sealed: dict[str, int] = {}
    real = LanceTable.optimize

    def watched(table: LanceTable, **how: Any) -> None:
        real(table, **how)
        if "cleanup_older_than" in how:
            assert table.version == sealed[table.name]

    with Store(tmp_path, HashEmbedder()) as store:

        def seal() -> None:
            store._seal()
            sealed.update(json.loads((tmp_path / "sealed.json").read_bytes()))

        monkeypatch.setattr(LanceTable, "optimize", watched)
        monkeypatch.setattr(store.maintenance, "_seal", seal)
        for number in range(25):
            store.remember(stream(), [moment(number)], {})
            if number % 8 == 7:
                store.forget(Selection(moment_ids=(moment(number - 3).id,)))
            if number % 3 == 2:
                with store._upkeep.held_off():
                    store._writer.call(lambda: store.maintenance._drop_versions(age))
        assert len(store.timeline("cam")) == 22
