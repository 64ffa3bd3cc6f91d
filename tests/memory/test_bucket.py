from __future__ import annotations

import http.server
import importlib
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

import pytest
from lancedb.index import BTree

from memory.bucket import Bucket
from memory.errors import (
    KeyframeNotFound,
    StoreLocked,
    StoreMissing,
    StoreReadOnly,
    StoreUnreachable,
    WriteFailed,
)
from memory.lease import Lease
from memory.records import Query, Selection
from memory.replica import LOOKS, ReadOnlyStore
from memory.store import Store
from tests.memory.s3 import KEY, S3, SECRET, serving
from tests.memory.storing import HashEmbedder, moment, picture, said, stream

pytestmark = pytest.mark.unit

CANARY = "Quetzalcoatlus7391"
LASTS = 120.0  # seconds of a lease, so that none runs out because the machine is busy
SPAWN = multiprocessing.get_context("spawn")
names = iter(range(1000))


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with serving() as running:
        yield running


@pytest.fixture
def bucket(s3: S3) -> str:
    """The name of an empty one."""
    name = f"bucket-{next(names)}"
    s3.make_bucket(name)
    return name


@pytest.fixture
def place(s3: S3, bucket: str) -> Callable[..., Bucket]:
    """The place of a store in it, as another process would name it."""
    return lambda **more: Bucket(f"s3://{bucket}/memory", s3.environment, **more)


def opened(place: Callable[..., Bucket]) -> Store:
    store = Store(place(lease_seconds=LASTS), HashEmbedder())
    store._swept = True  # the sweep after opening seals, which a process that stands still does not
    return store


def until(holds: Callable[[], bool], seconds: float = 60.0) -> float:
    """Seconds until it held."""
    began = time.monotonic()
    pause = threading.Event()
    while not holds():
        assert time.monotonic() - began < seconds, "it never did"
        pause.wait(0.05)
    return time.monotonic() - began


def test_a_store_in_a_bucket_remembers_and_opens_again(place: Callable[..., Bucket]) -> None:
    digest, content = picture("lamp")
    with opened(place) as store:
        store.remember(stream(), [moment(0, keyframe=digest), moment(1)], {digest: content})
        assert store.remember(stream(), [moment(1)], {}) == store.snapshot().version
        store.pin([moment(0).id])
    with opened(place) as store:
        assert store.timeline("cam") == [moment(0, keyframe=digest), moment(1)]
        assert store.keyframe(moment(0).id) == content
        assert store.pinned([moment(0).id, moment(1).id]) == {moment(0).id}
        assert store.search(Query("crate 1 part 2"))[0].moment_id == moment(1).id
        stats = store.stats()
        assert (stats.moments, stats.keyframes, stats.media_bytes) == (2, 1, len(content))
        assert stats.table_bytes > 1000


def test_a_reader_sees_what_was_acknowledged_at_its_next_look(place: Callable[..., Bucket]) -> None:
    with opened(place) as store:
        digest, content = picture("lamp")
        store.remember(stream(), [moment(0)], {})
        with ReadOnlyStore(place(), HashEmbedder(), looks=None) as reader:
            assert reader.timeline("cam") == [moment(0)]
            store.remember(stream(), [moment(1, keyframe=digest)], {digest: content})
            assert reader.follow()
            assert len(reader.timeline("cam")) == 2
            assert reader.keyframe(moment(1).id) == content
            assert reader.search(Query("crate 1 part 2"))[0].moment_id == moment(1).id
            assert reader.snapshot().version == store.snapshot().version
            assert reader.streams() == store.streams()
            store.forget(Selection(moment_ids=(moment(0).id,)))
            assert reader.follow()
            assert len(reader.timeline("cam")) == 1
            assert all(h.moment_id != moment(0).id for h in reader.search(Query("crate 0 part 1")))
            with pytest.raises(StoreReadOnly, match="read"):
                reader.remember(stream(), [moment(2)], {})


def test_a_reader_looks_every_second_by_itself(place: Callable[..., Bucket]) -> None:
    assert LOOKS <= 1.0
    with opened(place) as store:
        store.remember(stream(), [moment(0)], {})
        with ReadOnlyStore(place(), HashEmbedder(), looks=0.05) as reader:
            store.remember(stream(), [moment(1)], {})
            until(lambda: len(reader.timeline("cam")) == 2)


