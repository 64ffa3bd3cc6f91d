"""A hub on loopback that speaks the routes the client uses: a tree of files, and the files.

Large files (`*.safetensors`, `*.bin`) are named by their SHA-256, small ones by their git hash, as on
the hub.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LARGE = (".safetensors", ".bin")


@dataclass
class FakeHub:
    """What the hub has, and how it behaves."""

    url: str = ""
    repos: dict[str, dict[str, dict[str, bytes]]] = field(
        default_factory=dict
    )  # repo, commit, path
    gated: set[str] = field(default_factory=set)
    cut: dict[str, int] = field(default_factory=dict)  # by path: the connection ends after so many
    cuts: int = 10**9  # how often that happens
    sent: list[str] = field(default_factory=list)  # paths of files, as often as they are sent
    ranges: list[str] = field(default_factory=list)  # what was asked for in part
    hold: dict[str, threading.Event] = field(default_factory=dict)  # a file waits for its event

    def add(self, repo: str, commit: str, files: dict[str, bytes]) -> None:
        self.repos.setdefault(repo, {})[commit] = files


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """The hub, up while the block runs."""
    hub = FakeHub()

    class Handler(_Handler):
        mine = hub

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield hub
        finally:
            for event in hub.hold.values():
                event.set()
            server.shutdown()
            thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    mine: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        parts = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._listing("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
        elif parts[2:3] == ["resolve"]:
            self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]), body)
        else:
            self._fail(404, "EntryNotFound")

    def _files(self, repo: str, commit: str) -> dict[str, bytes] | None:
        if repo not in self.mine.repos:
            # The hub does not tell strangers which ids there are.
            self._fail(404 if self.headers.get("authorization") else 401, "RepoNotFound")
            return None
        if repo in self.mine.gated:
            self._fail(403 if self.headers.get("authorization") else 401, "GatedRepo")
            return None
        if commit not in self.mine.repos[repo]:
            self._fail(404, "RevisionNotFound")
            return None
        return self.mine.repos[repo][commit]

    def _listing(self, repo: str, commit: str) -> None:
        files = self._files(repo, commit)
        if files is None:
            return
        rows = []
        for path, content in files.items():
            row = {"type": "file", "path": path, "size": len(content), "oid": _git_hash(content)}
            if path.endswith(LARGE):
                oid = hashlib.sha256(content).hexdigest()
                row["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 130}
            rows.append(row)
        body = json.dumps(rows).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, repo: str, commit: str, path: str, body: bool) -> None:
        files = self._files(repo, commit)
        if files is None:
            return
        if path not in files:
            self._fail(404, "EntryNotFound")
            return
        content, start = files[path], 0
        if asked := self.headers.get("range"):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if body:
                self.mine.ranges.append(path)
        large = path.endswith(LARGE)
        tag = hashlib.sha256(content).hexdigest() if large else _git_hash(content)
        self.send_response(206 if start else 200)
        self.send_header("etag", f'"{tag}"')
        self.send_header("x-repo-commit", commit)
        self.send_header("accept-ranges", "bytes")
        self.send_header("content-length", str(len(content) - start))
        if start:
            self.send_header("content-range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if body:
            self._send(path, content[start:])

    def _send(self, path: str, content: bytes) -> None:
        self.mine.sent.append(path)
        if path in self.mine.hold:
            self.mine.hold[path].wait(20)
        if path in self.mine.cut and self.mine.cuts > 0:
            self.mine.cuts -= 1
            self.wfile.write(content[: self.mine.cut[path]])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(content)

    def _fail(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("x-error-code", code)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def _git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
