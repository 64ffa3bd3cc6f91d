from __future__ import annotations

import dataclasses
import http.server
import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

import models
from app import doctor
from app.trial_loads import LoadFailed, seconds_to_load
from models.records import File, Model, Part
from tests.memory.s3 import KEY, SECRET, serving

pytestmark = pytest.mark.unit

ABSENT = Part("never-installed==1.0", "never_installed", "weights", "0" * 64)


def absent(optional: bool) -> Model:
    return Model(
        name="absent",
        job="testing",
        licence="MIT",
        upstream="nobody",
        files=(File("weights", "0" * 64, 1, (ABSENT,)),),
        optional=optional,
        without="nothing is tested",
    )


@pytest.fixture(autouse=True)
def _no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "CATALOG", ())


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def text(report: doctor.Report) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    doctor.render(report, console)
    return console.export_text()


def test_a_sound_machine_is_ok_and_left_as_it_was(tmp_path: Path, free: int) -> None:
    report = doctor.examine(tmp_path / "a" / "store", free, "127.0.0.1")
    assert report.ok
    assert report.problems == ()
    assert list(tmp_path.iterdir()) == []
    assert json.loads(json.dumps(report.to_json()))["ok"] is True
    assert "everything needed works" in text(report)


def test_nothing_is_left_out_of_a_table_in_a_pipe(
    tmp_path: Path, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns models were listed as `whisper-…`."""
    long = dataclasses.replace(
        absent(optional=True), name="a-model-of-a-name-" * 4, job="seeing " * 9
    )
    monkeypatch.setattr(models, "CATALOG", (long,))
    pipe = io.StringIO()
    doctor.render(doctor.examine(tmp_path, free, "127.0.0.1"), Console(width=80, file=pipe))
    row = pipe.getvalue().splitlines()[1]
    for cell in (long.name, long.job.strip(), long.licence):
        assert cell in row


@pytest.mark.parametrize("optional", [True, False])
def test_a_missing_model_says_what_is_lost_and_the_command(
    optional: bool, tmp_path: Path, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "CATALOG", (absent(optional),))
    report = doctor.examine(tmp_path, free, "127.0.0.1")
    assert report.ok is optional
    assert "-m pip install never-installed==1.0" in str(report.problems[0].command)
    assert "nothing is tested" in text(report)


def test_a_model_that_does_not_load_is_a_problem(
    tmp_path: Path, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"w")
    monkeypatch.setattr(models, "CATALOG", (absent(optional=False),))
    monkeypatch.setattr(
        models,
        "find",
        lambda name: models.Located(name, weights, "here", 1, "ab" * 32, "catalogue"),
    )

    def load(name: str, path: Path) -> float:
        raise LoadFailed("bad magic")

    report = doctor.examine(tmp_path, free, "127.0.0.1", load)
    assert not report.ok
    assert "bad magic" in report.problems[0].why
    assert report.models[0].bytes == 1


def test_a_taken_port_is_a_problem_with_another_one_offered(
    tmp_path: Path, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_is_lookback", lambda host, port: False)
    report = doctor.examine(tmp_path, listening, "127.0.0.1")
    assert report.port.state == "taken"
    assert not report.ok
    assert "--port" in str(report.problems[0].command)


def test_a_running_server_on_the_port_is_no_problem(tmp_path: Path) -> None:
    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(b'{"ready": false, "deployments": {}}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        report = doctor.examine(tmp_path, server.server_port, "127.0.0.1")
        server.shutdown()
        thread.join()
    assert report.port.state == "lookback"
    assert report.ok


def test_others_can_reach_it_only_with_a_token(
    tmp_path: Path, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not doctor.examine(tmp_path, free, "0.0.0.0").ok
    monkeypatch.setenv("LOOKBACK_TOKEN", "secret")
    report = doctor.examine(tmp_path, free, "0.0.0.0")
    assert report.ok
    assert "secret" not in json.dumps(report.to_json())


def test_a_store_that_cannot_be_written_is_a_problem(tmp_path: Path, free: int) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    report = doctor.examine(taken / "store", free, "127.0.0.1")
    assert not report.store.writable
    assert not report.ok
    assert "LOOKBACK_STORE" in str(report.problems[0].command)


def test_a_bucket_is_tried_and_what_is_wrong_with_it_said_without_keys(
    free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        url = s3.make_bucket("doctors")
        report = doctor.examine(url, free, "127.0.0.1")
        assert report.ok
        assert (report.store.writable, report.store.exists, report.store.free) == (
            True,
            False,
            None,
        )
        assert f"{url} (will be made, writable)" in text(report)
        assert s3.objects("doctors") == {}
        wrong = doctor.examine("s3://nobodys/memory", free, "127.0.0.1")
    assert not wrong.ok
    assert "has no such bucket" in wrong.problems[0].why
    said = json.dumps(wrong.to_json()) + text(wrong)
    assert KEY not in said
    assert SECRET not in said


def test_a_library_that_fails_is_reported_in_its_own_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(LoadFailed, match=r"(?i)onnx|protobuf|model"):
        seconds_to_load("centerface", broken)
