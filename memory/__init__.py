"""Memory: moments in; durable, searchable memory with its evidence out.

In: `Store.remember(stream, moments, keyframes)`, durable when it returns. Out: search, timelines,
moments, keyframes, and forgetting for good. Open `store.py` first, then `remember.py` (how one
commit is written) and `search.py`; `records.py` has the contract, `errors.py` what can go wrong.
`Store` is not re-exported here, so that whoever needs only the records does not load LanceDB.
"""

from memory.errors import MemoryFailure
from memory.records import (
    DeletionReceipt,
    Hit,
    Memory,
    MemoryReader,
    Query,
    Selection,
    Snapshot,
    Stats,
)

__all__ = [
    "DeletionReceipt",
    "Hit",
    "Memory",
    "MemoryFailure",
    "MemoryReader",
    "Query",
    "Selection",
    "Snapshot",
    "Stats",
]
