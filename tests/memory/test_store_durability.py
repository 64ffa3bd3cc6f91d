from __future__ import annotations

import errno
import multiprocessing
import os
import random
import shutil
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
import pytest

import memory.media
import memory.remember
from memory import migrations
from memory.durable import LAST_VERSION, DurableTables
from memory.errors import StoreFull, StoreLocked, StoreNewer, StoreReadOnly, WriteFailed
from memory.maintenance import FRAGMENTS
from memory.records import Query, Selection
from memory.store import Store
from tests.memory.storing import HashEmbedder, moment, picture, stream

pytestmark = pytest.mark.unit

SPAWN = multiprocessing.get_context("spawn")


def keep_writing(path: Path, first: int, forgotten: int, acks: Connection) -> None:
    """Remember one moment after the other, forget one in ten; tell each once it is done."""
    digest, content = picture("crate")
    with Store(path, HashEmbedder()) as store:
        for number in range(first, first + 1000):
            store.remember(stream(), [moment(number, keyframe=digest)], {digest: content})
            acks.send(("remembered", number))
            if number % 10 == 9:
                acks.send(("forgetting", forgotten))
                store.forget(Selection(moment_ids=(moment(forgotten).id,)))
                acks.send(("forgot", forgotten))
                forgotten += 1


def test_kill_9_loses_nothing_acknowledged_and_brings_nothing_back(tmp_path: Path) -> None:
    chance = random.Random(5)
    kept: set[int] = set()
    unsure: set[int] = set()
    number = forgotten = 0
    for _ in range(12):
        ours, theirs = SPAWN.Pipe(duplex=False)
        child = SPAWN.Process(target=keep_writing, args=(tmp_path, number, forgotten, theirs))
        child.start()
        theirs.close()
        told = []
        for _ in range(chance.randrange(1, 13)):
            told.append(received(ours))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join(timeout=60)
        told += drained(ours)
        unsure = set()
        for what, which in told:
            if what == "remembered":
                kept.add(which)
                number = which + 1
            elif what == "forgetting":
                unsure.add(which)
            else:
                unsure.discard(which)
                kept.discard(which)
                forgotten = which + 1
        with Store(tmp_path, HashEmbedder()) as store:
            seen = {round(m.start / 5): m for m in store.timeline("cam")}
            assert kept - unsure <= seen.keys() <= kept | {number}
            assert store.stats().observations == 3 * len(seen)
            digest, content = picture("crate")
            assert all(m == moment(n, keyframe=digest) for n, m in seen.items())
            assert store.keyframe(moment(max(kept)).id) == content
            kept, unsure = set(seen), set()
            number = max(kept) + 1
            forgotten = min(kept)


def received(pipe: Connection) -> Any:
    assert pipe.poll(60), "the other process says nothing"
    return pipe.recv()


def drained(pipe: Connection) -> list[Any]:
    told = []
    try:
        while True:
            told.append(pipe.recv())
    except (EOFError, ConnectionResetError):
        return told


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
    with Store(tmp_path, HashEmbedder()) as store:
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


@pytest.mark.parametrize("seam", ["memory.media.write_whole", "memory.remember._merge"])
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
    real = memory.remember._merge
    calls: list[object] = []

    def fail_later(table: Any, rows: Any) -> None:
        calls.append(table)
        if len(calls) >= cut:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(table, rows)

    with Store(tmp_path, HashEmbedder()) as store:
        with monkeypatch.context() as broken:
            broken.setattr(memory.remember, "_merge", fail_later)
            with pytest.raises(StoreFull):
                store.remember(stream(), [moment(0)], {})
        assert store.streams() == []
        assert cut == 3 or store.search(Query("crate 0 part 1")) == []
        store.remember(stream(), [moment(0)], {})
        assert store.timeline("cam") == [moment(0)]
        assert len(store.search(Query("crate 0 part 1"))) == 3
        assert store.stats().observations == 3


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

    def m002_first(db: lancedb.DBConnection) -> None:
        ran.append("first")

    def m003_second(db: lancedb.DBConnection) -> None:
        ran.append("second")
        if ran.count("second") == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    with Store(tmp_path, HashEmbedder()) as store:
        store.remember(stream(), [moment(0)], {})
    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, m002_first, m003_second])
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
