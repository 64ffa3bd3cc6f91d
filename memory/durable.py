"""What makes a commit outlast a power cut. Lance writes and renames, but never calls fsync.

After the tables of one batch are committed, `DurableTables.seal` flushes every file they added and
then writes down the versions that are now safe. `roll_back`, on opening, takes away any later
version: it was never acknowledged, it may be torn, and it may lack its sister tables' share. So a
batch that spans tables is either all there or not at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from memory.errors import WriteFailed

SEAL = "sealed.json"
# Lance names the manifest of version v by how far v is from the greatest 64-bit number, so that
# listing a folder gives the newest first.
LAST_VERSION = 2**64 - 1
TEMPORARY = ".*.tmp"  # what `write_whole` was cut off from naming


def sync_folder(path: Path) -> None:
    """Make what was created, renamed or removed in a folder outlast a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: str | Path) -> None:
    """Make a file's content outlast a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is whole or absent, whenever the power goes."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


class DurableTables:
    """The folder `tables` of a store, and which of its files are known to be on the disk."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.path = store / "tables"
        self._synced: set[str] = set()
        self._lost = False

    def check(self) -> None:
        """Raises `WriteFailed` once a flush has failed: until the store is opened anew."""
        if self._lost:
            raise WriteFailed(f"the disk failed under the store at {self.store}; open it again")

    def seal(self, versions: Mapping[str, int]) -> None:
        """Flush what the last commits added, then record `versions` (by table) as safe.

        After a flush has failed the kernel forgets what was lost, and the next one succeeds: so
        every later call raises `WriteFailed`, until the store is opened anew and rolled back.
        """
        self.check()
        try:
            self._flush()
        except OSError:
            self._lost = True
            raise
        write_whole(self.store / SEAL, json.dumps(dict(versions)).encode())

    def sealed(self) -> dict[str, int]:
        """The versions recorded last, by table; none before the first."""
        seal = self.store / SEAL
        if not seal.exists():
            return {}
        try:
            versions: dict[str, int] = json.loads(seal.read_bytes())
        except ValueError as broken:
            raise OSError(f"{seal} is not JSON ({broken})") from broken
        return versions

    def roll_back(self) -> list[Path]:
        """Remove the manifests newer than the sealed versions; what was removed."""
        removed = []
        for table, version in self.sealed().items():
            folder = self.path / f"{table}.lance" / "_versions"
            manifests = {_version(path): path for path in folder.glob("*.manifest")}
            if version not in manifests:
                continue  # nothing to fall back on: keep what there is
            for newer in [v for v in manifests if v > version]:
                manifests[newer].unlink()
                removed.append(manifests[newer])
            if removed:
                (folder / "latest_version_hint.json").unlink(missing_ok=True)
                sync_folder(folder)
        return removed

    def _flush(self) -> None:
        seen: set[str] = set()
        for folder, _, names in os.walk(self.path):
            fresh = False
            for name in names:
                path = os.path.join(folder, name)
                if path not in self._synced and not _is_temporary(name):
                    sync_file(path)
                    fresh = True
                seen.add(path)
            if fresh or folder not in self._synced:
                sync_folder(Path(folder))
            seen.add(folder)
        self._synced = seen


def _version(manifest: Path) -> int:
    return LAST_VERSION - int(manifest.stem)


def _is_temporary(name: str) -> bool:
    return name.startswith(".tmp") or "#" in name


def size_of(folder: Path) -> int:
    """Bytes of the files beneath; what vanishes meanwhile (a dropped version) counts nothing."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(where, name)).st_size
    return total
