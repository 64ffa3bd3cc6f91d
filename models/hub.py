"""The Hugging Face cache and, unless `HF_HUB_OFFLINE` is set, the hub itself."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from models.errors import ModelCorrupt
from models.gpu import HUB_CATALOG
from models.joining import digest
from models.records import CheckedAgainst, Hub, HubModel

HUB_ID = re.compile(
    r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?::(?P<entry>[\w./-]+))?", re.ASCII
)
LARGE_FILE = re.compile(r"[0-9a-f]{64}")
TIMEOUT = 10.0  # seconds for the hub to answer before it counts as out of reach
LOGIN = "hf auth login"


class NotOnHub(Exception):
    """Neither the cache nor the hub gives it; the message says why, in words. `command` is the one
    that changes that, where one does."""

    def __init__(self, why: str, command: str | None = None) -> None:
        self.command = command
        super().__init__(why)


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


def catalogued(repo: str) -> HubModel | None:
    """What the catalogue knows of a repository."""
    return next((model for model in HUB_CATALOG if model.repo == repo), None)


def cached(repo: str, revision: str | None, patterns: Sequence[str]) -> Path | None:
    """The folder of a repository in the cache, as far as the cache knows whole; None: it is not
    there, or not all of it.

    Raises:
        NotOnHub: it is no id that could be there.
    """
    # Imported here because it takes half a second, and most starts never need it.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    wanted = list(patterns) or None
    try:
        return Path(
            snapshot_download(repo, revision=revision, allow_patterns=wanted, local_files_only=True)
        )
    except HFValidationError as error:
        raise NotOnHub(f"{repo} is no hub id: {error}") from error
    except LocalEntryNotFoundError:
        return None


def bring(hub: Hub, revision: str | None = None) -> Path:
    """The folder of the repository's files, from the cache if they are there, else downloaded. Of a
    repository of the catalogue, those files that `lookback models pull` brings and, where no revision
    is given, as they stood at its commit; a path that its setting names goes before.

    Raises:
        NotOnHub: with the reason.
    """
    patterns = hub.files
    if not patterns and (known := catalogued(hub.repo)) is not None:
        given = os.environ.get(known.setting, "")
        if given and Path(given).expanduser().is_dir():
            return Path(given).expanduser()
        patterns, revision = known.patterns, revision or known.revision
    folder = cached(hub.repo, revision, patterns)
    if folder is not None and all((folder / file).is_file() for file in hub.files):
        return folder
    folder = download(hub.repo, revision, patterns)
    if lacking := [file for file in hub.files if not (folder / file).is_file()]:
        raise NotOnHub(f"{hub.repo} has no {', '.join(lacking)}")
    return folder


def download(repo: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """Downloads what the cache lacks of the files that match (all, where no pattern is given). What
    an interrupted download left is taken up where it stopped.

    Raises:
        NotOnHub: with the reason.
    """
    if offline():
        raise NotOnHub(
            f"{named(repo, revision)} is not in the Hugging Face cache, and HF_HUB_OFFLINE is set"
        )
    from huggingface_hub import snapshot_download

    wanted = list(patterns) or None
    try:
        return Path(
            snapshot_download(repo, revision=revision, allow_patterns=wanted, etag_timeout=TIMEOUT)
        )
    except Exception as error:
        # The hub client raises the errors of whichever HTTP library its version is built on.
        raise explained(repo, revision, error) from error


def explained(repo: str, revision: str | None, error: BaseException) -> NotOnHub:
    """What the hub client's error means, in one line, and the command that helps."""
    from huggingface_hub import errors

    page = f"https://huggingface.co/{repo}"
    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__  # the client says that the cache has none of it either
    if isinstance(error, errors.GatedRepoError):
        return NotOnHub(
            f"{repo} is gated: accept its licence at {page}, then log in (or set HF_TOKEN)", LOGIN
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return NotOnHub(
            f"the hub has no {repo} that may be read: check the id at {page}, "
            "and if it is private log in (or set HF_TOKEN)",
            LOGIN,
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return NotOnHub(f"{repo} has no revision {revision!r}: see {page}/commits/main")
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        if status in (401, 403):
            return NotOnHub(f"the hub refuses {repo} with the token given ({status})", LOGIN)
        return NotOnHub(f"{repo} could not be downloaded: the hub answered {status}")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return NotOnHub(
            f"{repo} could not be downloaded: no space left; HF_HOME names another place"
        )
    said = str(error).strip().splitlines()
    reason = said[0] if said else type(error).__name__
    if "Consistency check failed" in reason:
        reason = f"a file came cut off ({reason}); the same command again goes on from there"
    return NotOnHub(f"{named(repo, revision)} could not be downloaded: {reason}")


def named(repo: str, revision: str | None) -> str:
    """The repository, with its revision where that is given."""
    return f"{repo}@{revision[:12]}" if revision else repo


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
