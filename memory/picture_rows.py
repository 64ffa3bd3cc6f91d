"""Rows of the pictures table: vectors of keyframes, by model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from lancedb.table import LanceTable

from memory.rows import filters
from memory.tables import PICTURES, quote

Vectors = npt.NDArray[np.float32]

ROW_BYTES = 330  # of a row beside its vector: its ids, and its share of their indexes
NUMBER_BYTES = 2


def rows_of(model: str, digests: Sequence[str], vectors: Vectors) -> pa.Table:
    """`vectors` float32 [n, dimension], unit rows, in the order of the digests."""
    dimension = vectors.shape[1]
    flat = pa.array(np.ascontiguousarray(vectors, np.float16).ravel())
    ends = pa.array(np.arange(len(digests) + 1, dtype=np.int32) * dimension)
    columns = {
        "id": [f"{model}:{digest}" for digest in digests],
        "digest": list(digests),
        "model": [model] * len(digests),
        "dimension": [dimension] * len(digests),
        "vector": pa.ListArray.from_arrays(ends, flat),
    }
    return pa.table(columns, schema=PICTURES)


def vectors_of(table: LanceTable, model: str) -> Iterator[tuple[list[str], Vectors]]:
    """Digests and vectors (float32 [n, dimension]) of a model, those of one dimension at a time."""
    found = table.search().where(f"model = {quote(model)}").to_arrow()
    for dimension in pc.unique(found["dimension"]).to_pylist():
        rows = found.filter(pc.equal(found["dimension"], dimension))
        numbers = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        yield rows["digest"].to_pylist(), numbers.astype(np.float32).reshape(len(rows), dimension)


def digests_encoded(table: LanceTable) -> set[str]:
    """Every keyframe of which some model made a vector."""
    return set(table.search().select(["digest"]).to_arrow()["digest"].to_pylist())


def vector_bytes(table: LanceTable, digests: Iterable[str] | None = None) -> dict[str, int]:
    """About what the vectors of these keyframes (of all) take on disk; one without is not named."""
    sizes: dict[str, int] = {}
    if not table.count_rows():
        return sizes
    for where in [None] if digests is None else filters("digest", sorted(digests)):
        query = table.search() if where is None else table.search().where(where)
        rows = query.select(["digest", "dimension"]).to_arrow()
        pairs = zip(rows["digest"].to_pylist(), rows["dimension"].to_pylist(), strict=True)
        for digest, dimension in pairs:
            sizes[digest] = sizes.get(digest, 0) + ROW_BYTES + NUMBER_BYTES * dimension
    return sizes


def drop_vectors(table: LanceTable, digests: Iterable[str]) -> bool:
    """Delete what models made of these keyframes; was there anything?"""
    dropped = False
    for where in filters("digest", sorted(digests)):
        if table.count_rows(where):
            table.delete(where)
            dropped = True
    return dropped
