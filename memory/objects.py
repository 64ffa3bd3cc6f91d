"""The objects of a store on a server that speaks S3: read, written whole, and written only if
nobody else has in between (If-None-Match, If-Match: RFC 9110), which is what one writer rests on.

Address, keys and region come from the environment, by the names that every S3 client knows:
AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PreconditionError,
)
from obstore.store import S3Store

from memory.errors import StoreUnreachable
from memory.failures import reason

RETRIES = 3
PATIENCE = 20  # seconds of retrying one request
TIMEOUT = 30  # seconds of one request
CONNECT = 5  # seconds
# An address: a bucket as S3 names them, and a path in it.
ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


@dataclass(frozen=True, slots=True)
class Object:
    """One object as it was when it was asked for."""

    content: bytes
    tag: str  # changes with every write
    written: datetime  # by the server's clock


class Objects:
    """Objects beneath `s3://bucket/prefix`, by their names there. Safe to use from many threads.

    Every call raises `StoreUnreachable` where the server does not answer or refuses; its message
    holds neither a key nor what the server said beyond its error code.
    """

    def __init__(self, url: str, environment: Mapping[str, str] | None = None) -> None:
        match = ADDRESS.fullmatch(url.rstrip("/"))
        if match is None:
            raise StoreUnreachable(f"{url[:200]!r} is not s3://bucket/prefix")
        self.url = url.rstrip("/")
        self.bucket, self.prefix = match[1], (match[2] or "").strip("/")
        given = dict(os.environ if environment is None else environment)
        self.endpoint = given.get("AWS_ENDPOINT_URL_S3") or given.get("AWS_ENDPOINT_URL") or ""
        self._keyed = "AWS_ACCESS_KEY_ID" in given
        self._config = {
            "region": given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION") or "us-east-1"
        }
        for name in ("access_key_id", "secret_access_key", "session_token"):
            if value := given.get(f"AWS_{name.upper()}"):
                self._config[name] = value
        if self.endpoint:
            self._config["endpoint"] = self.endpoint
        with self._named():
            self._store = S3Store(
                self.bucket,
                prefix=self.prefix or None,
                config=self._config,  # type: ignore[arg-type]  # its keys are those of S3Config
                client_options={
                    "allow_http": self._in_clear,
                    "timeout": timedelta(seconds=TIMEOUT),
                    "connect_timeout": timedelta(seconds=CONNECT),
                },
                retry_config={
                    "max_retries": RETRIES,
                    "retry_timeout": timedelta(seconds=PATIENCE),
                },
            )

    @property
    def storage_options(self) -> dict[str, str]:
        """The same for LanceDB."""
        return {
            **{f"aws_{name}": value for name, value in self._config.items()},
            "allow_http": str(self._in_clear).lower(),
            "timeout": f"{TIMEOUT}s",
            "connect_timeout": f"{CONNECT}s",
            "client_max_retries": str(RETRIES),
            "client_retry_timeout": str(PATIENCE),
        }

    def get(self, name: str) -> Object | None:
        """None where there is none."""
        with self._named():
            try:
                found = obstore.get(self._store, name)
                content = bytes(found.bytes())
            except (NotFoundError, FileNotFoundError) as missing:
                self._no_bucket(missing)
                return None
            meta = found.meta
            return Object(content, str(meta["e_tag"]), meta["last_modified"])

    def size(self, name: str) -> int | None:
        """Bytes; None where there is none."""
        with self._named():
            try:
                return int(obstore.head(self._store, name)["size"])
            except (NotFoundError, FileNotFoundError):
                return None

    def put(self, name: str, content: bytes) -> datetime:
        """Whatever was there; when, by the server's clock."""
        with self._named():
            obstore.put(self._store, name, content)
            return obstore.head(self._store, name)["last_modified"]

    def put_if(self, name: str, content: bytes, tag: str | None) -> str | None:
        """Write only over the object with that tag (None: only where none is); the new tag, or
        None: somebody else was first. `content` must differ from all that others write there: where
        an answer is lost on its way, what is there tells whose the write was.

        Raises `StoreUnreachable` for a bucket that keeps old versions: nothing could be forgotten
        there."""
        with self._named():
            try:
                mode: Any = "create" if tag is None else {"e_tag": tag}
                put: Mapping[str, Any] = obstore.put(self._store, name, content, mode=mode)
            except (
                AlreadyExistsError,
                PreconditionError,
                NotFoundError,
                FileNotFoundError,
            ) as refused:
                self._no_bucket(refused)
                there = self.get(name)
                return there.tag if there is not None and there.content == content else None
        if put["version"] not in (None, "null"):
            raise StoreUnreachable(
                f"the bucket of {self.url} keeps old versions of its objects, so nothing could be "
                "forgotten there: use one without versioning"
            )
        return str(put["e_tag"])

    def remove(self, name: str) -> None:
        """Also where there is none."""
        with self._named():
            obstore.delete(self._store, name)

    def list(self, beneath: str = "") -> Iterator[tuple[str, int]]:
        """Name and bytes of every object in that folder, and in those in it."""
        with self._named():
            for chunk in obstore.list(self._store, prefix=beneath or None):
                yield from ((str(meta["path"]), int(meta["size"])) for meta in chunk)

    @property
    def _in_clear(self) -> bool:
        return self.endpoint.startswith("http://")

    def _no_bucket(self, missing: Exception) -> None:
        if "NoSuchBucket" in str(missing):
            raise StoreUnreachable(self._why(missing)) from None

    @contextmanager
    def _named(self) -> Iterator[None]:
        """The client's own errors quote what the server said, and with it the key's name."""
        try:
            yield
        except (BaseError, OSError, ValueError) as failure:
            raise StoreUnreachable(self._why(failure)) from None

    def _why(self, failure: Exception) -> str:
        where = self.endpoint or "Amazon S3"
        return (
            f"the store at {self.url} cannot be reached: {reason(str(failure), where, self._keyed)}"
        )