def test_a_reader_sees_no_commit_before_all_of_it_is_there(place: Callable[..., Bucket]) -> None:
    with opened(place) as store, ReadOnlyStore(place(), HashEmbedder(), looks=None) as reader:
        store.remember(stream(), [moment(0)], {})
        reader.follow()
        store.tables.observations.delete("start < 100")  # a commit that is not sealed
        reader.follow()
        assert reader.timeline("cam") == [moment(0)]


def test_there_is_nothing_to_read_before_a_writer_was_there(place: Callable[..., Bucket]) -> None:
    with pytest.raises(StoreMissing, match="start its writer first"):
        ReadOnlyStore(place(), HashEmbedder())
    with pytest.raises(StoreMissing, match="no store at s3://"):
        Store(place(), HashEmbedder(), create=False)


def test_a_second_writer_is_told_who_writes(
    s3: S3, bucket: str, place: Callable[..., Bucket]
) -> None:
    def lease() -> Any:
        return json.loads(s3.objects(bucket)["memory/lease.json"])

    with opened(place):
        assert (lease()["pid"], lease()["epoch"], lease()["free"]) == (os.getpid(), 1, False)
        with pytest.raises(StoreLocked, match=f"process {os.getpid()} on .* free in"):
            opened(place)
    assert lease()["free"]
    opened(place).close()
    assert lease()["epoch"] == 2


def hold(url: str, environment: dict[str, str], pipe: Connection) -> None:
    with Store(Bucket(url, environment, lease_seconds=2.0), HashEmbedder()) as store:
        store.remember(stream(), [moment(0)], {})
        pipe.send(os.getpid())
        store.tables.observations.delete("start >= 0")  # it dies before this is sealed
        pipe.send("deleted")
        pipe.recv()


@pytest.mark.soak
def test_the_lease_of_a_killed_writer_runs_out_and_its_half_done_commit_with_it(
    s3: S3, bucket: str, place: Callable[..., Bucket]
) -> None:
    ours, theirs = SPAWN.Pipe()
    child = SPAWN.Process(target=hold, args=(place().name, s3.environment, theirs))
    child.start()
    theirs.close()
    pid = received(ours)
    received(ours)
    os.kill(pid, signal.SIGKILL)
    child.join(timeout=60)
    with pytest.raises(StoreLocked, match=f"process {pid} on "):
        opened(place)

    taken: list[Store] = []
    assert until(lambda: _free(place, taken)) < 8
    with taken[0] as store:
        assert store.timeline("cam") == [moment(0)]


def received(pipe: Connection) -> Any:
    assert pipe.poll(60), "the other process says nothing"
    return pipe.recv()


def stands_still(store: Store) -> None:
    """As a process that is stopped, or a machine that sleeps and whose clock does too: its lease is
    not renewed, and it does not know."""
    lease: Any = store._lock
    lease._ended.set()
    lease._renewing.join()
    lease.renew()
    at = lease._clock()
    lease._clock = lambda: at


def taken_over(place: Callable[..., Bucket], monkeypatch: pytest.MonkeyPatch) -> Store:
    """Opened by another, when the lease has run out."""
    with monkeypatch.context() as later:
        when = datetime.now(UTC) + timedelta(minutes=5)
        later.setattr(Lease, "_server_time", lambda lease: when)
        return opened(place)


