"""Models that only the hub has: found in the cache, and pulled into it.

A server that starts does not download gigabytes on the quiet: `find` takes what is there and else
says which command brings it; `pull` is that command.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from models import hub, shards, sources
from models.errors import ModelCorrupt, ModelMissing, ModelTruncated
from models.records import HubModel, Located

# Called with the bytes that are here and the bytes there will be.
Progress = Callable[[int, int], None]

LOOKED_EVERY = 0.2  # seconds between two looks at how much of a download has come


def find(model: HubModel, verify: bool = False) -> Located:
    """Where the setting or the cache has the model, whole by its headers; with `verify`, by its
    SHA-256 too (about a second a gigabyte).

    Raises:
        ModelMissing: it is in neither; the message gives the command that brings it.
        ModelTruncated: a shard is cut off or missing.
        ModelCorrupt: verified, and its bytes are not what the hub's name for them says.
    """
    command = pull_command(model)
    if value := os.environ.get(model.setting):
        located = sources.from_setting(model, value)
        shards.check(model.name, located.path, None)
        return located
    try:
        folder = hub.cached(model.repo, model.revision, model.patterns)
    except hub.NotOnHub as error:
        raise ModelMissing(model.name, [str(error)], None) from error
    if folder is None:
        where = f"{hub.named(model.repo, model.revision)} is not in the Hugging Face cache"
        raise ModelMissing(model.name, [where, f"{model.setting} is not set"], command)
    told = shards.check(model.name, folder, command)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise ModelTruncated(model.name, folder, "it holds no file", command)
    checked = hub.check(model.name, files, command) if verify else "nothing"
    largest = max(files, key=lambda file: file.stat().st_size).resolve()
    return Located(
        model.name,
        folder,
        f"hub {hub.named(model.repo, model.revision)}",
        sum(file.stat().st_size for file in files),
        largest.name if hub.LARGE_FILE.fullmatch(largest.name) else "",
        "lengths" if checked == "nothing" and told else checked,
    )


def pull(model: HubModel, progress: Progress) -> Located:
    """Brings the model into the cache, whole and checked; what is there already is not fetched again,
    and what is damaged there is.

    Raises:
        ModelMissing: the hub does not give it: a wrong id or revision, a gate, no network, no room.
        ModelCorrupt: what came is not what the hub says it is.
    """
    if (located := _whole(model)) is not None:
        progress(located.bytes, located.bytes)
        return located
    try:
        wanted = _listed(model)
        lacking = sum(size for size, here in wanted if not here)
        total = sum(size for size, _ in wanted)
        with _watched(model, total, lacking, progress):
            hub.download(model.repo, model.revision, model.patterns)
    except hub.NotOnHub as error:
        raise ModelMissing(model.name, [str(error)], error.command) from error
    progress(total, total)
    return find(model, verify=True)


def pull_command(model: HubModel) -> str:
    """The command that brings the model, and mends it."""
    return f"lookback models pull {model.name}"


def _whole(model: HubModel) -> Located | None:
    """What is here and whole. A damaged file is taken out of the cache, to be fetched again; one
    that a setting names is the user's own."""
    try:
        return find(model, verify=True)
    except ModelMissing:
        if os.environ.get(model.setting):
            raise
    except (ModelCorrupt, ModelTruncated) as error:
        if os.environ.get(model.setting):
            raise
        for link in list(_snapshot(model).rglob("*")):
            if error.file in (link, link.resolve()):
                link.resolve().unlink(missing_ok=True)
                link.unlink(missing_ok=True)
    return None


def _listed(model: HubModel) -> Sequence[tuple[int, bool]]:
    """Of every file that is wanted, its bytes and whether it is here."""
    if hub.offline():
        raise hub.NotOnHub(
            f"{hub.named(model.repo, model.revision)} is not whole in the Hugging Face cache, "
            "and HF_HUB_OFFLINE is set"
        )
    from huggingface_hub import HfApi

    try:
        tree = HfApi().list_repo_tree(model.repo, recursive=True, revision=model.revision)
        sizes = {entry.path: entry.size for entry in tree if hasattr(entry, "size")}
    except Exception as error:
        # The hub client raises the errors of whichever HTTP library its version is built on.
        raise hub.explained(model.repo, model.revision, error) from error
    folder = _snapshot(model)
    return [
        (size, (folder / path).is_file())
        for path, size in sizes.items()
        if any(Path(path).match(pattern) for pattern in model.patterns)
    ]


@contextmanager
def _watched(model: HubModel, total: int, lacking: int, progress: Progress) -> Iterator[None]:
    """Tells `progress` how much has come, from the cache's own files, while the block runs."""
    blobs = _storage(model) / "blobs"
    begun = _bytes(blobs, "*") - _bytes(blobs, "*.incomplete")
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOKED_EVERY):
            progress(min(total, total - lacking + _bytes(blobs, "*") - begun), total)

    watcher = threading.Thread(target=look, name="pull-progress")
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _bytes(folder: Path, pattern: str) -> int:
    """What the files take. One may take its final name, and so vanish, while it is looked at."""
    total = 0
    for file in folder.glob(pattern):
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total


def _storage(model: HubModel) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{model.repo.replace('/', '--')}"


def _snapshot(model: HubModel) -> Path:
    return _storage(model) / "snapshots" / model.revision
