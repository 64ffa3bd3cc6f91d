"""A server that speaks S3, on loopback, from PyPI: what the tests of a store in a bucket talk to."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import obstore
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

KEY, SECRET = "AKIAEXAMPLEFORTESTS", "a-secret-that-is-never-printed"


@dataclass(frozen=True, slots=True)
class S3:
    """A running server, and what a store needs to find it."""

    url: str
    environment: dict[str, str]

    def make_bucket(self, name: str) -> str:
        """An empty one; the address of a store in it."""
        httpx.put(f"{self.url}/{name}").raise_for_status()
        return f"s3://{name}/memory"

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Every object in it, whole."""
        store = S3Store(
            bucket,
            endpoint=self.url,
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )
        names = [str(meta["path"]) for chunk in obstore.list(store) for meta in chunk]
        return {name: bytes(obstore.get(store, name).bytes()) for name in names}


@contextmanager
def serving() -> Iterator[S3]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }
        yield S3(url, environment)
    finally:
        server.stop()
