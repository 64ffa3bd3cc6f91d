"""Vectors of keyframes go with what is forgotten or given up, and outlast what breaks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from memory.encoding import AT_ONCE, PictureEncoder, decoded
from memory.picture_rows import vector_bytes
from memory.records import Query, Selection
from memory.store import Store
from perception import keyframes
from perception.pictures import ColourEncoder, SiglipEncoder
from tests.memory.episodic import talk
from tests.memory.picturing import Counting, opened, png_header, remember, shown, vectors_held
from tests.memory.storing import moment, stream
from tests.perception import tiny_models

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "store", ColourEncoder()) as made:
        yield made


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

    fits = (files + 60 * 3 * 900) / 1e6
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


@pytest.mark.parametrize("side", [9_000, 20_000])
def test_a_keyframe_of_a_size_that_none_has_is_not_decoded(tmp_path: Path, side: int) -> None:
    """Brought by an archive, it was tried for ever, and no other was encoded after it."""
    path = tmp_path / "store"
    with opened(path) as plain:
        (green,) = remember(plain, ["green"])
        huge = png_header(side, side)
        digest = keyframes.name_of(huge)
        plain.remember(stream("hall", 5.0), [moment(0, "hall", 1, digest)], {digest: huge})
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
