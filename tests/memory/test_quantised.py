"""Vectors are kept at eight bits; stores that were made before they were open all the same."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from lancedb.index import FTS

from memory.errors import StoreFull
from memory.fence import fenced
from memory.folder import Folder
from memory.migrations import migrate
from memory.quantised import directions, quantised
from memory.records import Query, Selection
from memory.store import Store
from memory.tables import OBSERVATIONS, connect, vectors_of
from tests.memory.episodic import remember, talk
from tests.memory.storing import HashEmbedder, moment, stream

pytestmark = pytest.mark.unit

MOMENTS = [moment(n) for n in range(40)]
LAST = "m006_vectors_at_eight_bits"


def test_eight_bits_keep_the_cosines_and_what_was_kept_so_stays_as_it_is() -> None:
    random = np.random.default_rng(7)
    vectors = random.standard_normal((500, 384)).astype(np.float32)
    vectors[:, 0] *= 5  # one number far larger than the others
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kept = quantised(vectors)
    read = directions(kept)
    assert np.allclose(np.linalg.norm(read, axis=1), 1, atol=1e-5)
    assert np.abs(read @ vectors.T - vectors @ vectors.T).max() < 0.01
    assert (quantised(read) == kept).all()
    nothing = np.zeros((1, 384), np.float32)
    assert (directions(quantised(nothing)) == 0).all()
    assert directions(kept[:0]).shape == (0, 384)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose vectors are float32, with the text twice and the indexes of a first release."""
    folder = tmp_path_factory.mktemp("older")
    with Store(folder, HashEmbedder()) as store:
        for first in (0, 20):
            store.remember(stream(), MOMENTS[first : first + 20], {})
        with store._upkeep.held_off():
            store._writer.call(lambda: _rewrite_as_before(store))
    return folder


def _rewrite_as_before(store: Store) -> None:
    table = store.tables.observations
    rows = table.to_arrow()
    vectors = HashEmbedder().embed(rows["text"].to_pylist())
    numbers = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 384)
    said = pa.array([f"Ivo: {text}" for text in rows["text"].to_pylist()])
    rows = rows.drop_columns(["vector"]).append_column("search_text", said)
    store.tables.db.create_table(
        "observations", rows.append_column("vector", numbers), mode="overwrite"
    )
    table.checkout_latest()
    table.create_index("search_text", config=FTS())
    store.maintenance.create_indexes()
    store.tables.db.open_table("meta").delete(f"migration = '{LAST}'")
    store._seal()


def copied(older: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(older, tmp_path / "store"))


def assert_whole(folder: Path) -> None:
    with Store(folder, HashEmbedder()) as store:
        assert store.timeline("cam") == MOMENTS
        table = store.tables.observations
        assert set(table.schema.names) == set(OBSERVATIONS.names)
        assert table.schema.field("vector").type == pa.list_(pa.int8(), 384)
        rows = table.to_arrow()
        expected = HashEmbedder().embed(rows["text"].to_pylist())
        assert ((vectors_of(rows) * expected).sum(axis=1) > 0.999).all()
        indexed = {column for index in table.list_indices() for column in index.columns}
        assert indexed == {"id", "moment_id", "stream_id", "start"}
        assert store.search(Query("crate 7 has part 1"))[0].observation.text == "crate 7 has part 1"


def test_a_store_of_an_earlier_release_is_rewritten_once(older: Path, tmp_path: Path) -> None:
    folder = copied(older, tmp_path)
    assert_whole(folder)
    before = _manifests(folder)
    with Store(folder, HashEmbedder()) as store:
        first = min(store.tables.observations.to_arrow()["version"].to_pylist())
        now = store.search(Query("crate part", limit=500))
        then = store.search(Query("crate part", limit=500, version=first))
        assert len(now) == 120
        assert {hit.moment_id for hit in then} == {m.id for m in MOMENTS[:20]}
    assert _manifests(folder) == before


def test_it_is_rewritten_through_a_fence_too(older: Path, tmp_path: Path) -> None:
    """In a bucket every change asks first whose the lease is."""
    db = connect(str(copied(older, tmp_path) / "tables"))
    asked: list[bool] = []
    migrate(fenced(db, lambda: asked.append(True)))
    assert asked
    vector = db.open_table("observations").schema.field("vector")
    assert vector.type == pa.list_(pa.int8(), 384)


def _manifests(folder: Path) -> set[str]:
    return {p.name for p in (folder / "tables" / "observations.lance" / "_versions").iterdir()}


def test_a_disk_that_fills_meanwhile_leaves_the_store_as_it_was(
    older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(older, tmp_path)
    with monkeypatch.context() as full:
        full.setattr(Folder, "seal", _disk_full)
        with pytest.raises(StoreFull):
            Store(folder, HashEmbedder())
    assert_whole(folder)


def test_a_crash_after_it_was_rewritten_takes_nothing_back(
    older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was migrated and not sealed was rolled back on opening, and still counted as migrated."""
    folder = copied(older, tmp_path)
    with monkeypatch.context() as crashing:
        crashing.setattr(Store, "_make_parts", _crash)
        with pytest.raises(KeyboardInterrupt):
            Store(folder, HashEmbedder())
    assert_whole(folder)


def test_what_is_forgotten_after_it_leaves_no_byte_of_the_older_vectors(
    older: Path, tmp_path: Path
) -> None:
    folder = copied(older, tmp_path)
    vectors = HashEmbedder().embed([o.text for o in MOMENTS[3].observations])
    sought = [row[4:8].tobytes() for row in vectors]
    sought += [row[4:20].tobytes() for row in quantised(vectors)]
    assert _found(folder, sought)
    with Store(folder, HashEmbedder()) as store:
        assert _found(folder, sought[3:])
        store.forget(Selection(moment_ids=(MOMENTS[3].id,)))
        assert not _found(folder, sought)


def test_hours_are_weighed_anew(tmp_path: Path) -> None:
    """They would count as heavier than they are, and the whole store as over its budget."""
    with Store(tmp_path, HashEmbedder()) as store:
        remember(store, [m for n in range(18) for m in talk(n * 250.0, 250.0, n % 4, every=30.0)])
        store.consolidate()
        hour = store.stats().ledger["streams"]["cam"]
        assert hour["kept_bytes"] > 0
        with store._upkeep.held_off():
            heavier = {"kept_bytes": "kept_bytes + 1000000"}
            store._writer.call(lambda: store.tables.ledger.update(values_sql=heavier))
            store._writer.call(lambda: _rewrite_as_before(store))
    with Store(tmp_path, HashEmbedder()) as store:
        store.consolidate()
        assert store.stats().ledger["streams"]["cam"] == hour


def _found(folder: Path, sought: list[bytes]) -> bool:
    held = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return any(piece in content for piece in sought for content in held)


def _disk_full(folder: Folder, versions: Mapping[str, int]) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _crash(store: Store, *given: Any) -> None:
    raise KeyboardInterrupt
