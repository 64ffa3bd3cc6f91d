"""Keyframes found by what they show; a fake that knows colours stands in for the picture model."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from memory.archive import Archive, ArchiveWriter
from memory.encoding import AT_ONCE, PictureEncoder, decoded
from memory.picture_rows import vector_bytes
from memory.records import Hit, Query, Selection
from memory.sights import UNSAID, fused
from memory.store import Store
from perception import keyframes
from perception.pictures import ColourEncoder, SiglipEncoder
from perception.records import Image, Moment, Observation
from tests.memory.episodic import talk
from tests.memory.storing import BEGAN, HashEmbedder, moment, said, stream
from tests.perception import tiny_models

pytestmark = pytest.mark.unit

COLOURS = {"red": (200, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 200)}


def shown(colour: str, seed: int = 0) -> tuple[str, bytes]:
    """A keyframe of that colour: its digest and its bytes."""
    noise = np.random.default_rng(seed).integers(0, 24, (36, 64, 3))
    encoded = keyframes.encode((np.array(COLOURS[colour]) + noise).astype(np.uint8))
    return keyframes.name_of(encoded), encoded


def remember(store: Store, colours: Sequence[str], name: str = "cam") -> list[str]:
    """A moment for each colour, and speech that tells nothing of it; the keyframes."""
    pictures = [shown(colour, seed) for seed, colour in enumerate(colours)]
    moments = [moment(at, name, 1, digest) for at, (digest, _) in enumerate(pictures)]
    store.remember(stream(name, 5.0 * len(colours)), moments, dict(pictures))
    return [digest for digest, _ in pictures]


def opened(path: Path, encoder: PictureEncoder | None = None, **more: Any) -> Store:
    return Store(path, HashEmbedder(), pictures=encoder, **more)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "store", ColourEncoder()) as made:
        yield made


class Counting(ColourEncoder):
    """Also counts what it was given, and waits where a test says so."""

    def __init__(self, model_id: str = "colours", dimension: int = 32) -> None:
        self.model_id, self.dimension = model_id, dimension
        self.given = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.began = threading.Event()
        self.broken = False

    def encode_images(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        self.began.set()
        assert self.go_on.wait(20)
        if self.broken:
            raise RuntimeError("the model is away")
        self.given += len(images)
        return super().encode_images(images)

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if self.broken:
            raise RuntimeError("the model is away")
        return super().encode_texts(texts)


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


# What goes


def vectors_held(store: Store) -> list[str]:
    return sorted(store.tables.pictures.search().to_arrow()["digest"].to_pylist())


def test_what_is_forgotten_leaves_no_byte_of_its_vector(store: Store) -> None:
    red, green = remember(store, ["red", "green"])
    store.encode_pictures()
    sought = np.asarray(ColourEncoder().encode_texts(["red"])[0], np.float16)[4:12].tobytes()
    tables = store.path / "tables"

    def files() -> list[str]:
        return [
            str(path)
            for path in tables.rglob("*")
            if path.is_file() and any(b in path.read_bytes() for b in (sought, red.encode()))
        ]

    assert files()
    store.forget(Selection(stream_id="cam", start=0.0, end=4.0))
    assert files() == []
    assert vectors_held(store) == [green]
    assert not [h for h in store.search(Query("red")) if (h.likeness or 0) > 0.5]
    assert len(store.tables.pictures.list_versions()) == 1


def test_a_picture_forgotten_and_seen_again_is_encoded_again(store: Store) -> None:
    (red,) = remember(store, ["red"])
    store.encode_pictures()
    store.forget(Selection(stream_id="cam"))
    assert vectors_held(store) == []
    remember(store, ["red"])
    store.encode_pictures()
    assert vectors_held(store) == [red]


def test_a_picture_that_another_moment_shows_keeps_its_vector(store: Store) -> None:
    digest, content = shown("red")
    for name in ("yard", "hall"):
        store.remember(stream(name, 5.0), [moment(0, name, 1, digest)], {digest: content})
    store.encode_pictures()
    store.forget(Selection(stream_id="yard"))
    assert vectors_held(store) == [digest]
    assert store.search(Query("red"))[0].observation.stream_id == "hall"


def test_what_is_forgotten_while_it_is_being_encoded_gets_no_vector(tmp_path: Path) -> None:
    encoder = Counting()
    encoder.go_on.clear()
    with opened(tmp_path / "store", encoder) as store:
        remember(store, ["red"])
        assert encoder.began.wait(20)
        store.forget(Selection(stream_id="cam"))
        encoder.go_on.set()
        store.encode_pictures()
        assert vectors_held(store) == []


def test_the_budget_weighs_vectors_and_drops_them_with_their_pictures(tmp_path: Path) -> None:
    """Pictures fit the hour's bytes by themselves, not with 4 kB of vectors each."""
    pictures = [shown("red", seed) for seed in range(60)]
    moments = [
        replace(one, keyframe=digest)
        for one, (digest, _) in zip(talk(0.0, 3600.0, 0, every=60.0), pictures, strict=True)
    ] + talk(3600.0, 1800.0, 1, every=60.0)
    files = sum(len(content) for _, content in pictures)
    path = tmp_path / "store"

    def held(megabytes: float, encoder: PictureEncoder | None) -> list[str]:
        with opened(path, encoder, budget_mb_per_hour=megabytes) as store:
            store.remember(stream("cam", 5400.0), moments, dict(pictures))
            store.encode_pictures()
            store.consolidate()
            kept = {one.keyframe for one in store.timeline("cam") if one.keyframe is not None}
            assert sum(vector_bytes(store.tables.pictures).values()) == 4426 * len(kept) * bool(
                encoder
            )
            assert {digest for digest, _ in store.place.media.sizes()} == kept
            if encoder is not None:
                assert set(vectors_held(store)) == kept
            return sorted(kept)

    fits = (files + 60 * 3 * 2500) / 1e6
    without = held(fits, None)
    assert len(without) == 60
    assert 0 < len(held(fits, Counting(dimension=2048))) < 60


