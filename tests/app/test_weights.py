"""`lookback models` and `lookback doctor --profile`, as commands."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

import models
from app import doctor, weights
from app.errors import BadInput
from serve.endpoint_check import check_endpoint
from serve.errors import BadSettings, TooLittleGpuMemory
from serve.needs import check_given, given
from serve.settings import load

pytestmark = pytest.mark.unit

run = CliRunner()


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_profiles_models_are_listed_with_licence_size_and_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weights, "needed", lambda settings: ("qwen3-vl-8b", "siglip2-base"))
    done = run.invoke(weights.app, ["list", "--profile", "embedded", "--json"])
    assert done.exit_code == 0
    vlm, encoder = lines(done.stdout)
    assert vlm["model"] == "qwen3-vl-8b"
    assert vlm["licence"] == "Apache-2.0"
    assert str(vlm["from"]).startswith("Qwen/Qwen3-VL-8B-Instruct@")
    assert vlm["here"] is encoder["here"] is False


def test_pulling_offline_names_every_model_that_lacks_and_fails() -> None:
    done = run.invoke(weights.app, ["pull", "siglip2-base", "ast-audioset", "--json"])
    assert done.exit_code == 1
    failed = lines(done.stdout)
    assert [line["model"] for line in failed] == ["siglip2-base", "ast-audioset"]
    assert all("HF_HUB_OFFLINE" in str(line["error"]) for line in failed)


def test_pulling_says_what_to_pull() -> None:
    assert isinstance(run.invoke(weights.app, ["pull"]).exception, BadInput)
    unknown = run.invoke(weights.app, ["pull", "qwen-9"]).exception
    assert isinstance(unknown, models.UnknownModel)


def test_the_doctor_names_the_command_for_each_model_of_the_hub(tmp_path: Path) -> None:
    report = doctor.examine(tmp_path, 0, "127.0.0.1", names=("siglip2-base", "qwen3-vl-8b"))
    commands = [problem.command for problem in report.problems]
    assert commands[:2] == [
        "lookback models pull siglip2-base",
        "lookback models pull qwen3-vl-8b",
    ]
    assert not report.ok


def test_the_doctor_says_where_the_gpus_do_not_suffice(tmp_path: Path) -> None:
    def suffice() -> None:
        raise TooLittleGpuMemory("NVIDIA L4", 9 * 10**9, {"Reasoning": 50}, "embedded")

    report = doctor.examine(tmp_path, 0, "127.0.0.1", names=(), checks={"it stops": suffice})
    assert not report.ok
    (told,) = [one for one in report.problems if one.what == "it stops"]
    assert "NVIDIA L4 has 9.0 GB free" in told.why


def test_what_settings_name_by_path_or_id_is_looked_at(tmp_path: Path) -> None:
    """A mistyped path passed for sound, and the server failed half a minute into its start."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}cut")
    settings = load(
        picture_model=str(folder), answer_backend="transformers", answer_model="/no/such/folder"
    )
    assert given(settings) == (str(folder), "/no/such/folder")
    with pytest.raises(models.ModelTruncated, match="it has 13 bytes instead of 10"):
        check_given(settings)
    with pytest.raises(models.ModelMissing, match="no file, no folder and no hub id"):
        models.find_given("/no/such/folder")
    with pytest.raises(models.ModelMissing, match="nobody/encoder@v2 is not in the .* cache"):
        models.find_given("nobody/encoder@v2")
    report = doctor.examine(
        tmp_path, 0, "127.0.0.1", names=(), checks={"pictures": lambda: check_given(settings)}
    )
    assert any(one.what == "pictures" and one.fatal for one in report.problems)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, '{"data": [{"id": "seer"}, {"id": "other"}]}', None),
        (404, "not here", None),
        (200, "[]", None),
        (200, '{"data": [{"id": "other"}]}', "has no model 'seer'; it has other"),
        (401, "{}", "refuses requests with a key (401)"),
        (503, "<html>", "answered 503"),
    ],
)
def test_the_endpoint_is_asked_for_its_models(status: int, body: str, said: str | None) -> None:
    class Models(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/v1/models"
            assert self.headers["Authorization"] == "Bearer sk-1"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Models) as server:
        threading.Thread(target=server.serve_forever).start()
        settings = load(
            answer_backend="endpoint",
            answer_endpoint=f"http://127.0.0.1:{server.server_port}/v1",
            answer_model="seer",
            answer_key="sk-1",
        )
        try:
            if said is None:
                check_endpoint(settings)
            else:
                with pytest.raises(BadSettings) as refused:
                    check_endpoint(settings)
                assert str(refused.value).endswith(said)
                assert "sk-1" not in str(refused.value)
        finally:
            server.shutdown()
    with pytest.raises(BadSettings, match="cannot be talked to"):
        check_endpoint(settings)
