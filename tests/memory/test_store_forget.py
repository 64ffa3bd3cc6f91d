from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.consolidate import QUIET
from memory.errors import InvalidRequest, MomentNotFound, StreamNotFound
from memory.forget import UNFINISHED
from memory.quantised import quantised
from memory.records import Query, Selection
from memory.store import Store
from memory.tables import select
from perception.records import Moment
from tests.memory.episodic import remember as remember_all
from tests.memory.episodic import said_in, talk
from tests.memory.storing import HashEmbedder, moment, picture, said, stream

pytestmark = pytest.mark.unit

CANARY = "Quetzalcoatlus7391"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", HashEmbedder()) as opened:
        yield opened


def files_with(store: Store, *secrets: bytes) -> list[Path]:
    files = [path for path in store.path.rglob("*") if path.is_file()]
    contents = {path: path.read_bytes() for path in files}
    return [p for p, held in contents.items() if any(s in held for s in secrets)]


def traces(store: Store, *, vectors_of: list[str]) -> list[Path]:
    """Files with a canary as written or as indexed, or with 16 bytes of a canary's vector."""
    vectors = HashEmbedder().embed(vectors_of)
    pieces = [row[4:20].tobytes() for row in quantised(vectors)]
    return files_with(store, CANARY.encode(), CANARY.lower().encode(), *pieces)


def fill(store: Store, name: str, numbers: range) -> None:
    for number in numbers:
        store.remember(stream(name), [moment(number, name)], {})


def plant(store: Store, stream_id: str, at: float) -> tuple[Moment, str, list[str]]:
    """A moment full of canaries, with a keyframe; its picture's digest and its texts."""
    digest, content = picture(CANARY)
    texts = [f"{CANARY} flew over lot {n}" for n in range(3)]
    observations = tuple(said(stream_id, at + n, text, 0.9) for n, text in enumerate(texts))
    planted = Moment(stream_id, at, at + 4.0, observations, digest)
    store.remember(stream(stream_id), [planted], {digest: content})
    return planted, digest, texts


def test_a_forgotten_stream_leaves_no_byte_in_any_file(store: Store) -> None:
    fill(store, "cam", range(10))
    _, _, texts = plant(store, CANARY, 7.0)
    fill(store, "cam", range(10, 14))
    assert traces(store, vectors_of=texts)
    receipt = store.forget(Selection(stream_id=CANARY))
    assert (receipt.moments, receipt.observations) == (1, 3)
    assert (receipt.keyframes, receipt.streams) == (1, 1)
    assert receipt.bytes > 0
    assert traces(store, vectors_of=texts) == []
    assert [s.id for s in store.streams()] == ["cam"]
    assert store.timeline("cam") == [moment(n) for n in range(14)]
    with pytest.raises(StreamNotFound):
        store.timeline(CANARY)


def test_one_moment_out_of_many_goes_without_a_byte_left(store: Store) -> None:
    """Lance leaves a fragment as it is when less than a tenth of it was deleted."""
    planted, _, texts = plant(store, "cam", 500.0)
    store.remember(stream(), [moment(n) for n in range(90)], {})
    with store._upkeep.held_off():
        store._writer.call(lambda: [table.optimize() for table in store.tables.all()])
    receipt = store.forget(Selection(moment_ids=(planted.id,)))
    assert (receipt.moments, receipt.observations, receipt.streams) == (1, 3, 0)
    assert traces(store, vectors_of=texts) == []
    assert len(store.timeline("cam")) == 90
    assert store.stats().observations == 270
    with pytest.raises(MomentNotFound):
        store.moment(planted.id)


def test_forgetting_outlasts_a_restart(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder()) as store:
        _, _, texts = plant(store, "cam", 50.0)
        fill(store, "cam", range(3))
        store.forget(Selection(stream_id="cam", start=40.0))
    with Store(tmp_path, HashEmbedder()) as store:
        assert traces(store, vectors_of=texts) == []
        assert store.timeline("cam") == [moment(n) for n in range(3)]


