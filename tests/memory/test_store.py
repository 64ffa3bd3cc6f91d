from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from memory.errors import (
    InvalidRequest,
    KeyframeNotFound,
    KeyframeTorn,
    MomentNotFound,
    StoreClosed,
    StoreMissing,
    StreamNotFound,
)
from memory.store import Store
from memory.tables import vectors_of
from perception.records import Moment, Observation, Tag, moment_id
from tests.memory.storing import HashEmbedder, moment, picture, said, stream

pytestmark = pytest.mark.unit


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def store(tmp_path: Path, embedder: HashEmbedder) -> Iterator[Store]:
    with Store(tmp_path / "store", embedder) as opened:
        yield opened


def test_what_was_remembered_comes_back_as_it_was_given(store: Store) -> None:
    observations = (
        Observation(
            "cam", "vision", 0.5, 2.0, "kettle", tags=(Tag("kettle", 0.5), Tag("pan", 0.25))
        ),
        Observation(
            "cam", "speech", 1.0, 1.5, "it's 90°\nalmost", "Åsa", "r'7", "question", 0.5, "sv"
        ),
    )
    given = Moment("cam", 0.0, 4.0, observations)
    store.remember(stream(), [given], {})
    assert store.moment(given.id) == given
    assert store.timeline("cam") == [given]
    assert store.streams() == [stream(seconds=4.0)]


@pytest.mark.parametrize(
    "name", ["it's", 'a"b', "x' OR '1'='1", "日本語 ☕", "a;DROP", "back\\slash", "%_"]
)
def test_a_stream_may_have_any_name(store: Store, name: str) -> None:
    store.remember(stream("other"), [moment(0, "other")], {})
    store.remember(stream(name), [moment(0, name)], {})
    assert store.timeline(name) == [moment(0, name)]
    assert store.snapshot(name).stream_time == 5.0
    assert len(store.neighbours([moment(0, name).observations[1]], 10.0)[0]) == 2


def test_remembering_again_changes_and_embeds_nothing(store: Store, embedder: HashEmbedder) -> None:
    moments = [moment(n) for n in range(4)]
    version = store.remember(stream(), moments, {})
    embedded = len(embedder.texts)
    assert store.remember(stream(), moments, {}) == version
    assert store.stats().observations == 12
    assert len(embedder.texts) == embedded


def test_a_moment_gains_what_it_lacked_and_loses_nothing(store: Store) -> None:
    digest, content = picture("gate")
    store.remember(stream(), [moment(1, count=2, keyframe=digest)], {digest: content})
    later = said("cam", 6.5, "the gate is open", 5.0)
    store.remember(stream(), [Moment("cam", 5.0, 11.5, (later,))], {})
    held = store.moment(moment_id("cam", 5.0))
    assert held.observations == (*moment(1, count=2).observations, later)
    assert (held.end, held.keyframe) == (11.5, digest)


def test_a_corrected_observation_takes_the_place_of_the_first(store: Store) -> None:
    store.remember(stream(), [Moment("cam", 0.0, 3.0, (said("cam", 0.0, "left", 1.0),))], {})
    longer = said("cam", 0.0, "left", 2.5)
    store.remember(stream(), [Moment("cam", 0.0, 3.0, (longer,))], {})
    assert store.moment(moment_id("cam", 0.0)).observations == (longer,)


def test_a_timeline_is_sorted_and_cut_to_what_overlaps(store: Store) -> None:
    for number in (3, 0, 2, 1):
        store.remember(stream(), [moment(number)], {})
    assert [m.start for m in store.timeline("cam")] == [0.0, 5.0, 10.0, 15.0]
    assert [m.start for m in store.timeline("cam", 7.0, 12.0)] == [5.0, 10.0]
    with pytest.raises(StreamNotFound):
        store.timeline("dam")


def test_neighbours_are_near_in_time_and_of_the_same_stream(store: Store) -> None:
    store.remember(stream(), [moment(n) for n in range(3)], {})
    store.remember(stream("lab"), [moment(0, "lab")], {})
    middle = moment(1).observations[1]
    assert [[o.start for o in near] for near in store.neighbours([middle], 1.5)] == [[5.0, 7.0]]


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    digest, content = picture("door")
    moments = [moment(0, keyframe=digest), moment(1)]
    with Store(tmp_path, HashEmbedder()) as store:
        version = store.remember(stream(seconds=60.0), moments, {digest: content})
    with Store(tmp_path, HashEmbedder(), create=False) as store:
        assert store.timeline("cam") == moments
        assert store.keyframe(moments[0].id) == content
        assert store.snapshot("cam").stream_time == 60.0
        assert store.snapshot().version >= version


