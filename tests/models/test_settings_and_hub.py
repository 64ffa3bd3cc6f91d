from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from models import ModelCorrupt, ModelMissing, hub, sources
from models.records import Hub, Model

from .conftest import sha256

pytestmark = pytest.mark.unit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    return cache


def cached_on_hub(cache: Path, repository: str, files: dict[str, bytes]) -> Path:
    """A repository as the hub's client keeps it: large files under their SHA-256, linked to."""
    root = cache / ("models--" + repository.replace("/", "--"))
    (root / "refs").mkdir(parents=True)
    (root / "refs/main").write_text(COMMIT)
    (root / "blobs").mkdir()
    for name, content in files.items():
        blob = root / "blobs" / sha256(content)
        blob.write_bytes(content)
        link = root / "snapshots" / COMMIT / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return root / "snapshots" / COMMIT


def test_the_hub_cache_serves_when_no_package_does(in_one: Model, hub_cache: Path) -> None:
    folder = cached_on_hub(
        hub_cache, "someone/whole", {"weights.bin": b"other", "sub/config.json": b"{}"}
    )
    located = sources.find(in_one)
    assert located.path == folder
    assert located.source == "hub someone/whole"
    assert located.checked_against == "hub"
    assert located.sha256 == sha256(b"other")


def test_a_hub_file_whose_bytes_changed_is_corrupt(in_one: Model, hub_cache: Path) -> None:
    folder = cached_on_hub(
        hub_cache, "someone/whole", {"weights.bin": b"other", "sub/config.json": b"{}"}
    )
    (folder / "weights.bin").resolve().write_bytes(b"OTHER")
    with pytest.raises(ModelCorrupt) as caught:
        sources.find(in_one)
    assert caught.value.expected == sha256(b"other")


def test_a_hub_copy_that_lacks_a_file_is_missing_when_offline(
    in_one: Model, hub_cache: Path
) -> None:
    cached_on_hub(hub_cache, "someone/whole", {"weights.bin": b"other"})
    with pytest.raises(ModelMissing, match="HF_HUB_OFFLINE"):
        sources.find(in_one)


def test_the_setting_goes_before_everything(
    in_one: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.bin"
    mine.write_bytes(b"mine")
    monkeypatch.setenv("LOOKBACK_MODEL_WHOLE", str(mine))
    located = sources.find(in_one)
    assert (located.path, located.checked_against) == (mine, "nothing")
    assert located.sha256 == sha256(b"mine")


def test_a_hash_given_with_the_setting_is_checked(
    in_one: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.bin"
    mine.write_bytes(b"mine")
    monkeypatch.setenv("LOOKBACK_MODEL_WHOLE", f"{mine}#sha256={sha256(b'mine')}")
    assert sources.find(in_one).checked_against == "setting"
    monkeypatch.setenv("LOOKBACK_MODEL_WHOLE", f"{mine}#sha256={sha256(b'other')}")
    with pytest.raises(ModelCorrupt):
        sources.find(in_one)


def test_the_setting_may_name_a_file_on_the_hub(
    in_one: Model, hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cached_on_hub(hub_cache, "me/mine", {"a/b.gguf": b"gguf", "c.txt": b"c"})
    monkeypatch.setenv("LOOKBACK_MODEL_WHOLE", "me/mine:a/b.gguf")
    located = sources.find(in_one)
    assert located.path == folder / "a/b.gguf"
    assert located.checked_against == "hub"


@pytest.mark.parametrize("value", ["/nowhere/at/all", "two words", "me/not-cached"])
def test_a_setting_that_leads_nowhere_is_said(
    value: str, in_one: Model, hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKBACK_MODEL_WHOLE", value)
    with pytest.raises(ModelMissing, match="LOOKBACK_MODEL_WHOLE"):
        sources.find(in_one)


def test_hub_ids_are_read() -> None:
    assert hub.parse("a/b") == (Hub("a/b", ()), None)
    assert hub.parse("a/b@v1:x/y.gguf") == (Hub("a/b", ("x/y.gguf",), "x/y.gguf"), "v1")
    assert hub.parse("a/b/c") is None