def test_a_span_takes_what_overlaps_it_and_leaves_the_rest_of_the_moment(store: Store) -> None:
    digest, content = picture("bench")
    given = Moment(
        "cam",
        10.0,
        20.0,
        (
            said("cam", 10.0, "before", 2.0),
            said("cam", 12.0, CANARY, 3.0),
            said("cam", 16.0, "after"),
        ),
        digest,
    )
    store.remember(stream(), [given, moment(0)], {digest: content})
    receipt = store.forget(Selection(stream_id="cam", start=14.0, end=16.5))
    assert (receipt.moments, receipt.observations, receipt.streams) == (0, 2, 0)
    left = store.moment(given.id)
    assert left.text == "before"
    assert left.keyframe is None  # it may show what was to go
    assert traces(store, vectors_of=[CANARY]) == []
    assert files_with(store, content) == []
    assert store.moment(moment(0).id) == moment(0)


def test_a_span_that_only_touches_takes_nothing(store: Store) -> None:
    store.remember(stream(), [Moment("cam", 0.0, 2.0, (said("cam", 0.0, "x", 2.0),))], {})
    assert store.forget(Selection(stream_id="cam", start=2.0, end=9.0)).observations == 0
    assert len(store.timeline("cam")) == 1


def test_a_picture_that_another_moment_shows_stays(store: Store) -> None:
    digest, content = picture("wall")
    shown = [moment(n, keyframe=digest) for n in range(2)]
    store.remember(stream(), shown, {digest: content})
    assert store.forget(Selection(moment_ids=(shown[0].id,))).keyframes == 0
    assert store.keyframe(shown[1].id) == content
    assert store.forget(Selection(stream_id="cam")).keyframes == 1


def test_what_was_forgotten_can_be_remembered_anew(store: Store) -> None:
    store.remember(stream(), [moment(0)], {})
    store.forget(Selection(stream_id="cam"))
    store.remember(stream(), [moment(0)], {})
    assert store.timeline("cam") == [moment(0)]


def test_a_deletion_that_was_cut_off_is_finished_on_opening(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder()) as store:
        fill(store, "cam", range(30))
        planted, digest, texts = plant(store, "cam", 500.0)
        where = f"moment_id = '{planted.id}'"
        store._writer.call(lambda: store.tables.moments.delete(f"id = '{planted.id}'"))
        store._writer.call(lambda: store.tables.observations.delete(where))
        store._writer.call(store._seal)
        (tmp_path / UNFINISHED).write_bytes(b"")
    with Store(tmp_path, HashEmbedder()) as store:
        assert traces(store, vectors_of=texts) == []
        assert store.place.media.size(digest) is None
        assert not (tmp_path / UNFINISHED).exists()
        assert len(store.timeline("cam")) == 30


def test_pictures_of_a_commit_that_was_cut_off_go_on_opening_and_with_any_forgetting(
    tmp_path: Path,
) -> None:
    """Killed between its picture and its rows, or within the picture: nothing named these files."""
    orphan, content = picture(CANARY)
    shown, kept = picture("porch")
    with Store(tmp_path, HashEmbedder()) as store:
        store.remember(stream(), [moment(1, keyframe=shown), moment(2)], {shown: kept})
        store.place.media.write(orphan, content)
        store.forget(Selection(moment_ids=(moment(2).id,)))
        assert files_with(store, CANARY.encode()) == []
        store.place.media.write(orphan, content)
    half = tmp_path / "media" / orphan[:2] / f".{orphan}.jpg.77.tmp"
    half.parent.mkdir(exist_ok=True)
    half.write_bytes(content[:30])
    (tmp_path / ".leaving.json.77.tmp").write_bytes(CANARY.encode())
    with Store(tmp_path, HashEmbedder()) as store:
        store._upkeep.look()
        assert files_with(store, CANARY.encode()) == []
        assert store.keyframe(moment(1).id) == kept
        assert store.stats().keyframes == 1


