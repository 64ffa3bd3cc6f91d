"""Keyframes: content-addressed files, `media/ab/<sha256>.jpg`, whole or not there at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from memory.durable import sync_folder, write_whole
from memory.errors import InvalidRequest, KeyframeNotFound, KeyframeTorn

# The first bytes of the formats that keyframes come in, and the suffix each gets.
SUFFIXES = {b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp", b"\x89PNG": ".png"}
OTHER = ".bin"


class MediaStore:
    """Pictures by the SHA-256 of their bytes. One writer; any number of readers."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, digest: str, content: bytes) -> None:
        """Durable on return. Writing what is there already costs a lookup."""
        check_digest(digest, content)
        if self.find(digest, len(content)) is not None:
            return
        folder = self._folder(digest)
        if not folder.is_dir():
            folder.mkdir(parents=True)
            sync_folder(self.path)
            sync_folder(self.path.parent)
        suffix = next((s for magic, s in SUFFIXES.items() if content.startswith(magic)), OTHER)
        write_whole(folder / f"{digest}{suffix}", content)

    def read(self, digest: str) -> bytes:
        """Raises `KeyframeNotFound`, or `KeyframeTorn` when the bytes are not those stored."""
        path = self.find(digest)
        if path is None:
            raise KeyframeNotFound(f"no keyframe {digest[:80]!r} in the store")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise KeyframeTorn(
                f"the keyframe {path} is damaged: its bytes do not have its hash; "
                "replay the recording again to restore it"
            )
        return content

    def find(self, digest: str, size: int | None = None) -> Path | None:
        """Its file; with `size`, only a file of that many bytes (a torn one is written again)."""
        for suffix in (*SUFFIXES.values(), OTHER):
            path = self._folder(digest) / f"{digest}{suffix}"
            if path.is_file() and (size is None or self._intact(path, digest, size)):
                return path
        return None

    def remove(self, digest: str) -> int:
        """Bytes freed; the removal is durable after `sync`."""
        path = self.find(digest)
        if path is None:
            return 0
        size = path.stat().st_size
        path.unlink()
        sync_folder(path.parent)
        return size

    def size(self, digest: str) -> int | None:
        """Bytes; None where it is not there."""
        path = self.find(digest)
        return None if path is None else path.stat().st_size

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Every picture's digest and bytes."""
        if not self.path.is_dir():
            return
        for folder in os.scandir(self.path):
            with suppress(FileNotFoundError, NotADirectoryError):  # forgotten meanwhile, or a file
                for entry in os.scandir(folder.path):
                    if not entry.name.startswith("."):  # being written
                        yield Path(entry.name).stem, entry.stat().st_size

    def _folder(self, digest: str) -> Path:
        return self.path / digest[:2]

    @staticmethod
    def _intact(path: Path, digest: str, size: int) -> bool:
        if path.stat().st_size != size:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == digest


def check_digest(digest: str, content: bytes) -> None:
    """Raises `InvalidRequest` when the bytes do not have that SHA-256."""
    if hashlib.sha256(content).hexdigest() != digest:
        raise InvalidRequest(f"a keyframe's bytes do not have the SHA-256 {digest[:80]!r}")
