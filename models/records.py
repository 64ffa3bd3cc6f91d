"""What a model is made of, and where it was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# Against what a located model's bytes were checked: the hash pinned in this package, the hash its
# library's wheel records, the hash the hub names it by, the hash given with the setting, only the
# lengths its own headers tell, or nothing (a local path of the user's own).
CheckedAgainst = Literal["catalogue", "wheel", "hub", "setting", "lengths", "nothing"]


@dataclass(frozen=True, slots=True)
class Part:
    """A run of bytes lying in an installed package: the whole of a file, or one piece of it."""

    package: str  # a pip requirement, "name==version"
    module: str  # the top-level folder it installs
    path: str  # of the file, inside that folder
    sha256: str


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model: its path inside the model's folder, and the parts that make it up."""

    path: str
    sha256: str
    bytes: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Hub:
    """Where the same job's weights lie on the Hugging Face hub.

    `entry` is the file inside the repository that `locate` gives; None gives the whole folder.
    """

    repo: str
    files: tuple[str, ...]
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the catalogue."""

    name: str
    job: str
    licence: str  # SPDX
    upstream: str  # who made the weights, and under which name
    files: tuple[File, ...]
    entry: str | None = None  # the file that `locate` gives; None gives the folder
    hub: Hub | None = None
    library: bool = False  # shipped inside the library that runs it, which finds it by itself
    optional: bool = False  # without it one ability is off; the rest works
    without: str = ""  # what does not work without it
    pip_options: str = ""  # what `pip install` needs besides the requirement

    @property
    def setting(self) -> str:
        """The environment variable that names a path or hub id to use instead."""
        return setting_of(self.name)

    @property
    def packages(self) -> tuple[str, ...]:
        """The pip requirements that bring it, each once, in the order of the parts."""
        return tuple(dict.fromkeys(part.package for file in self.files for part in file.parts))

    @property
    def principal(self) -> File:
        """The largest file: the weights themselves."""
        return max(self.files, key=lambda file: file.bytes)

    @property
    def sha256(self) -> str:
        """SHA-256 of the principal file."""
        return self.principal.sha256

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)

    @property
    def joined(self) -> bool:
        """Whether some file lies in several pieces, so that the model is put together in the cache."""
        return any(len(file.parts) > 1 for file in self.files)


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model that only the hub has: a folder of the repository's files that match `patterns`, as
    they stood at the commit `revision`. `bytes` is what they take, for who plans a download."""

    name: str
    job: str
    licence: str  # SPDX
    repo: str
    revision: str  # a commit: what a branch's name gives may change from day to day
    patterns: tuple[str, ...]
    bytes: int
    profiles: tuple[str, ...]  # that need it
    without: str  # what does not work without it
    optional: bool = False  # without it one ability is off; the rest works

    @property
    def setting(self) -> str:
        """The environment variable that names a path or hub id to use instead."""
        return setting_of(self.name)

    @property
    def page(self) -> str:
        """Where people read about it, and accept its licence where it asks for that."""
        return f"https://huggingface.co/{self.repo}"


def setting_of(name: str) -> str:
    """The environment variable that says where the named model lies."""
    return "LOOKBACK_MODEL_" + name.upper().replace("-", "_").replace(".", "_")


@dataclass(frozen=True, slots=True)
class Located:
    """A model found and checked: `path` is a file or a folder, as its catalogue entry says."""

    name: str
    path: Path
    source: str  # in words: "setting LOOKBACK_MODEL_…", "package …", "cache …", "hub …"
    bytes: int
    sha256: str  # of the principal file
    checked_against: CheckedAgainst
