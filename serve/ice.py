"""STUN and TURN servers, as the setting `ice_servers` writes them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

# RFC 7064 and RFC 7065.
_URL = re.compile(r"(stuns?|turns?):[^\s?,]+(\?transport=(udp|tcp))?")
_KEYS = {"urls", "username", "credential", "credentialType"}


@dataclass(frozen=True, slots=True)
class IceServer:
    """One server, as browsers take it; TURN wants both `username` and `credential`."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


def read(setting: str) -> tuple[IceServer, ...]:
    """URLs separated by commas, or a JSON list of `{"urls", "username", "credential"}`.

    Raises ValueError in words for the user, without the secrets in it.
    """
    setting = setting.strip()
    if not setting.startswith(("[", "{")):
        urls = [url.strip() for url in setting.split(",") if url.strip()]
        return tuple(IceServer((url,)) for url in _checked(tuple(urls)))
    try:
        listed = json.loads(setting)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(listed, list):
        raise ValueError('not a JSON list: write [{"urls": "turn:..."}]')
    return tuple(_server(one) for one in listed)


def _server(one: Any) -> IceServer:
    if not isinstance(one, dict) or "urls" not in one:
        raise ValueError('every server is an object with "urls"')
    if unknown := sorted(one.keys() - _KEYS):
        raise ValueError(f"a server has no {unknown[0]!r}")
    urls = [one["urls"]] if isinstance(one["urls"], str) else one["urls"]
    if not isinstance(urls, list) or not urls or not all(isinstance(url, str) for url in urls):
        raise ValueError('"urls" is a URL or a list of them')
    for name in ("username", "credential"):
        if not isinstance(one.get(name), str | None):
            raise ValueError(f'"{name}" is text')
    return IceServer(_checked(tuple(urls)), one.get("username"), one.get("credential"))


def _checked(urls: tuple[str, ...]) -> tuple[str, ...]:
    for number, url in enumerate(urls, 1):
        if not _URL.fullmatch(url):
            raise ValueError(f"URL {number} is not a URL like stun:host:3478 or turn:host:3478")
    return urls