def test_a_streams_seconds_never_go_back_and_its_beginning_stays(store: Store) -> None:
    store.remember(stream(seconds=100.0), [moment(0)], {})
    moved = stream(seconds=20.0)
    store.remember(moved.__class__("cam", moved.wall_start.replace(year=2030), ""), [moment(1)], {})
    assert store.streams() == [stream(seconds=100.0)]


def test_tagged_frames_get_the_mixture_of_their_tags(store: Store, embedder: HashEmbedder) -> None:
    frame = Observation("cam", "vision", 0.0, 1.0, "x", tags=(Tag("cup", 0.75), Tag("sink", 0.25)))
    store.remember(stream(), [Moment("cam", 0.0, 1.0, (frame,))], {})
    cup, sink = embedder.embed(["cup", "sink"])
    mixture = 0.75 * cup + 0.25 * sink
    (vector,) = vectors_of(store.tables.observations.to_arrow())
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert vector @ mixture / np.linalg.norm(mixture) > 0.9999


def test_a_keyframe_comes_back_or_says_why_not(store: Store) -> None:
    digest, content = picture("shelf")
    store.remember(stream(), [moment(0, keyframe=digest), moment(1)], {digest: content})
    assert store.keyframe(moment(0).id) == content
    with pytest.raises(KeyframeNotFound):
        store.keyframe(moment(1).id)
    with pytest.raises(MomentNotFound):
        store.keyframe("cam:9999999999")


def test_a_torn_keyframe_is_never_served_and_is_healed_by_remembering(store: Store) -> None:
    digest, content = picture("shelf")
    store.remember(stream(), [moment(0, keyframe=digest)], {digest: content})
    (file,) = (store.path / "media").rglob("*.jpg")
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(KeyframeTorn):
        store.keyframe(moment(0).id)
    store.remember(stream(), [moment(0, keyframe=digest)], {digest: content})
    assert store.keyframe(moment(0).id) == content


@pytest.mark.parametrize(
    "wrong",
    [
        Moment("dam", 0.0, 1.0, ()),
        Moment("cam", 3.0, 1.0, ()),
        Moment("cam", float("nan"), 1.0, ()),
        Moment("cam", 0.0, 1.0, (said("dam", 0.0, "x"),)),
        Moment("cam", 0.0, 1.0, (said("cam", float("inf"), "x"),)),
        Moment("cam", 0.0, 1.0, (), keyframe="0" * 64),
        Moment("cam", 1e15, 1e15, ()),
        Moment("cam", 0.0, 1.0, (said("cam", 0.0, "half \ud800"),)),
    ],
)
def test_what_makes_no_sense_is_refused_whole(store: Store, wrong: Moment) -> None:
    with pytest.raises(InvalidRequest):
        store.remember(stream(), [moment(2), wrong], {})
    assert store.streams() == []


def test_callers_at_once_share_commits_and_each_finds_its_own(store: Store) -> None:
    def feed(name: str) -> None:
        for number in range(6):
            store.remember(stream(name), [moment(number, name)], {})
            assert store.moment(moment(number, name).id) == moment(number, name)

    names = [f"cam {n}" for n in range(8)]
    run_at_once([partial(feed, name) for name in names])
    assert store.stats().observations == 8 * 6 * 3
    assert store.stats().ledger["commits"] < 8 * 6


def test_readers_see_only_whole_moments_while_others_write(store: Store) -> None:
    store.remember(stream(), [moment(0)], {})
    written = threading.Event()
    looks = []

    def write() -> None:
        for number in range(1, 40):
            store.remember(stream(), [moment(number)], {})
        written.set()

    def read() -> None:
        while not written.is_set():
            seen = store.timeline("cam")
            looks.append(len(seen))
            assert seen == [moment(n) for n in range(len(seen))]

    run_at_once([write, read, read])
    assert looks == sorted(looks) or len(looks) > 1
    assert len(store.timeline("cam")) == 40


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path, HashEmbedder())
    store.close()
    store.close()
    with pytest.raises(StoreClosed):
        store.remember(stream(), [moment(0)], {})
    with pytest.raises(StoreClosed):
        store.streams()


def test_a_missing_store_is_not_made_when_only_to_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        Store(tmp_path / "none", HashEmbedder(), create=False)
    assert not (tmp_path / "none").exists()


def run_at_once(works: list[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    if failures:
        raise failures[0]
