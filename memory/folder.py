"""A store in a folder of this machine.

DIR/lock          who writes to it
DIR/sealed.json   the table versions that are known to be on the disk
DIR/tables/       LanceDB
DIR/media/        keyframes by their SHA-256
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import lancedb

from memory.durable import TEMPORARY, DurableTables, size_of, sync_folder, write_whole
from memory.lock import StoreLock
from memory.media import MediaStore
from memory.tables import connect


class Folder:
    """Implements `memory.place.Place`; its errors are the system's own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.media = MediaStore(path / "media")
        self._durable = DurableTables(path)

    @property
    def name(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        return (self.path / "tables").is_dir()

    def lock(self) -> StoreLock:
        self.path.mkdir(parents=True, exist_ok=True)
        return StoreLock(self.path / "lock")

    def connect(self) -> lancedb.DBConnection:
        return connect(str(self.path / "tables"))

    def read(self, name: str) -> bytes | None:
        path = self.path / name
        return path.read_bytes() if path.exists() else None

    def write(self, name: str, content: bytes) -> None:
        write_whole(self.path / name, content)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)
        sync_folder(self.path)

    def bytes(self, beneath: str = "") -> int:
        return size_of(self.path / beneath)

    def names_beneath(self, table: str, folder: str) -> list[str]:
        path = self.path / "tables" / f"{table}.lance" / folder
        return [file.name for file in path.glob("*-*")]

    def roll_back(self) -> None:
        for temporary in (*self.path.glob(TEMPORARY), *self.media.path.glob(f"*/{TEMPORARY}")):
            temporary.unlink()
        self._durable.roll_back()

    def seal(self, versions: Mapping[str, int]) -> None:
        self._durable.seal(versions)

    def sealed(self) -> dict[str, int]:
        return self._durable.sealed()

    def check(self) -> None:
        self._durable.check()
