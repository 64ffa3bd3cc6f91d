"""What can go wrong with weights.

ModelError
├── UnknownModel    no such name in the catalogue
├── ModelMissing    not found in any of the places looked; says which command brings it
├── ModelCorrupt    found, but its bytes are not the pinned ones; says which file and command
├── ModelTruncated  found, but a file of it is cut off or missing; says which file and command
└── CacheUnwritable the joined file has no place to go
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class ModelError(Exception):
    """Any failure to bring a model's files. `command` is the one that fixes it, where one does."""

    command: str | None = None


class UnknownModel(ModelError):
    """The catalogue has no model of that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        super().__init__(f"no model is called {name!r}; there are: {', '.join(known)}")


class ModelMissing(ModelError):
    """The model was looked for everywhere it may be, and is not there."""

    def __init__(self, name: str, looked: Sequence[str], command: str | None) -> None:
        self.name = name
        self.looked = tuple(looked)
        self.command = command
        fix = f"; to fix it: {command}" if command else ""
        super().__init__(f"model {name} is missing ({'; '.join(looked)}){fix}")


class ModelCorrupt(ModelError):
    """A file of the model does not have the SHA-256 it must have."""

    def __init__(
        self, name: str, file: Path, expected: str, found: str, command: str | None
    ) -> None:
        self.name = name
        self.file = file
        self.expected = expected
        self.found = found
        self.command = command
        fix = f"; to fix it: {command}" if command else ""
        super().__init__(
            f"model {name}: {file} is damaged: SHA-256 should be {expected}, is {found}{fix}"
        )


class ModelTruncated(ModelError):
    """A file of the model ends too soon, or a shard of it is missing."""

    def __init__(self, name: str, file: Path, why: str, command: str | None) -> None:
        self.name = name
        self.file = file
        self.command = command
        fix = f"; to fix it: {command}" if command else ""
        super().__init__(f"model {name}: {file} is not whole: {why}{fix}")


class CacheUnwritable(ModelError):
    """The cache directory cannot take the joined file (full, read-only, not ours)."""

    def __init__(self, name: str, directory: Path, size: int, reason: str) -> None:
        self.name = name
        self.directory = directory
        self.command = "LOOKBACK_CACHE=/a/directory/with/room lookback doctor"
        super().__init__(
            f"model {name}: cannot write {size / 1e6:.0f} MB to {directory}: {reason}; "
            "set LOOKBACK_CACHE to a directory with room"
        )
