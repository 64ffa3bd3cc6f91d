"""A store in a bucket of a server that speaks S3. The objects beneath `s3://bucket/prefix`:

lease.json        who writes to it
sealed.json       the table versions that belong together: what readers see
tables/           LanceDB, which commits by conditional writes
media/ab/SHA-256  keyframes
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping

import lancedb

from memory.errors import KeyframeNotFound, KeyframeTorn, StoreUnreachable, WriteFailed
from memory.failures import reason
from memory.fence import fenced
from memory.lease import SECONDS, Lease
from memory.media import check_digest
from memory.objects import Objects
from memory.tables import connect

SEAL = "sealed.json"


class Bucket:
    """Implements `memory.place.Place`. Every call may raise `StoreUnreachable`."""

    def __init__(
        self,
        url: str,
        environment: Mapping[str, str] | None = None,
        lease_seconds: float = SECONDS,
    ) -> None:
        self._objects = Objects(url, environment)
        self.media = BucketMedia(self._objects, self._fence)
        self._lease_seconds = lease_seconds
        self._lease: Lease | None = None
        self._tag: str | None = None  # of the seal that this writer wrote
        self._fenced_off = False

    @property
    def name(self) -> str:
        return self._objects.url

    def exists(self) -> bool:
        return self._objects.get(SEAL) is not None

    def lock(self) -> Lease:
        self._lease = Lease(self._objects, self._lease_seconds)
        self.media.only_writer = True
        return self._lease

    def connect(self) -> lancedb.DBConnection:
        try:
            db = connect(f"{self.name}/tables", self._objects.storage_options)
        except (OSError, RuntimeError, ValueError) as failure:  # it quotes what the server said
            raise StoreUnreachable(
                f"the store at {self.name} cannot be reached: {reason(str(failure))}"
            ) from None
        return db if self._lease is None else fenced(db, self._fence)

    def read(self, name: str) -> bytes | None:
        found = self._objects.get(name)
        return None if found is None else found.content

    def write(self, name: str, content: bytes) -> None:
        self._fence()
        self._objects.put(name, content)

    def remove(self, name: str) -> None:
        self._fence()
        self._objects.remove(name)

    def bytes(self, beneath: str = "") -> int:
        return sum(size for _, size in self._objects.list(beneath))

    def names_beneath(self, table: str, folder: str) -> list[str]:
        listed = self._objects.list(f"tables/{table}.lance/{folder}")
        return [name.rpartition("/")[2] for name, _ in listed]

    def roll_back(self) -> None:
        """Restoring is a commit after which nothing that began before it can be committed: it takes
        away what was not sealed, and fences off a writer that does not know yet that it is none."""
        there = self._objects.get(SEAL)
        if there is None:
            return
        self._tag = there.tag
        sealed = _versions(there.content)
        self.seal(sealed)  # from here on, the writer before can seal nothing
        db = self.connect()
        taken_over = self._lease is not None and self._lease.taken_over
        for name, version in sealed.items():
            table = db.open_table(name)
            if taken_over or table.version != version:
                table.checkout(version)
                table.restore()

    def seal(self, versions: Mapping[str, int]) -> None:
        self.check()
        content = {"versions": dict(versions), "write": secrets.token_hex(8)}
        tag = self._objects.put_if(SEAL, json.dumps(content).encode(), self._tag)
        if tag is None:
            self._fenced_off = True
            self.check()
        self._tag = tag

    def sealed(self) -> dict[str, int]:
        there = self._objects.get(SEAL)
        return {} if there is None else _versions(there.content)

    def check(self) -> None:
        self._check_seal()
        if self._lease is not None:
            self._lease.check()

    def _fence(self) -> None:
        """Just before each change. One that only reads has no lease."""
        self._check_seal()
        if self._lease is not None:
            self._lease.fence()

    def _check_seal(self) -> None:
        if self._fenced_off:
            raise WriteFailed(f"another process writes to the store at {self.name}; open it again")


class BucketMedia:
    """Implements `memory.place.Media`. The only writer knows the sizes without asking each time.
    `fence` is called before each change."""

    def __init__(self, objects: Objects, fence: Callable[[], None]) -> None:
        self._objects = objects
        self._fence = fence
        self._guard = threading.Lock()
        self._known: dict[str, int] | None = None
        self.only_writer = False

    def write(self, digest: str, content: bytes) -> None:
        check_digest(digest, content)
        if self.size(digest) == len(content):
            return
        self._fence()
        self._objects.put(_place(digest), content)
        if self.only_writer:
            self._all()[digest] = len(content)

    def read(self, digest: str) -> bytes:
        found = self._objects.get(_place(digest))
        if found is None:
            raise KeyframeNotFound(f"no keyframe {digest[:80]!r} in the store")
        if hashlib.sha256(found.content).hexdigest() != digest:
            raise KeyframeTorn(
                f"the keyframe {digest} in {self._objects.url} is damaged: its bytes do not have its "
                "hash; replay the recording again to restore it"
            )
        return found.content

    def size(self, digest: str) -> int | None:
        if self.only_writer:
            return self._all().get(digest)
        return self._objects.size(_place(digest))

    def remove(self, digest: str) -> int:
        size = self.size(digest)
        if size is None:
            return 0
        self._fence()
        self._objects.remove(_place(digest))
        if self.only_writer:
            self._all().pop(digest, None)
        return size

    def sizes(self) -> Iterator[tuple[str, int]]:
        if self.only_writer:
            yield from dict(self._all()).items()
            return
        yield from self._listed()

    def _all(self) -> dict[str, int]:
        with self._guard:
            if self._known is None:
                self._known = dict(self._listed())
            return self._known

    def _listed(self) -> Iterator[tuple[str, int]]:
        for name, size in self._objects.list("media"):
            yield name.rpartition("/")[2], size


def _place(digest: str) -> str:
    return f"media/{digest[:2]}/{digest}"


def _versions(seal: bytes) -> dict[str, int]:
    return {str(table): int(version) for table, version in json.loads(seal)["versions"].items()}
