"""Puts files that lie in pieces together in the cache, whole or not at all.

Any number of processes may do it at once: one writes, under a lock, to a temporary file which
takes its name only when its bytes are checked and on disk; the others wait, then check.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from filelock import FileLock

from models.errors import CacheUnwritable, ModelCorrupt
from models.records import File, Model, Part

log = logging.getLogger(__name__)

CHUNK = 4 * 1024 * 1024


def cache_directory() -> Path:
    """`LOOKBACK_CACHE`, else `XDG_CACHE_HOME`/lookback, else ~/.cache/lookback."""
    if given := os.environ.get("LOOKBACK_CACHE"):
        return Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lookback"


def digest(path: Path) -> str:
    """SHA-256 of a file, in lower-case hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def joined_directory(model: Model) -> Path:
    """Where the cache keeps the model; the hash is in the name, so versions never mix."""
    return cache_directory() / "models" / f"{model.name}-{model.sha256[:12]}"


def whole_in_cache(model: Model) -> bool:
    """Whether the cache holds every file of the model with the pinned bytes."""
    directory = joined_directory(model)
    for file in model.files:
        path = directory / file.path
        if not path.is_file():
            return False
        if (found := digest(path)) != file.sha256:
            log.warning("%s in the cache is damaged (SHA-256 %s, not %s)", path, found, file.sha256)
            return False
    return True


# The command that reinstalls the packages of the given parts.
Reinstall = Callable[[Sequence[Part]], str]


def join(model: Model, parts: Sequence[tuple[File, Sequence[Path]]], reinstall: Reinstall) -> Path:
    """Writes every file of `model` that the cache lacks or holds damaged; returns its folder.

    Args:
        model: the catalogue entry.
        parts: for each file, the paths of its parts, in order.
        reinstall: what fixes a damaged part, for the error.

    Raises:
        ModelCorrupt: a part has other bytes than the pinned ones. Nothing is left in the cache.
        CacheUnwritable: the cache cannot take it.
    """
    directory = joined_directory(model)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(str(directory) + ".lock"):
            for file, paths in parts:
                target = directory / file.path
                if not (target.is_file() and digest(target) == file.sha256):
                    _write(model, file, paths, target, reinstall)
    except OSError as error:
        raise CacheUnwritable(
            model.name, directory, model.bytes, error.strerror or str(error)
        ) from error
    return directory


def _write(
    model: Model, file: File, paths: Sequence[Path], target: Path, reinstall: Reinstall
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    whole = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".join-", delete=False) as stream:
        temporary = Path(stream.name)
        try:
            for part, path in zip(file.parts, paths, strict=True):
                _append(model, part, path, stream, whole, reinstall)
            stream.flush()
            os.fsync(stream.fileno())
            if (found := whole.hexdigest()) != file.sha256:
                raise ModelCorrupt(model.name, target, file.sha256, found, reinstall(file.parts))
            temporary.chmod(0o644)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    _sync_directory(target.parent)


def _append(
    model: Model,
    part: Part,
    path: Path,
    stream: IO[bytes],
    whole: hashlib._Hash,
    reinstall: Reinstall,
) -> None:
    own = hashlib.sha256()
    for chunk in _chunks(path):
        own.update(chunk)
        whole.update(chunk)
        stream.write(chunk)
    if (found := own.hexdigest()) != part.sha256:
        raise ModelCorrupt(model.name, path, part.sha256, found, reinstall([part]))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _sync_directory(directory: Path) -> None:
    # The new name survives a power cut only once the directory itself is on disk. Windows cannot
    # open directories; there the rename is journalled by the file system.
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
