"""`lookback replay` as its server sees it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from app.errors import AppError
from app.replay import _replay
from app.show import Printer

pytestmark = pytest.mark.unit

FILM = Path(__file__)  # what is in it is the server's concern
RUNNING = {"state": "running", "stream_time": 3.0, "seconds": 60.0, "wall_seconds": 1.0}
STATE = {**RUNNING, "stream_id": "film", "eta": 19.0, "moments": 1, "answers": [], "error": None}


class OneReplay:
    """A server with one replay, in `state`."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.looked = asyncio.Event()
        self.deleted: list[str] = []

    async def upload(self, *_: Any) -> None:
        pass

    async def get(self, _: str) -> dict[str, Any]:
        self.looked.set()
        return {**STATE, "state": self.state}

    async def delete(self, path: str, _: Any) -> dict[str, Any]:
        self.deleted.append(path)
        return {**STATE, "state": "stopped"}


async def replayed(server: Any, err: Console) -> None:
    with Progress(console=err, disable=True) as bars:
        await _replay(server, FILM, "film", "max", Printer(as_json=True), bars)


async def test_ctrl_c_stops_the_replay_on_the_server_too() -> None:
    """The command ended without a word, and the server watched the recording to its end."""
    server, err = OneReplay("running"), Console(record=True, stderr=True)
    replaying = asyncio.create_task(replayed(server, err))
    await asyncio.wait_for(server.looked.wait(), 5)
    replaying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await replaying
    assert server.deleted == ["/v1/streams/film/replay"]
    assert f"{FILM.name}: stopped" in err.export_text()


async def test_a_replay_that_somebody_else_stopped_is_not_waited_for() -> None:
    with pytest.raises(AppError, match="stopped"):
        await replayed(OneReplay("stopped"), Console(stderr=True))