def test_search_and_lookups_stay_right_after_forgetting(store: Store) -> None:
    fill(store, "cam", range(5))
    plant(store, "cam", 60.0)
    store.forget(Selection(stream_id="cam", start=60.0))
    assert len(store.search(Query("crate", limit=50))) == 15
    assert CANARY not in str(store.search(Query(CANARY, limit=50)))
    assert {h.moment_id for h in store.search(Query("crate 3 part", limit=3))} == {moment(3).id}
    assert store.stats().unindexed_rows == 0
    assert len(select(store.tables.observations, None, ["id"])) == 15


@pytest.mark.parametrize(
    "what",
    [
        Selection(),
        Selection(start=1.0),
        Selection(stream_id="cam", start=float("nan")),
        Selection(stream_id="cam", start=5.0, end=1.0),
    ],
)
def test_a_selection_that_says_too_little_is_refused(store: Store, what: Selection) -> None:
    fill(store, "cam", range(1))
    with pytest.raises(InvalidRequest):
        store.forget(what)
    assert len(store.timeline("cam")) == 1


def test_readers_go_on_while_versions_are_dropped_under_them(store: Store) -> None:
    fill(store, "cam", range(12))
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                assert len(store.timeline("cam", end=14.0)) == 3
                assert store.search(Query("crate 1 has part 2", limit=3))
                store.stats()
        except BaseException as failure:
            failures.append(failure)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(11, 6, -1):
        store.forget(Selection(moment_ids=(moment(number).id,)))
    done.set()
    for reader in readers:
        reader.join(timeout=60)
    assert failures == []
    assert len(store.timeline("cam")) == 7


def test_what_is_not_there_cannot_be_forgotten(store: Store) -> None:
    with pytest.raises(StreamNotFound):
        store.forget(Selection(stream_id="cam"))
    with pytest.raises(MomentNotFound):
        store.forget(Selection(moment_ids=("cam:0000000000",)))


def test_episodes_that_rested_on_what_went_hold_no_byte_of_it(tmp_path: Path) -> None:
    planted = list(talk(0, 1500, 0))
    texts = [f"{CANARY} keeps the key under lot {n}" for n in range(3)]
    for n, text in enumerate(texts):
        planted[20 + n] = said_in(planted[20 + n], text)
    now = [0.0]
    with Store(tmp_path, HashEmbedder()) as store:
        store._longterm.consolidation._clock = lambda: now[0]
        remember_all(store, planted)
        store.consolidate()
        now[0] = QUIET + 1
        store.consolidate()
        assert traces(store, vectors_of=texts)
        assert all(CANARY in store.episodes("cam", level=level)[0].text for level in (1, 2, 3))
        receipt = store.forget(Selection(stream_id="cam", start=120.0, end=137.0))
        assert (receipt.observations, receipt.moments, receipt.episodes) == (6, 3, 1)
        assert traces(store, vectors_of=texts) == []
        assert [len(store.episodes("cam", level=level)) for level in (2, 3)] == [1, 1]
        assert store.episodes("cam", level=3)[0].moments == len(planted) - 3
        remember_all(store, planted)
        store.consolidate()
        assert store.episodes("cam", level=3)[0].moments == len(planted)


def test_a_forgotten_stream_takes_its_episodes_with_it(tmp_path: Path) -> None:
    """Lance writes down what a deletion selected: no such note may outlive it either."""
    with Store(tmp_path, HashEmbedder()) as store:
        moments = talk(0, 1500, 0, stream_id=CANARY)
        remember_all(store, [said_in(m, CANARY) for m in moments])
        store.consolidate()
        assert store.episodes(CANARY)
        receipt = store.forget(Selection(stream_id=CANARY))
        assert receipt.episodes > 0
        assert store.tables.episodes.count_rows() == 0
        assert traces(store, vectors_of=[CANARY]) == []
