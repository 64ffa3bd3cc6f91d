"""Pulling from a hub on loopback: whole, resumed, repaired, and each failure one clear line."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

import models
from models import repositories
from models.records import HubModel

from .fake_hub import FakeHub, fake_hub

pytestmark = pytest.mark.unit

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


def safetensors(*values: float) -> bytes:
    """A file of one float32 tensor."""
    data = struct.pack(f"<{len(values)}f", *values)
    tensor = {"dtype": "F32", "shape": [len(values)], "data_offsets": [0, len(data)]}
    header = json.dumps({"weight": tensor}).encode()
    return len(header).to_bytes(8, "little") + header + data


FILES = {
    "config.json": b'{"model_type": "tiny"}',
    "model-00001-of-00002.safetensors": safetensors(*range(4000)),
    "model-00002-of-00002.safetensors": safetensors(*range(5000)),
    "model.safetensors.index.json": json.dumps(
        {
            "weight_map": {
                "a": "model-00001-of-00002.safetensors",
                "b": "model-00002-of-00002.safetensors",
            }
        }
    ).encode(),
    "pytorch_model.bin": b"the same weights again" * 100,
}
SHARD = "model-00002-of-00002.safetensors"
TINY = HubModel(
    name="tiny",
    job="testing",
    licence="MIT",
    repo="someone/tiny",
    revision=COMMIT,
    patterns=("*.json", "*.safetensors"),
    bytes=36_000,
    profiles=("gpu-80g",),
    without="nothing is tested",
)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A hub that has the tiny model, and an empty cache."""
    with fake_hub() as one:
        one.add(TINY.repo, COMMIT, FILES)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        template = one.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", one.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        # Between two tries of a download that was cut off, the client sleeps a second.
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        yield one


