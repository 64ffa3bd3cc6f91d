"""What can go wrong in memory.

MemoryFailure
├── StoreUnusable             the store as a whole cannot be opened
│   ├── StoreLocked           another process is writing to it
│   ├── StoreNewer            written by a newer Lookback
│   └── StoreMissing          there is none, and none was to be created
├── WriteFailed               nothing of the call became visible
│   ├── StoreFull             no space left on the disk
│   ├── StoreReadOnly         the disk or the folder cannot be written
│   └── StoreClosed           used after close()
├── NotFound
│   ├── StreamNotFound
│   ├── MomentNotFound
│   └── KeyframeNotFound      the moment has none, or its file is gone
├── KeyframeTorn              the file's bytes are not those that were stored
└── InvalidRequest            the caller's mistake: an empty selection, reversed times
"""

from __future__ import annotations


class MemoryFailure(Exception):
    """Base of everything memory raises on purpose."""


class StoreUnusable(MemoryFailure):
    pass


class StoreLocked(StoreUnusable):
    pass


class StoreNewer(StoreUnusable):
    pass


class StoreMissing(StoreUnusable):
    pass


class WriteFailed(MemoryFailure):
    pass


class StoreFull(WriteFailed):
    pass


class StoreReadOnly(WriteFailed):
    pass


class StoreClosed(WriteFailed):
    pass


class NotFound(MemoryFailure):
    pass


class StreamNotFound(NotFound):
    pass


class MomentNotFound(NotFound):
    pass


class KeyframeNotFound(NotFound):
    pass


class KeyframeTorn(MemoryFailure):
    pass


class InvalidRequest(MemoryFailure, ValueError):
    pass