def test_a_writer_that_slept_past_its_lease_changes_nothing_any_more(
    place: Callable[..., Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = opened(place)
    sleeper.remember(stream(), [moment(0)], {})
    stands_still(sleeper)
    with taken_over(place, monkeypatch) as store:
        store.remember(stream(), [moment(2)], {})
        for _ in range(2):
            with pytest.raises(WriteFailed, match="another process (has taken over|writes)"):
                sleeper.remember(stream(), [moment(3)], {})
        with pytest.raises(WriteFailed, match="another process (has taken over|writes)"):
            sleeper.forget(Selection(stream_id="cam"))
        with pytest.raises(WriteFailed, match="another process (has taken over|writes)"):
            sleeper.check()
        assert store.timeline("cam") == [moment(0), moment(2)]
        store.remember(stream(), [moment(4)], {})
        assert store.timeline("cam") == [moment(0), moment(2), moment(4)]
    sleeper.close()


# Where a writer falls asleep: the first call of it that comes after is of its successor's time.
AMID = {
    "a commit of several tables": ("memory.remember.derive", "remember"),
    "the commits of a purge": ("memory.maintenance._settle", "forget"),
    "dropping old versions": ("memory.maintenance._drop", "forget"),
}


@pytest.mark.parametrize(
    "where",
    [
        "a commit of several tables",
        pytest.param("the commits of a purge", marks=pytest.mark.soak),
        "dropping old versions",
    ],
)
def test_a_writer_that_sleeps_in_the_midst_of_a_change_goes_no_further(
    s3: S3,
    bucket: str,
    place: Callable[..., Bucket],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    target, change = AMID[where]
    module, _, name = target.rpartition(".")
    real = getattr(importlib.import_module(module), name)
    taken: list[Store] = []
    left: list[dict[str, bytes]] = []

    def asleep(*arguments: Any) -> Any:
        if not taken:
            stands_still(sleeper)
            monkeypatch.setattr(target, real)
            taken.append(taken_over(place, monkeypatch))
            taken[0].close()  # nothing but what the sleeper does happens from here on
            left.append(s3.objects(bucket))
        return real(*arguments)

    sleeper = opened(place)
    sleeper.remember(stream(), [moment(0), moment(1)], {})
    monkeypatch.setattr(target, asleep)
    given: tuple[Any, ...] = (Selection("cam"),)
    if change == "remember":
        given = (stream(), [moment(2)], {})
    with pytest.raises(WriteFailed, match="another process (has taken over|writes)"):
        getattr(sleeper, change)(*given)
    sleeper.close()
    assert s3.objects(bucket) == left[0]


def test_a_commit_on_its_way_when_its_writer_fell_asleep_fails(
    place: Callable[..., Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can be asked any more: what began before the store was taken over conflicts with it."""
    sleeper = opened(place)
    for number in range(2):
        sleeper.remember(stream(seconds=number), [moment(number)], {})
    sleeper.pin([moment(0).id])
    stands_still(sleeper)
    tables = sleeper.tables
    rows = tables.moments.to_arrow().slice(0, 1)
    merge = tables.moments.merge_insert("id").when_matched_update_all()
    changes: list[Callable[[], object]] = [
        lambda: merge.execute(rows),
        lambda: tables.pins.delete("start < 1"),
        lambda: tables.streams.update(where="seconds < 100", values_sql={"id": "id"}),
        lambda: tables.observations.optimize(),
        lambda: tables.facts.create_index("id", config=BTree(), replace=True),
    ]
    with taken_over(place, monkeypatch) as store:
        monkeypatch.setattr(Lease, "fence", lambda lease: None)
        for change in changes:
            with pytest.raises((OSError, RuntimeError), match="onflict"):
                change()
        store.remember(stream(), [moment(2)], {})
        assert store.timeline("cam") == [moment(number) for number in range(3)]
    sleeper.close()


def _free(place: Callable[..., Bucket], taken: list[Store]) -> bool:
    try:
        taken.append(opened(place))
    except StoreLocked:
        return False
    return True


def test_only_the_holder_of_the_seal_seals(place: Callable[..., Bucket]) -> None:
    with opened(place) as store:
        other = place()
        other.roll_back()
        with pytest.raises(WriteFailed, match="another process writes"):
            store.place.seal({})


def test_a_writer_that_cannot_reach_its_store_writes_nothing(
    place: Callable[..., Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(place) as store:
        store.remember(stream(), [moment(0)], {})
        lease: Any = store._lock

        def away(*_: object) -> str:
            raise StoreUnreachable("away")

        with monkeypatch.context() as broken:
            broken.setattr(lease._objects, "put_if", away)
            began = lease._clock()
            broken.setattr(lease, "_clock", lambda: began + LASTS)
            with pytest.raises(WriteFailed, match="could not be reached in time"):
                store.remember(stream(), [moment(1)], {})
            assert _expired(store)
        store.remember(stream(), [moment(1)], {})  # nobody took it meanwhile
        assert store.timeline("cam") == [moment(0), moment(1)]


def _expired(store: Store) -> bool:
    try:
        store.place.check()
    except WriteFailed:
        return True
    return False


def test_a_lease_is_kept_when_the_answer_to_a_renewal_is_lost(
    place: Callable[..., Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(place) as store:
        lease = store._lock
        put_if = lease._objects.put_if  # type: ignore[attr-defined]  # the lease of a bucket

        def twice(name: str, content: bytes, tag: str | None) -> str | None:
            put_if(name, content, tag)
            said: str | None = put_if(name, content, tag)
            return said

        monkeypatch.setattr(lease._objects, "put_if", twice)  # type: ignore[attr-defined]  # likewise
        lease.renew()  # type: ignore[attr-defined]  # likewise
        store.remember(stream(), [moment(0)], {})
        assert not _expired(store)
        assert store.timeline("cam") == [moment(0)]


def test_forgetting_leaves_no_canary_in_any_object(
    s3: S3, bucket: str, place: Callable[..., Bucket]
) -> None:
    digest, content = picture(CANARY)
    texts = [f"{CANARY} flew over lot {n}" for n in range(3)]
    seen = tuple(said(CANARY, 7.0 + n, text, 0.9) for n, text in enumerate(texts))
    planted = type(moment(0))(CANARY, 7.0, 11.0, seen, digest)
    sought = [CANARY.encode(), CANARY.lower().encode(), content[:40], digest.encode()]
    sought += [row[4:8].tobytes() for row in HashEmbedder().embed(texts)]

    def traces() -> list[str]:
        held = s3.objects(bucket).items()
        return [n for n, c in held if any(s in c or s in n.encode() for s in sought)]

    with opened(place) as store:
        store.remember(stream(), [moment(n) for n in range(4)], {})
        store.remember(stream(CANARY), [planted], {digest: content})
        store.consolidate()
        assert traces()
        receipt = store.forget(Selection(stream_id=CANARY))
        assert (receipt.moments, receipt.observations, receipt.keyframes) == (1, 3, 1)
        assert traces() == []
        assert store.timeline("cam") == [moment(n) for n in range(4)]
        with pytest.raises(KeyframeNotFound):
            store.place.media.read(digest)


def test_a_bucket_that_keeps_old_versions_is_refused(s3: S3, bucket: str) -> None:
    import httpx

    setting = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    httpx.put(f"{s3.url}/{bucket}?versioning", content=setting).raise_for_status()
    with pytest.raises(StoreUnreachable, match="keeps old versions"):
        Store(Bucket(f"s3://{bucket}/memory", s3.environment), HashEmbedder())


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers as S3 does to a wrong key, quoting it."""

    def refuse(self) -> None:
        body = (
            f"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>"
        ).encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_GET = do_PUT = do_HEAD = do_DELETE = refuse

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_wrong_keys_are_said_in_one_line_without_them(s3: S3, refusing: str) -> None:
    told = {**s3.environment, "AWS_ENDPOINT_URL": refusing}
    for make in (Store, ReadOnlyStore):
        with pytest.raises(StoreUnreachable) as refused:
            make(Bucket("s3://somewhere/memory", told), HashEmbedder())
        said = str(refused.value)
        assert "refuses the keys (InvalidAccessKeyId)" in said
        assert refusing in said
        assert "\n" not in said
        assert KEY not in said
        assert SECRET not in said
        assert refused.value.__suppress_context__


def test_a_server_that_is_not_there_and_a_bucket_that_is_not(s3: S3) -> None:
    gone = {**s3.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with pytest.raises(StoreUnreachable, match=r"http://127.0.0.1:9 does not answer"):
        Store(Bucket("s3://somewhere/memory", gone), HashEmbedder())
    with pytest.raises(StoreUnreachable, match="has no such bucket"):
        Store(Bucket("s3://nowhere-at-all/memory", s3.environment), HashEmbedder())
    with pytest.raises(StoreUnreachable, match="is not s3://bucket/prefix"):
        Bucket("s3://", s3.environment)
