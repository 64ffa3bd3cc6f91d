"""What can go wrong in memory.

MemoryFailure
├── StoreUnusable             the store as a whole cannot be opened
│   ├── StoreLocked           another process is writing to it
│   ├── StoreNewer            written by a newer Lookback
│   ├── StoreDamaged          its files are not what was written
│   ├── StoreUnreachable      the server that holds it does not answer, or refuses
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
    └── ArchiveRefused        a file that is no archive, or not as it was exported
"""

from __future__ import annotations


class MemoryFailure(Exception):
    """Base of everything memory raises on purpose."""


class StoreUnusable(MemoryFailure):
    """The store as a whole cannot be opened."""


class StoreLocked(StoreUnusable):
    """Another process is writing to the store."""


class StoreNewer(StoreUnusable):
    """The store was written by a newer version."""


class StoreDamaged(StoreUnusable):
    """The store's files are not what was written to them."""


class StoreUnreachable(StoreUnusable):
    """The server that holds the store does not answer, or refuses."""


class StoreMissing(StoreUnusable):
    """There is no store, and none was to be created."""


class WriteFailed(MemoryFailure):
    """Nothing of the call became visible; it may be repeated."""


class StoreFull(WriteFailed):
    """No space is left on the disk."""


class StoreReadOnly(WriteFailed):
    """The disk or the folder cannot be written."""


class StoreClosed(WriteFailed):
    """The store was used after close()."""


class NotFound(MemoryFailure):
    """What was asked for is not remembered."""


class StreamNotFound(NotFound):
    """No such stream is remembered."""


class MomentNotFound(NotFound):
    """No such moment is remembered."""


class KeyframeNotFound(NotFound):
    """The moment has no keyframe, or its file is gone."""


class KeyframeTorn(MemoryFailure):
    """The file's bytes are not those that were stored."""


class InvalidRequest(MemoryFailure, ValueError):
    """The caller's mistake: an empty selection, reversed times."""


class ArchiveRefused(InvalidRequest):
    """A file that is no archive, or is not as it was exported."""
