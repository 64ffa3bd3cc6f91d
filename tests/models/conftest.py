from __future__ import annotations

import hashlib
import importlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from models.records import File, Hub, Model, Part


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Packages:
    """Weight packages as an installer would lay them out; importing one fails the test."""

    def __init__(self, site: Path) -> None:
        self.site = site

    def install(self, module: str, files: dict[str, bytes]) -> None:
        root = self.site / module
        root.mkdir(parents=True, exist_ok=True)
        (root / "__init__.py").write_text("raise AssertionError('its code was run')\n")
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        importlib.invalidate_caches()


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Packages:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    return Packages(site)


@pytest.fixture
def contents() -> list[bytes]:
    """Three pieces of a weights file."""
    rng = random.Random(7)
    return [rng.randbytes(size) for size in (70_000, 70_000, 1_234)]


@pytest.fixture
def in_pieces(contents: list[bytes]) -> Model:
    """A model whose one file lies in three packages."""
    whole = b"".join(contents)
    parts = tuple(
        Part(f"fake-weights-{n}==1.2", f"fake_weights_{n}", "data/piece", sha256(piece))
        for n, piece in enumerate(contents)
    )
    return Model(
        name="fake-1.0",
        job="testing",
        licence="MIT",
        upstream="nobody",
        files=(File("weights.bin", sha256(whole), len(whole), parts),),
        entry="weights.bin",
    )


@pytest.fixture
def install_pieces(packages: Packages, contents: list[bytes]) -> Callable[..., None]:
    def install(*numbers: int) -> None:
        for n in numbers or range(len(contents)):
            packages.install(f"fake_weights_{n}", {"data/piece": contents[n]})

    return install


@pytest.fixture
def in_one() -> Model:
    """A model of two files that lie whole in one package."""
    files = {"weights.bin": b"w" * 5000, "sub/config.json": b"{}"}
    return Model(
        name="whole",
        job="testing",
        licence="MIT",
        upstream="nobody",
        files=tuple(
            File(
                name,
                sha256(content),
                len(content),
                (Part("fake-whole==1.0", "fake_whole", f"m/{name}", sha256(content)),),
            )
            for name, content in files.items()
        ),
        hub=Hub("someone/whole", ("weights.bin", "sub/config.json")),
    )
