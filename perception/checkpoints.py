"""Checkpoints of hub models: found by id and revision, or a folder, and loaded whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import models
from perception.errors import ModelUnusable


def folder_of(model: str) -> Path:
    """Where the checkpoint lies: `model` is a folder, a name of the model catalogue, or a hub id
    (`owner/name@revision`). A hub id that the catalogue pins is taken at the commit it pins.

    Raises:
        ModelUnusable: it is none of these, cannot be had, or a file of it is cut off.
    """
    pinned = next((known.name for known in models.HUB_CATALOG if known.repo == model), model)
    try:
        return models.locate_any(pinned)
    except models.ModelError as error:
        raise ModelUnusable(model, str(error)) from error


def load_whole(architecture: Any, model: str, **options: Any) -> Any:
    """`architecture.from_pretrained` of the checkpoint: every weight from it, none made up.

    Raises:
        ModelUnusable: a file is missing, cut off or of another architecture, or there is no room.
    """
    folder = folder_of(model)
    with loading(model):
        network, found = architecture.from_pretrained(
            folder, output_loading_info=True, local_files_only=True, **options
        )
    if found["missing_keys"]:
        lacking = sorted(found["missing_keys"])
        raise ModelUnusable(
            model, f"{len(lacking)} of its weights are missing, {lacking[0]} among them"
        )
    return network


@contextmanager
def loading(model: str) -> Iterator[None]:
    """What goes wrong in the block is said of the model, in one line. Raises ModelUnusable."""
    from safetensors import SafetensorError

    try:
        yield
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        ImportError,
        RuntimeError,  # torch's own, CUDA's out of memory among them
        SafetensorError,
    ) as error:
        said = str(error).strip().splitlines()
        raise ModelUnusable(model, said[0] if said else type(error).__name__) from error


def dtype_of(device: str) -> Any:
    """The number format of weights there: bf16 on a GPU, float32 on the CPU."""
    import torch

    return torch.float32 if device == "cpu" else torch.bfloat16


def device_of(device: str | None) -> str:
    """The device asked for; None: the first GPU, or the CPU where there is none."""
    import torch

    return device or ("cuda" if torch.cuda.is_available() else "cpu")