# What goes wrong


def test_cut_off_between_slices_it_goes_on_where_it_was(tmp_path: Path) -> None:
    path, copy = tmp_path / "store", tmp_path / "copy"
    count = 2 * AT_ONCE + 3
    with opened(path) as plain:
        remember(plain, ["red", "green", "blue"] * (count // 3 + 1))
    encoder = Counting()
    with opened(path, encoder) as store:
        assert store._encoding is not None
        while store.stats().ledger["pictures"] == 0:
            store._encoding._slice()
        shutil.copytree(path, copy)  # as `kill -9` would leave it
        store.encode_pictures()
        whole = vectors_held(store)
    again = Counting()
    with opened(copy, again) as store:
        store.encode_pictures()
        assert vectors_held(store) == whole
    assert 0 < again.given <= len(whole) - AT_ONCE


def test_a_keyframe_that_is_damaged_is_counted_and_holds_up_no_other(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with opened(path) as plain:
        red, green = remember(plain, ["red", "green"])
        (torn,) = (path / "media").rglob(f"{red}*")
        torn.write_bytes(torn.read_bytes()[:40])
    with opened(path, ColourEncoder()) as store:
        store.encode_pictures()
        assert store.stats().ledger["pictures_unreadable"] == 1
        assert store.stats().ledger["pictures_waiting"] == 0
        assert vectors_held(store) == [green]


def test_while_the_model_is_away_words_still_find_and_pictures_wait(tmp_path: Path) -> None:
    encoder = Counting()
    with opened(tmp_path / "store", encoder) as store:
        remember(store, ["red"])
        store.encode_pictures()
        encoder.broken = True
        remember(store, ["green"], "hall")
        assert store.search(Query("crate 0"))[0].observation.text == "crate 0 has part 0"
        with pytest.raises(RuntimeError, match="away"):
            store.encode_pictures()
        stats = store.stats().ledger
        assert (stats["pictures_waiting"], stats["pictures"]) == (1, 1)
        assert stats["pictures_failed"] >= 1
        encoder.broken = False
        store.encode_pictures()
        assert store.stats().ledger["pictures_waiting"] == 0


def test_a_memory_without_a_picture_model_loads_no_torch() -> None:
    code = "import sys, memory.store, serve.pictures; print('torch' in sys.modules)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "False"


def test_a_real_architecture_serves_a_store_made_without_one(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with opened(path) as embedded:
        digests = remember(embedded, ["red", "green", "blue"])
    encoder = SiglipEncoder.load(str(tiny_models.siglip(tmp_path / "siglip")), device="cpu")
    with opened(path, encoder) as store:
        store.encode_pictures()
        hits = [h for h in store.search(Query("a photo of the cup")) if h.likeness is not None]
        asked = encoder.encode_texts(["a photo of the cup"])[0]
        shown = [decoded(store.place.media.read(digest)) for digest in digests]
        expected = dict(zip(digests, encoder.encode_images(shown) @ asked, strict=True))
        assert {hit.keyframe for hit in hits} == set(digests)
        for hit in hits:
            assert hit.likeness == pytest.approx(expected[str(hit.keyframe)], abs=0.02)
        likenesses = [hit.likeness for hit in hits]
        assert likenesses == sorted(likenesses, key=lambda cosine: -(cosine or 0))


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
