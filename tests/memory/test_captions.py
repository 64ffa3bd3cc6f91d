"""Captions join their moments after these were remembered, and go with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.captions import CAPTION
from memory.records import Query, Selection
from memory.store import Store
from tests.memory.storing import HashEmbedder, moment, picture, stream

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", HashEmbedder()) as opened:
        yield opened


def remember(store: Store, count: int, name: str = "cam") -> list[str]:
    digests = []
    for number in range(count):
        digest, content = picture(f"{name} {number}")
        shown = moment(number, name, 1, digest)
        store.remember(stream(name, 5.0 * number + 5.0), [shown], {digest: content})
        digests.append(digest)
    return digests


def test_the_latest_keyframes_without_a_caption_come_first(store: Store) -> None:
    digests = remember(store, 3)
    store.remember(stream("cam", 30.0), [moment(5, "cam", 1)], {})  # no keyframe
    waiting = store.uncaptioned(10)
    assert [one.keyframe for one in waiting] == digests[::-1]
    assert store.uncaptioned(1) == waiting[:1]
    assert store.caption(waiting[1].moment_id, waiting[1].keyframe, "A man waters a fern.")
    assert store.uncaptioned(10) == [waiting[0], waiting[2]]


def test_a_caption_is_seen_found_and_known_by_its_ref(store: Store) -> None:
    remember(store, 2)
    at = store.uncaptioned(1)[0]
    assert store.caption(at.moment_id, at.keyframe, "A man waters a fern.")
    held = store.moment(at.moment_id)
    assert held.keyframe == at.keyframe
    seen = [o for o in held.observations if o.ref == CAPTION]
    assert [(o.kind, o.text, o.start, o.end) for o in seen] == [
        ("vision", "A man waters a fern.", held.start, held.end)
    ]
    assert store.search(Query("fern"))[0].moment_id == at.moment_id
    assert not store.caption(at.moment_id, at.keyframe, "A man waters a fern.")


def test_what_was_forgotten_meanwhile_does_not_come_back(store: Store) -> None:
    remember(store, 2)
    late, early = store.uncaptioned(2)
    store.forget(Selection(moment_ids=(late.moment_id,)))
    assert not store.caption(late.moment_id, late.keyframe, "A man waters a fern.")
    assert not store.caption(early.moment_id, late.keyframe, "A man waters a fern.")
    store.forget(Selection(stream_id="cam"))
    assert not store.caption(early.moment_id, early.keyframe, "A man waters a fern.")
    assert store.streams() == []
    assert store.stats().observations == 0


def test_forgetting_takes_the_caption_too(store: Store) -> None:
    remember(store, 1)
    at = store.uncaptioned(1)[0]
    store.caption(at.moment_id, at.keyframe, "zanzibarquokka on a fence")
    store.forget(Selection(stream_id="cam"))
    left = [p for p in store.path.rglob("*") if p.is_file() and b"quokka" in p.read_bytes()]
    assert left == []
