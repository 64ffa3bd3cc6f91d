"""Settings: precedence, and mistakes said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve.errors import BadSettings, PortInUse, TokenNeeded
from serve.launch import check
from serve.settings import Settings, load

pytestmark = pytest.mark.unit


def test_flag_beats_environment_beats_profile_beats_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = tmp_path / "mine.yaml"
    profile.write_text(
        "applications:\n- import_path: serve.application:build\n  args: {port: 7001, threads: 3}\n"
    )
    assert load(profile=str(profile)).port == 7001
    monkeypatch.setenv("LOOKBACK_PORT", "7002")
    assert load(profile=str(profile)).port == 7002
    assert load(profile=str(profile), port=7003).port == 7003
    assert load(profile=str(profile)).threads == 3
    assert load().replays == Settings().replays


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"port": 99999}, "port"),
        ({"profile": "nonsense"}, "nonsense"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_setting_is_named(flags: dict[str, object], said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        load(**flags)


def test_binding_beyond_loopback_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(TokenNeeded, match="LOOKBACK_TOKEN"):
        check(Settings(host="0.0.0.0", store=tmp_path))


def test_an_empty_token_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKBACK_TOKEN", " ")
    with pytest.raises(TokenNeeded):
        check(load(host="0.0.0.0", store=tmp_path))


def test_a_port_in_use_is_said_at_once(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(PortInUse, match=str(taken_port)):
        check(Settings(port=taken_port, store=tmp_path))


def test_the_token_is_not_in_what_is_printed() -> None:
    assert "hunter2" not in repr(Settings(token="hunter2"))
