"""Canaries in everything a store holds; after forgetting, every byte and every old version is read."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from memory.quantised import quantised
from memory.records import Query, Selection
from memory.retention import Retention
from memory.store import Store
from memory.words import stems
from perception.records import Moment, Observation, Stream, Tag
from tests.memory.storing import BEGAN, HashEmbedder, moment, stream

pytestmark = pytest.mark.unit

WORDS = {
    "text": "zanzibarquokka",
    "speaker": "Plinthwaite",
    "ref": "ref-90210-xylem",
    "language": "qz",  # too short to look for in bytes
    "tag": "okapivane",
    "stream": "cam-wobblefen",
    "read": "GRUMBLETHORPE",
}
SOUGHT = [word for word in WORDS.values() if len(word) > 2]
PICTURE = b"\xff\xd8\xff" + b"picture of zanzibarquokka" * 30
DIGEST = hashlib.sha256(PICTURE).hexdigest()
Forget = Callable[[Store], object]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", HashEmbedder()) as opened:
        yield opened


def planted(name: str, start: float) -> Moment:
    more = {"speaker": WORDS["speaker"], "ref": WORDS["ref"], "language": WORDS["language"]}
    return Moment(
        name,
        start,
        start + 5.0,
        (
            Observation(name, "speech", start, start + 2, f"the {WORDS['text']} sings", **more),  # type: ignore[arg-type]  # the keywords are strings
            Observation(name, "screen_text", start + 1, start + 2, WORDS["read"]),
            Observation(
                name, "vision", start + 2, start + 3, "bird", tags=(Tag(WORDS["tag"], 0.5),)
            ),
        ),
        DIGEST,
    )


def traces(store: Store, words: list[str]) -> list[str]:
    """Where a canary is: as bytes of a file, in a file's name, or read from a version of a table."""
    sought = [form.encode() for word in words for form in (word, word.lower())]
    vectors = HashEmbedder().embed([f"the {WORDS['text']} sings", WORDS["read"], WORDS["tag"]])
    sought += [row[8:24].tobytes() for row in quantised(vectors)]
    sought += [PICTURE[3:40], DIGEST.encode()]
    found = [
        str(path)
        for path in store.path.rglob("*")
        if any(s in str(path).encode() for s in sought)
        or (path.is_file() and any(s in path.read_bytes() for s in sought))
    ]
    for name in store.tables.db.list_tables().tables:
        for version in store.tables.db.open_table(name).list_versions():
            table = store.tables.db.open_table(name)
            table.checkout(version["version"])
            held = str(table.to_arrow().to_pylist()).casefold()
            found += [f"{name} at {version}" for word in words if word.casefold() in held]
    found += [f"search: {w}" for w in words if w in str(store.search(Query(w, limit=50)))]
    terms = {stem for word in words for stem in stems(word)}
    found += [f"index: {term}" for term in terms if len(store._search._index.postings(term))]
    return found


WAYS: dict[str, Forget] = {
    "stream": lambda store: store.forget(Selection(stream_id=WORDS["stream"])),
    "span": lambda store: store.forget(
        Selection(stream_id=WORDS["stream"], start=7200.0, end=7205.0)
    ),
    "moment": lambda store: store.forget(
        Selection(moment_ids=(planted(WORDS["stream"], 7200.0).id,))
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("compacted", [False, True])
def test_no_canary_is_left_within_a_minute(store: Store, way: str, compacted: bool) -> None:
    name = WORDS["stream"]
    store.remember(stream(), [moment(n) for n in range(80)], {})
    store.remember(stream(name), [planted(name, 7200.0)], {DIGEST: PICTURE})
    store.remember(stream(), [moment(n) for n in range(80, 100)], {})
    if compacted:
        with store._upkeep.held_off():
            store._writer.call(lambda: [table.optimize() for table in store.tables.all()])
    assert len(traces(store, SOUGHT)) > 10
    began = time.monotonic()
    WAYS[way](store)
    assert traces(store, SOUGHT) == []
    assert time.monotonic() - began < 60
    assert store.timeline("cam") == [moment(n) for n in range(100)]


def test_what_is_too_old_goes_without_a_trace_and_is_counted(tmp_path: Path) -> None:
    """Two streams: one all too old, one of which the last moments are kept."""
    now = [BEGAN + timedelta(days=3)]
    with Store(tmp_path, HashEmbedder(), retention=timedelta(days=3)) as store:
        store._retention = Retention(
            store.tables, store._forgetting.forget, timedelta(days=3), lambda: now[0]
        )
        old = WORDS["stream"]
        store.remember(Stream(old, BEGAN, "x"), [planted(old, 0.0)], {DIGEST: PICTURE})
        store.remember(stream(), [moment(n) for n in range(10)], {})
        store._writer.call(store._retention.run)
        assert len(store.streams()) == 2
        now[0] += timedelta(seconds=25.0)
        store._writer.call(store._retention.run)
        assert traces(store, SOUGHT) == []
        assert store.timeline("cam") == [moment(n) for n in range(5, 10)]
        assert [s.id for s in store.streams()] == ["cam"]
        ledger = store.stats().ledger
        assert (ledger["expired_moments"], ledger["expired_observations"]) == (6, 18)
        assert (ledger["expired_streams"], ledger["retention_days"]) == (1, 3.0)


def test_upkeep_forgets_by_age(tmp_path: Path) -> None:
    with Store(tmp_path, HashEmbedder()) as store:
        store.remember(stream(), [moment(0)], {})
        assert "retention_days" not in store.stats().ledger
    with Store(tmp_path, HashEmbedder(), retention=timedelta(days=1)) as store:
        today = datetime.now(BEGAN.tzinfo)
        store.remember(Stream("new", today, "x"), [moment(0, "new")], {})
        store._upkeep.look()
        assert [s.id for s in store.streams()] == ["new"]
