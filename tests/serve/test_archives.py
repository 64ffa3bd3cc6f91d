"""Export and import over HTTP, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from memory.store import Store
from serve.settings import Settings
from tests.memory.storing import HashEmbedder, moment, picture, stream
from tests.serve.conftest import client_of

pytestmark = pytest.mark.unit


def fill(store: Store) -> None:
    digest, content = picture("porch")
    moments = [moment(n, keyframe=digest if n % 2 else None) for n in range(5)]
    store.remember(stream(seconds=99.0), moments, {digest: content})
    store.remember(stream("other"), [moment(0, "other")], {})


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncGenerator[tuple[httpx.AsyncClient, Store], None]:
    with Store(tmp_path / "empty", HashEmbedder()) as store:
        async with client_of(Settings(store=tmp_path / "empty"), store) as client:
            yield client, store


async def exported(api: httpx.AsyncClient) -> bytes:
    reply = await api.get("/v1/streams/cam/export")
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/zip"
    return reply.content


async def imported(api: httpx.AsyncClient, archive: bytes) -> httpx.Response:
    return await api.post("/v1/import", files={"file": ("cam.zip", archive)})


async def test_an_empty_store_holds_the_same_memory_afterwards(
    api: httpx.AsyncClient, store: Store, empty: tuple[httpx.AsyncClient, Store]
) -> None:
    fill(store)
    archive = await exported(api)
    client, other = empty
    for _ in range(2):  # importing again changes nothing
        body = (await imported(client, archive)).json()
        assert (body["stream_id"], body["moments"], body["observations"]) == ("cam", 5, 15)
    assert other.timeline("cam") == store.timeline("cam")
    assert other.streams() == [s for s in store.streams() if s.id == "cam"]
    assert other.keyframe(moment(1).id) == store.keyframe(moment(1).id)
    assert other.stats().observations == 15
    assert (await exported(client)) != b""
    question = {"query": "crate 3 has part 1", "limit": 1}
    there, here = [(await c.post("/v1/search", json=question)).json() for c in (api, client)]
    assert there["results"][0]["moment_id"] == here["results"][0]["moment_id"]


async def test_an_archive_is_read_without_us(api: httpx.AsyncClient, store: Store) -> None:
    fill(store)
    with zipfile.ZipFile(io.BytesIO(await exported(api))) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        for name, known in manifest["files"].items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == known["sha256"]
        assert set(archive.namelist()) == {*manifest["files"], "manifest.json"}
        assert b"sha256sum" in archive.read("README.txt")
        rows = pq.read_table(io.BytesIO(archive.read("tables/observations.parquet")))
        assert len(rows) == 15
        assert set(rows["stream_id"].to_pylist()) == {"cam"}
        (shown,) = [n for n in archive.namelist() if n.startswith("keyframes/")]
        assert archive.read(shown) == picture("porch")[1]
    assert await exported(api) == await exported(api)


def rewritten(archive: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
        if change("extra", b"") is None:
            new.writestr("extra.txt", "more")
    return out.getvalue()


TAMPERED: dict[str, Callable[[bytes], bytes]] = {
    "a word changed": lambda a: rewritten(
        a, lambda n, c: c.replace(b"crate 3", b"crate 9") if n == "moments.jsonl" else c
    ),
    "a picture left out": lambda a: rewritten(
        a, lambda n, c: None if n.startswith("keyframes/") else c
    ),
    "a file more": lambda a: rewritten(a, lambda n, c: None if n == "extra" else c),
    "no manifest": lambda a: rewritten(a, lambda n, c: None if n == "manifest.json" else c),
    "another manifest": lambda a: rewritten(
        a, lambda n, c: b'{"format": "x"}' if n == "manifest.json" else c
    ),
    "the end cut off": lambda a: a[:-300],
    "a byte turned": lambda a: a[:400] + bytes([a[400] ^ 8]) + a[401:],
    "no zip at all": lambda a: b"hello",
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_a_changed_archive_is_refused_in_one_line_and_nothing_is_taken_in(
    api: httpx.AsyncClient, store: Store, empty: tuple[httpx.AsyncClient, Store], what: str
) -> None:
    fill(store)
    client, other = empty
    reply = await imported(client, TAMPERED[what](await exported(api)))
    assert reply.status_code == 400, reply.text
    message = reply.json()["error"]["message"]
    assert message
    assert "\n" not in message
    assert other.streams() == []


def _line(**other: Any) -> Callable[[bytes], bytes]:
    """The last of the moments with something else in it, beside what its observations say."""

    def changed(lines: bytes) -> bytes:
        *first, last = lines.decode().splitlines()
        moment = json.loads(last)
        for name, value in other.items():
            place = moment["observations"][-1] if name in moment["observations"][-1] else moment
            place[name] = value
        return "\n".join([*first, json.dumps(moment)]).encode()

    return changed


SIGNED_ANEW: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "no text": ("moments.jsonl", _line(text=None)),
    "half a character": ("moments.jsonl", _line(text="\ud800")),
    "a kind that is none": ("moments.jsonl", _line(kind="hologram")),
    "a time that is none": ("moments.jsonl", _line(end=float("nan"))),
    "a time in words": ("moments.jsonl", _line(end="noon")),
    "another's moment": ("moments.jsonl", _line(stream_id="other")),
    "no parquet": ("tables/pins.parquet", lambda rows: b"PAR1"),
}


@pytest.mark.parametrize("what", SIGNED_ANEW)
async def test_what_memory_does_not_keep_is_refused_whole_though_every_hash_is_right(
    api: httpx.AsyncClient, store: Store, empty: tuple[httpx.AsyncClient, Store], what: str
) -> None:
    fill(store)
    store.pin([moment(0).id])
    name, change = SIGNED_ANEW[what]
    with zipfile.ZipFile(io.BytesIO(await exported(api))) as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    files[name] = change(files[name])
    manifest = json.loads(files["manifest.json"])
    digest = hashlib.sha256(files[name]).hexdigest()
    manifest["files"][name] = {"sha256": digest, "bytes": len(files[name])}
    files["manifest.json"] = json.dumps(manifest).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for one, content in files.items():
            archive.writestr(one, content)
    client, other = empty
    reply = await imported(client, out.getvalue())
    assert reply.status_code == 400, reply.text
    assert other.streams() == []


async def test_a_lost_keyframe_is_left_out_and_the_rest_goes_on(
    api: httpx.AsyncClient, store: Store, empty: tuple[httpx.AsyncClient, Store]
) -> None:
    fill(store)
    (file,) = (store.path / "media").rglob("*.jpg")
    file.write_bytes(file.read_bytes()[:20])
    client, other = empty
    assert (await imported(client, await exported(api))).status_code == 200
    assert [m.keyframe for m in other.timeline("cam")] == [None] * 5
    assert [m.observations for m in other.timeline("cam")] == [
        m.observations for m in store.timeline("cam")
    ]


async def test_a_stream_of_another_beginning_is_not_mixed_in(
    api: httpx.AsyncClient, store: Store, empty: tuple[httpx.AsyncClient, Store]
) -> None:
    fill(store)
    client, other = empty
    began = stream().wall_start.replace(year=2020)
    other.remember(stream().__class__("cam", began, "x"), [moment(9)], {})
    reply = await imported(client, await exported(api))
    assert reply.status_code == 409
    assert len(other.timeline("cam")) == 1


async def test_a_stream_that_is_not_there_cannot_be_exported(api: httpx.AsyncClient) -> None:
    assert (await api.get("/v1/streams/cam/export")).status_code == 404
