"""Settings: precedence, and mistakes said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve import ice
from serve.application import build
from serve.errors import BadSettings, PortInUse, TokenNeeded
from serve.ice import IceServer
from serve.launch import check, free_port
from serve.settings import Settings, load, load_deployed

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


def test_the_environment_goes_before_what_serve_deploy_is_given_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A profile's args were taken for flags, and no variable changed them."""
    args = {"profile": "gpu-80g", "answer_rows": 8, "threads": 8}
    assert load_deployed(args).answer_rows == 8
    monkeypatch.setenv("LOOKBACK_ANSWER_ROWS", "2")
    monkeypatch.setenv("LOOKBACK_PROFILE", "embedded")  # of the node; the file says what it is
    settings = load_deployed(args)
    assert (settings.answer_rows, settings.threads, settings.profile) == (2, 8, "gpu-80g")


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


def test_deploying_onto_a_cluster_beyond_loopback_needs_a_token_as_well(tmp_path: Path) -> None:
    with pytest.raises(TokenNeeded, match="LOOKBACK_TOKEN"):
        build({"host": "0.0.0.0", "store": str(tmp_path)})
    build({"host": "0.0.0.0", "store": str(tmp_path), "token": "secret"})


def test_an_empty_token_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKBACK_TOKEN", " ")
    with pytest.raises(TokenNeeded):
        check(load(host="0.0.0.0", store=tmp_path))


def test_a_port_in_use_is_said_at_once(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(PortInUse, match=str(taken_port)):
        check(Settings(port=taken_port, store=tmp_path))


def test_a_free_port_is_none_that_connections_are_given() -> None:
    lent = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(free_port() < lent for _ in range(20))


def test_the_token_is_not_in_what_is_printed() -> None:
    assert "hunter2" not in repr(Settings(token="hunter2"))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('[{"urls": "turn:a.example", "credential": "hunter2"', "not JSON"),
        ('{"urls": "turn:a.example", "credential": "hunter2"}', "not a JSON list"),
        ('[{"url": "turn:a.example", "credential": "hunter2"}]', "urls"),
        ('[{"urls": "turn:a.example", "password": "hunter2"}]', "password"),
        ('[{"urls": [], "credential": "hunter2"}]', "urls"),
        ('[{"urls": "turn:a.example", "username": 7, "credential": "hunter2"}]', "username"),
        ("https://a.example/hunter2", "not a URL"),
        ("stun:a.example, hunter2", "URL 2"),
    ],
)
def test_broken_ice_servers_are_found_when_settings_are_read(
    monkeypatch: pytest.MonkeyPatch, setting: str, said: str
) -> None:
    """They were found by the first live session. The secrets among them are not printed."""
    monkeypatch.setenv("LOOKBACK_ICE_SERVERS", setting)
    with pytest.raises(BadSettings, match="^ice_servers: ") as found:
        load()
    assert said in str(found.value)
    assert "\n" not in str(found.value)
    assert "hunter2" not in str(found.value)


def test_ice_servers_are_urls_or_what_browsers_take() -> None:
    listed = '[{"urls": ["turn:a.example?transport=tcp"], "username": "me", "credential": "s"}]'
    assert ice.read(listed) == (IceServer(("turn:a.example?transport=tcp",), "me", "s"),)
    assert ice.read("stun:a.example:3478, stun:b.example") == (
        IceServer(("stun:a.example:3478",)),
        IceServer(("stun:b.example",)),
    )
    assert ice.read(" ") == ()


def test_a_store_may_lie_in_a_bucket(tmp_path: Path) -> None:
    for given in ("s3://desk/memory", Path("s3://desk/memory"), "s3://desk/memory/"):
        settings = load(store=given)
        assert settings.store == "s3://desk/memory"
        assert Settings(**settings.plain()).store == "s3://desk/memory"
        assert settings.local.is_absolute()
        assert "lookback-remote" in str(settings.local)
    assert load(store="s3://desk/other").local != load(store="s3://desk/memory").local
    assert load(store=str(tmp_path)).local == tmp_path
    with pytest.raises(BadSettings, match="s3://bucket/prefix"):
        load(store="s3://")
