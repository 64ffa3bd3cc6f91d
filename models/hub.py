"""The Hugging Face cache and, unless `HF_HUB_OFFLINE` is set, the hub itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from models.errors import ModelCorrupt
from models.joining import digest
from models.records import CheckedAgainst, Hub

HUB_ID = re.compile(
    r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?::(?P<entry>[\w./-]+))?", re.ASCII
)
LARGE_FILE = re.compile(r"[0-9a-f]{64}")
TIMEOUT = 10.0  # seconds for the hub to answer before it counts as out of reach


class NotOnHub(Exception):
    """Neither the cache nor the hub has it; the message says why, in words."""


def offline() -> bool:
    """Whether `HF_HUB_OFFLINE` asks for the cache alone."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def parse(value: str) -> tuple[Hub, str | None] | None:
    """Reads `owner/name`, with an optional `@revision` and `:file`; None when it is no such id."""
    match = HUB_ID.fullmatch(value)
    if match is None:
        return None
    entry = match["entry"]
    return Hub(match["repo"], (entry,) if entry else (), entry), match["revision"]


def bring(hub: Hub, revision: str | None = None) -> Path:
    """The folder of the repository's files, from the cache if they are there, else downloaded.

    Raises:
        NotOnHub: with the reason.
    """
    # Imported here because it takes half a second, and most starts never need it.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    wanted = list(hub.files) or None
    try:
        folder = Path(
            snapshot_download(
                hub.repo, revision=revision, allow_patterns=wanted, local_files_only=True
            )
        )
        if all((folder / file).is_file() for file in hub.files):
            return folder
    except HFValidationError as error:
        raise NotOnHub(f"{hub.repo} is no hub id: {error}") from error
    except LocalEntryNotFoundError:
        # Not in the cache, or only some of it is: the hub may have the rest.
        folder = None
    if offline():
        raise NotOnHub(f"{hub.repo} is not in the Hugging Face cache, and HF_HUB_OFFLINE is set")
    try:
        folder = Path(
            snapshot_download(
                hub.repo, revision=revision, allow_patterns=wanted, etag_timeout=TIMEOUT
            )
        )
    except Exception as error:
        # The hub client raises the errors of whichever HTTP library its version is built on.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise NotOnHub(f"{hub.repo} could not be downloaded: {reason}") from error
    if lacking := [file for file in hub.files if not (folder / file).is_file()]:
        raise NotOnHub(f"{hub.repo} has no {', '.join(lacking)}")
    return folder


def check(name: str, files: Iterable[Path], command: str | None) -> CheckedAgainst:
    """Compares every large file with the SHA-256 that the cache stores it under.

    The cache keeps large files as `blobs/<SHA-256>` and links to them; small ones are stored under
    their git hash, and are not checked.

    Raises:
        ModelCorrupt: a file's bytes have another hash than its name says.
    """
    checked: CheckedAgainst = "nothing"
    for file in files:
        stored = file.resolve()
        if LARGE_FILE.fullmatch(stored.name):
            if (found := digest(stored)) != stored.name:
                raise ModelCorrupt(name, stored, stored.name, found, command)
            checked = "hub"
    return checked
