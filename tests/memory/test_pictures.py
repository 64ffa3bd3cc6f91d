"""Keyframes found by what they show; a fake that knows colours stands in for the picture model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from memory.archive import Archive, ArchiveWriter
from memory.records import Hit, Query
from memory.sights import UNSAID, fused
from memory.store import Store
from perception.pictures import ColourEncoder
from perception.records import Moment, Observation
from tests.memory.picturing import Counting, opened, remember, shown
from tests.memory.storing import BEGAN, said, stream

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "store", ColourEncoder()) as made:
        yield made


def test_a_picture_is_found_by_what_it_shows(store: Store) -> None:
    red, green, blue = remember(store, ["red", "green", "blue"])
    store.encode_pictures()
    for colour, digest in (("red", red), ("green", green), ("blue", blue)):
        best = store.search(Query(f"something {colour}"))[0]
        assert best.keyframe == digest
        assert best.likeness is not None
        assert best.likeness > 0.5
    assert store.stats().ledger["pictures_waiting"] == 0
    assert store.stats().ledger["pictures"] == 3


def test_it_is_encoded_without_being_asked_for(tmp_path: Path) -> None:
    encoder = Counting()
    with opened(tmp_path / "store", encoder) as made:
        remember(made, ["red"])
        assert encoder.began.wait(20)


def test_the_very_words_come_before_a_likeness(store: Store) -> None:
    remember(store, ["green", "red", "green"])
    store.remember(
        stream("talk", 9.0),
        [Moment("talk", 0.0, 5.0, (said("talk", 1.0, "the red folder is with Oda"),))],
        {},
    )
    store.encode_pictures()
    words = store.search(Query("red folder"))
    assert words[0].observation.text == "the red folder is with Oda"
    assert [hit.score for hit in words] == sorted((hit.score for hit in words), reverse=True)


def test_a_moment_of_which_only_the_picture_is_kept_is_found(store: Store) -> None:
    digest, content = shown("blue")
    store.remember(stream("cam", 9.0), [Moment("cam", 2.0, 7.0, (), digest)], {digest: content})
    store.encode_pictures()
    (found,) = store.search(Query("something blue"))
    assert (found.observation.text, found.observation.kind) == (UNSAID, "vision")
    assert (found.observation.start, found.observation.end) == (2.0, 7.0)
    assert store.keyframe(found.moment_id) == content


def test_what_was_seen_stands_for_the_picture_rather_than_what_was_said(store: Store) -> None:
    digest, content = shown("red")
    seen = Observation("cam", "vision", 2.0, 6.0, "a bucket")
    both = Moment("cam", 0.0, 7.0, (said("cam", 1.0, "we are late"), seen), digest)
    store.remember(stream("cam", 9.0), [both], {digest: content})
    store.encode_pictures()
    found = [h for h in store.search(Query("red")) if h.likeness is not None]
    assert [hit.observation.text for hit in found] in ([seen.text], ["we are late"])
    only = store.search(Query("red", kinds=("vision",)))
    assert [hit.observation for hit in only] == [seen]


def test_filters_hold_for_pictures_too(store: Store) -> None:
    first = remember(store, ["red", "red"], "yard")
    version = store.snapshot().version
    remember(store, ["green", "green", "red"], "hall")
    store.encode_pictures()

    def found(**more: Any) -> set[str]:
        hits = store.search(Query("red", **more))
        return {h.moment_id for h in hits if h.likeness is not None and h.likeness > 0.5}

    every = {"yard:0000000000", "yard:0000005000", "hall:0000010000"}
    assert found() == every
    assert found(stream_id="hall") == {"hall:0000010000"}
    assert found(stream_ids=("yard",)) == every - {"hall:0000010000"}
    assert found(start=6.0) == every - {"yard:0000000000"}
    assert found(end=4.0) == {"yard:0000000000"}
    assert found(before=6.0) == {"yard:0000000000"}
    assert found(version=version) == every - {"hall:0000010000"}
    assert found(before_wall=BEGAN + timedelta(seconds=6)) == {"yard:0000000000"}
    assert found(kinds=("screen_text",)) == found(roles=("answer",)) == set()
    assert len(first) == 2


# Stores made by others


def test_a_store_made_without_a_picture_model_loses_nothing_and_gains_pictures(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store"
    with opened(path) as plain:
        digests = remember(plain, ["red", "green", "blue"])
        before = plain.timeline("cam")
        words = plain.search(Query("crate 1"))
        assert plain.stats().ledger["pictures"] == 0
    with opened(path, ColourEncoder()) as seeing:
        seeing.encode_pictures()
        assert seeing.timeline("cam") == before
        assert seeing.search(Query("something green"))[0].keyframe == digests[1]
    with opened(path) as plain:  # and back
        assert plain.timeline("cam") == before
        assert plain.search(Query("crate 1")) == words
        assert plain.stats().ledger["pictures"] == 3


def test_vectors_of_two_models_are_kept_beside_each_other(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with opened(path, Counting()) as one:
        red = remember(one, ["red", "blue"])[0]
        one.encode_pictures()
    with opened(path, Counting("other", 48)) as other:
        other.encode_pictures()
        assert other.stats().ledger["pictures"] == 4
        assert other.search(Query("red"))[0].keyframe == red
    again = Counting()
    with opened(path, again) as one:
        one.encode_pictures()
        assert one.search(Query("red"))[0].keyframe == red
    assert again.given == 0


def test_an_archive_brings_pictures_that_are_encoded_anew(tmp_path: Path) -> None:
    file = tmp_path / "cam.zip"
    with opened(tmp_path / "store", ColourEncoder()) as store, file.open("wb") as out:
        remember(store, ["red", "blue"])
        store.encode_pictures()
        writer = ArchiveWriter(out, store.streams()[0], "hash")
        moments = store.timeline("cam")
        for name, rows in store.rows("cam").items():
            writer.add(f"tables/{name}.parquet", rows)
        writer.add_moments(moments)
        for one in moments:
            assert one.keyframe is not None
            writer.add_keyframe(one.keyframe, store.keyframe(one.id))
        writer.finish(len(moments))
    with opened(tmp_path / "other", ColourEncoder()) as other, file.open("rb") as archived:
        archive = Archive(archived)
        other.add_rows("cam", archive.tables())
        for one in archive.moments():
            assert one.keyframe is not None
            other.remember(archive.stream, [one], {one.keyframe: archive.keyframe(one.keyframe)})
        other.encode_pictures()
        assert other.search(Query("blue"))[0].keyframe == moments[1].keyframe


# Fusion


def hit(name: str, moment_id: str, score: float, coverage: float, **more: Any) -> Hit:
    seen = Observation("s", "speech", float(ord(name[0])), 200.0, name)
    return Hit(seen, moment_id, score, 0.0, coverage, BEGAN, None, **more)


def test_likenesses_count_as_much_as_words_do_not_cover_the_query() -> None:
    texts = [hit(name, name, 9.0 - at, 0.0) for at, name in enumerate("abcd")]
    seen = [hit("x", "x", 0.0, 0.0, likeness=0.9), hit("c", "c", 0.0, 0.0, likeness=0.8)]

    def order(texts: list[Hit], limit: int = 4) -> list[str]:
        return [one.observation.text for one in fused(texts, seen, limit)]

    assert order(texts) == ["x", "c", "a", "b"]
    assert order([replace(one, similarity=0.8) for one in texts]) == ["c", "x", "a", "b"]
    assert order([replace(one, coverage=0.6) for one in texts]) == ["c", "a", "b", "d"]
    assert order([replace(one, coverage=1.0) for one in texts], 5) == ["a", "b", "c", "d", "x"]
    assert order([], 1) == ["x"]
    assert [one.score for one in fused(texts, seen, 10)] == [9.0, 8.0, 7.0, 6.0, 6.0]
