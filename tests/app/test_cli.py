"""The command line: exit statuses, one clear line, and nothing but JSON where JSON was asked for."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory.embedder import HashEmbedder
from memory.store import Store
from perception.records import Moment, Observation, Stream
from tests.app.commands import lookback_here
from tests.server import lookback

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "store"
    said = Observation("attic", "speech", 61.0, 64.0, "The tent is behind the old wardrobe.")
    with Store(path, HashEmbedder()) as opened:
        begun = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
        moment = Moment("attic", 61.0, 64.0, (said,))
        opened.remember(Stream("attic", begun, "test", 64.0), [moment], {})
    return path


def test_help_lists_every_command() -> None:
    shown = lookback("--help").stdout
    for command in (
        "serve",
        "replay",
        "ask",
        "search",
        "timeline",
        "stats",
        "forget",
        "pin",
        "export",
        "import",
        "doctor",
    ):
        assert command in shown


def test_serve_help_lists_every_setting() -> None:
    shown = "".join(lookback("serve", "--help", COLUMNS="200").stdout.split())
    for name in ("LOOKBACK_STORE", "LOOKBACK_TOKEN", "LOOKBACK_AGENT_NAME", "LOOKBACK_PROFILE"):
        assert name in shown


def test_help_says_what_stands_in_brackets() -> None:
    """Markup of rich's it was taken for, and left out: `Name of the stream .`"""
    shown = lookback_here("serve", "--help", COLUMNS="200").stdout
    assert "[env: LOOKBACK_STORE]" in shown
    assert "only typed or pushed. [any]" in shown
    assert "LOOKBACK_ANSWER_ENDPOINT" in shown
    assert "[]" not in shown
    shown = lookback_here("replay", "--help", COLUMNS="200").stdout
    assert "[from the file's name and content]" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay", "nowhere.mp4"], "no such file"),
        (["replay", "{empty}"], "empty"),
        (["replay", "{folder}"], "is a folder"),
        (["replay", "{text}", "--speed", "2x"], "--speed"),
        (["stats", "--url", "localhost:7860"], "no URL"),
        (["replay", "{text}", "{empty}", "--stream-id", "x"], "--stream-id"),
        (["replay", "{text}", "--questions", "nowhere.jsonl"], "nowhere.jsonl"),
        (["replay", "{text}", "--questions", "{text}"], "line 1"),
        (["forget", "--store", "{store}"], "what to forget"),
        (["forget", "--store", "{store}", "--stream-id", "attic"], "--yes"),
        (["timeline", "nobody", "--store", "{store}"], "nobody"),
        (["timeline", "attic?start=99", "--store", "{store}"], "id of a stream"),
        (["replay", "{text}", "--stream-id", ".."], "id of a stream"),
        (["ask", "", "--store", "{store}"], "question"),
        (["ask", "Where is the tent?", "--at", "noonish", "--store", "{store}"], "noonish"),
        (["search", "x", "--profile-is-not-an-option"], "No such option"),
        (["serve", "--port", "0"], "port"),
        (["serve", "--host", "0.0.0.0", "--store", "{store}"], "LOOKBACK_TOKEN"),
    ],
)
def test_a_mistake_is_one_clear_line_and_status_2(
    arguments: list[str], said: str, store: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film at all\n")
    names = {
        "empty": tmp_path / "empty.mp4",
        "text": tmp_path / "text.mp4",
        "folder": tmp_path,
        "store": store,
    }
    done = lookback_here(*(argument.format(**names) for argument in arguments))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_nobody_at_the_url_is_status_1() -> None:
    done = lookback_here("stats", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "nobody answers" in done.stderr


def test_a_command_of_its_own_process_ends_as_one_here_does(store: Path) -> None:
    for arguments in (["search", "tent", "--json"], ["timeline", "nobody"]):
        there, here = (run(*arguments, "--store", str(store)) for run in (lookback, lookback_here))
        assert there.returncode == here.returncode
        assert there.stdout == here.stdout
        assert there.stderr.count("error:") == here.stderr.count("error:") == here.returncode // 2


def test_json_is_one_object_a_line_and_nothing_else(store: Path) -> None:
    for arguments in (["search", "tent"], ["timeline"], ["timeline", "attic"], ["stats"]):
        done = lookback_here(*arguments, "--store", str(store), "--json")
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines
        assert all(isinstance(line, dict) for line in lines)


def test_people_read_one_thing_a_line_in_their_own_time_and_units(tmp_path: Path) -> None:
    store, name = tmp_path / "store", "attic of the house by the lake - second floor"
    long = ("The tent is behind the old wardrobe. " * 12).strip()
    said = Observation(name, "speech", 61.0, 64.0, long)
    with Store(store, HashEmbedder()) as opened:
        begun = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
        moments = [Moment(name, 0.0, 9.0, ()), Moment(name, 61.0, 64.0, (said,))]
        opened.remember(Stream(name, begun, "a_rather_long_name_of_a_file.mp4", 64.0), moments, {})

    def shown(*arguments: str) -> list[str]:
        done = lookback_here(*arguments, "--store", str(store), COLUMNS="80", TZ="UTC")
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    heads, stream = shown("timeline")
    assert heads.split() == ["stream", "began", "length", "source"]
    file = "a_rather_long_name_of_a_file.mp4"
    assert stream == f"{name}  2026-05-01 08:00  01:04   {file}"
    assert shown("timeline", name) == ["00:00–00:09  –", f"01:01–01:04  {long}"]
    assert shown("timeline", name, "--level", "hours") == ["no episodes"]
    assert len(shown("search", "tent")) == 1
    figures = {line[:16].strip(): line[16:].strip() for line in shown("stats")}
    assert figures["moments"] == "2"
    assert figures["budget"] == "10.0 MB an hour of a stream"
    assert figures["ledger: dropped"] == "0 observations, 0 keyframes, 0 B"
    assert shown("forget", "--stream-id", name, "--yes")[0].startswith(
        "forgotten: 1 observation, 2 "
    )
    assert shown("timeline") == ["nothing is remembered yet"]


def test_a_moment_is_pinned_and_let_go(store: Path) -> None:
    moment_id = "attic:0000061000"
    for undo, kept in (([], True), (["--undo"], False)):
        done = lookback_here("pin", moment_id, *undo, "--store", str(store), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"type": "pin", "moment_id": moment_id, "pinned": kept}
        with Store(store, HashEmbedder()) as opened:
            assert opened.pinned([moment_id]) == ({moment_id} if kept else set())
    unknown = lookback_here("pin", "attic:0000000000", "--store", str(store))
    assert unknown.returncode == 2
    assert "no moment" in unknown.stderr


def test_export_is_readable_without_us(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "attic.zip"
    assert lookback_here("export", "attic", str(out), "--store", str(store)).returncode == 0
    with zipfile.ZipFile(out) as archive:
        (moment,) = archive.read("moments.jsonl").decode().splitlines()
    assert "wardrobe" in json.loads(moment)["text"]


def test_an_archive_goes_into_a_new_store_and_a_changed_one_is_refused(
    store: Path, tmp_path: Path
) -> None:
    out, mine = tmp_path / "attic.zip", str(tmp_path / "new")
    assert lookback_here("export", "attic", str(out), "--store", str(store)).returncode == 0
    done = lookback_here("import", str(out), "--store", mine, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["moments"] == 1
    there, here = (
        lookback_here("timeline", "attic", "--store", s, "--json").stdout
        for s in (str(store), mine)
    )
    assert there == here
    out.write_bytes(out.read_bytes()[:-200])
    done = lookback_here("import", str(out), "--store", mine)
    assert done.returncode == 2
    assert "archive" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_forgetting_prints_a_receipt(tmp_path: Path, store: Path) -> None:
    mine = tmp_path / "copy"
    with Store(mine, HashEmbedder()) as opened:
        said = Observation("attic", "speech", 1.0, 2.0, "Gone tomorrow.")
        stream = Stream("attic", datetime(2026, 5, 1, tzinfo=UTC), "test", 2.0)
        opened.remember(stream, [Moment("attic", 1.0, 2.0, (said,))], {})
    done = lookback_here("forget", "--store", str(mine), "--stream-id", "attic", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)
    assert receipt["observations"] == 1
    assert lookback_here("timeline", "--store", str(mine), "--json").stdout == ""