def pull(model: HubModel = TINY) -> tuple[models.Located, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    return repositories.pull(model, lambda done, total: told.append((done, total))), told


def test_what_is_pulled_is_whole_checked_and_found_afterwards(hub: FakeHub) -> None:
    located, told = pull()
    assert located.checked_against == "hub"
    wanted = {name for name in FILES if name != "pytorch_model.bin"}
    assert {path.name for path in located.path.iterdir()} == wanted
    assert told[-1] == (located.bytes, located.bytes)
    found = repositories.find(TINY)
    assert (found.path, found.checked_against) == (located.path, "lengths")


def test_progress_counts_the_bytes_that_have_come(hub: FakeHub) -> None:
    arrived = threading.Event()
    hub.hold[SHARD] = arrived
    told: list[tuple[int, int]] = []

    def say(done: int, total: int) -> None:
        told.append((done, total))
        if done:  # the other files are here: let the last one come
            arrived.set()

    repositories.pull(TINY, say)
    total = sum(len(FILES[name]) for name in FILES if name != "pytorch_model.bin")
    partly = [done for done, of in told if 0 < done < total and of == total]
    assert partly
    assert told[-1] == (total, total)


def test_pulling_again_fetches_nothing(hub: FakeHub) -> None:
    pull()
    hub.sent.clear()
    pull()
    assert hub.sent == []


def test_an_interrupted_download_goes_on_where_it_stopped(hub: FakeHub) -> None:
    hub.cut, hub.cuts = {SHARD: 9000}, 1
    located, _ = pull()
    assert located.checked_against == "hub"
    assert hub.sent.count("model-00001-of-00002.safetensors") == 1


def test_a_download_that_always_ends_early_is_said_and_the_rest_is_kept(hub: FakeHub) -> None:
    hub.cut = {SHARD: 100}
    with pytest.raises(models.ModelMissing, match=r"tiny.*could not be downloaded"):
        pull()
    with pytest.raises(models.ModelMissing, match="lookback models pull tiny"):
        repositories.find(TINY)
    hub.cut = {}
    hub.sent.clear()
    pull()
    assert set(hub.sent) == {SHARD}


def test_offline_the_cache_serves_and_what_it_lacks_is_said(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(models.ModelMissing, match="HF_HUB_OFFLINE is set"):
        pull()
    assert hub.sent == []
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    first, _ = pull()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert pull()[0].path == first.path


def test_a_hub_out_of_reach_is_said(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(models.ModelMissing, match="could not be downloaded"):
        pull()


def test_an_id_that_does_not_exist_is_said(hub: FakeHub) -> None:
    del hub.repos[TINY.repo]
    with pytest.raises(models.ModelMissing, match="the hub has no someone/tiny") as caught:
        pull()
    assert "\n" not in str(caught.value)


def test_a_revision_that_does_not_exist_is_said(hub: FakeHub) -> None:
    hub.repos[TINY.repo] = {"f" * 40: FILES}
    with pytest.raises(models.ModelMissing, match=f"no revision '{COMMIT}'"):
        pull()


@pytest.mark.parametrize("token", [None, "hf_secret"])
def test_a_gate_is_explained_with_what_opens_it(
    hub: FakeHub, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    hub.gated.add(TINY.repo)
    with pytest.raises(models.ModelMissing, match="accept its licence") as caught:
        pull()
    assert "https://huggingface.co/someone/tiny" in str(caught.value)
    assert caught.value.command == "hf auth login"
    assert "hf_secret" not in str(caught.value)


def test_a_truncated_shard_is_found_by_its_header_and_mended_by_pulling(hub: FakeHub) -> None:
    located, _ = pull()
    stored = (located.path / SHARD).resolve()
    stored.write_bytes(stored.read_bytes()[:-7])
    with pytest.raises(models.ModelTruncated, match=SHARD) as caught:
        repositories.find(TINY)
    assert caught.value.command == "lookback models pull tiny"
    hub.sent.clear()
    assert pull()[0].checked_against == "hub"
    assert hub.sent == [SHARD]


def test_a_missing_shard_is_named(hub: FakeHub) -> None:
    located, _ = pull()
    (located.path / SHARD).unlink()
    with pytest.raises((models.ModelTruncated, models.ModelMissing)) as caught:
        repositories.find(TINY)
    assert caught.value.command == "lookback models pull tiny"


def test_changed_bytes_are_found_by_their_hash_and_mended_by_pulling(hub: FakeHub) -> None:
    located, _ = pull()
    stored = (located.path / SHARD).resolve()
    stored.write_bytes(stored.read_bytes()[:-1] + b"\x7f")
    repositories.find(TINY)
    with pytest.raises(models.ModelCorrupt):
        repositories.find(TINY, verify=True)
    hub.sent.clear()
    assert pull()[0].checked_against == "hub"
    assert hub.sent == [SHARD]


def test_a_path_of_ones_own_goes_before_the_cache(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "model.safetensors").write_bytes(safetensors(1, 2))
    monkeypatch.setenv("LOOKBACK_MODEL_TINY", str(mine))
    assert pull()[0].path == mine
    (mine / "model.safetensors").write_bytes(safetensors(1, 2)[:-1])
    with pytest.raises(models.ModelTruncated):
        repositories.find(TINY)


def test_any_model_may_be_named_by_catalogue_path_or_hub_id(hub: FakeHub, tmp_path: Path) -> None:
    assert models.locate_any(str(tmp_path)) == tmp_path
    assert models.locate_any(f"someone/tiny@{COMMIT}").name == COMMIT
    with pytest.raises(models.ModelMissing, match="the hub has no someone/else"):
        models.locate_any("someone/else")
    with pytest.raises(models.UnknownModel, match="qwen3-vl-8b"):
        models.locate_any("qwen-vl")


def test_a_catalogued_id_needs_no_revision_and_no_more_than_was_pulled(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.hub, "HUB_CATALOG", (TINY,))
    pulled, _ = pull()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert models.locate_any("someone/tiny") == pulled.path
    monkeypatch.setenv("LOOKBACK_MODEL_TINY", str(tmp_path))
    assert models.locate_any("someone/tiny") == tmp_path


def test_every_entry_of_the_hub_catalogue_is_complete() -> None:
    names = models.names()
    assert len(set(names)) == len(names)
    for entry in models.HUB_CATALOG:
        assert len(entry.revision) == 40
        assert entry.licence
        assert entry.without
        assert entry.bytes > 1e8
        assert entry.profiles
