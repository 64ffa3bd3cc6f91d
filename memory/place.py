"""Where a store lies: a folder of this machine, or a prefix of a bucket. What memory asks of either.

`folder.py` and `bucket.py` are the two. Whatever is written is whole or absent, and there for good
once the call returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import lancedb

SCHEME = "s3://"


class Media(Protocol):
    """Keyframes by the SHA-256 of their bytes. One writer; any number of readers."""

    def write(self, digest: str, content: bytes) -> None:
        """Writing what is there already costs a lookup. Raises `InvalidRequest` for a wrong digest."""
        ...

    def read(self, digest: str) -> bytes:
        """Raises `KeyframeNotFound`, `KeyframeTorn`."""
        ...

    def size(self, digest: str) -> int | None:
        """Bytes; None where it is not there."""
        ...

    def remove(self, digest: str) -> int:
        """Bytes freed."""
        ...

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Every picture's digest and bytes."""
        ...


class Lock(Protocol):
    """The right to write, held from construction to `release`."""

    def release(self) -> None: ...


class Place(Protocol):
    """Where a store lies. Names are of small files beside the tables."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def media(self) -> Media: ...

    def exists(self) -> bool:
        """Has a store been made here?"""
        ...

    def lock(self) -> Lock:
        """Raises `StoreLocked`, saying by whom it is held."""
        ...

    def connect(self) -> lancedb.DBConnection: ...

    def read(self, name: str) -> bytes | None: ...
    def write(self, name: str, content: bytes) -> None: ...
    def remove(self, name: str) -> None: ...

    def bytes(self, beneath: str = "") -> int:
        """Of every file of the store, or of a part of it ("tables", "media")."""
        ...

    def names_beneath(self, table: str, folder: str) -> list[str]:
        """Of the files in that folder of a table."""
        ...

    def roll_back(self) -> None:
        """Take away what was committed but never sealed, and what was half written. Before the
        tables are opened to write."""
        ...

    def seal(self, versions: Mapping[str, int]) -> None:
        """Make what was committed last for good, as these versions by table: all of it, or, after a
        crash, nothing. Raises `WriteFailed` as `check` does."""
        ...

    def sealed(self) -> dict[str, int]:
        """The versions sealed last, by table; none before the first."""
        ...

    def check(self) -> None:
        """Raises `WriteFailed` where nothing can be sealed any more until the store is opened anew."""
        ...


def place_of(path: Path | str) -> Place:
    """A folder, or what `s3://bucket/prefix` names. Raises `StoreUnreachable` for a wrong name."""
    from memory.folder import Folder

    if not is_remote(path):
        return Folder(Path(path))
    from memory.bucket import Bucket  # only then is the client of a bucket loaded

    return Bucket(str(path))


def is_remote(path: Path | str) -> bool:
    """Does it name a bucket rather than a folder?"""
    return isinstance(path, str) and path.startswith(SCHEME)
