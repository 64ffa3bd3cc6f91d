"""`lookback replay`: recordings into memory through a server, a bar each, then questions."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from app.client import Client, live_server, stream_path, to_server
from app.errors import AppError, BadInput
from app.show import Printer, counted, plain, weight
from serve.launch import free_port, running
from serve.settings import Settings

POLL = 0.4  # seconds between two looks at a replay's progress
PROGRESS_EVERY = 1.0  # seconds between two progress lines
STOP_WITHIN = 5.0  # seconds that Ctrl-C waits for a server to stop a replay


@dataclass(frozen=True, slots=True)
class Job:
    """What one command was asked to do."""

    files: tuple[Path, ...]
    stream_id: str | None
    asks: tuple[dict[str, Any], ...]
    speed: str
    url: str | None


async def replay_all(settings: Settings, job: Job, printer: Printer, err: Console) -> int:
    """Every file, then every question. Returns the exit status: 1 outweighs 2 outweighs 0."""
    names = await asyncio.to_thread(_names, job)
    statuses: list[int] = []
    async with _server(settings, job.url, err) as client:
        with _bars(err) as bars:
            replays = (
                _replay(client, file, names[file], job.speed, printer, bars) for file in job.files
            )
            for file, outcome in zip(
                job.files, await asyncio.gather(*replays, return_exceptions=True), strict=True
            ):
                if isinstance(outcome, AppError):
                    said = str(outcome)
                    named = said if said.startswith(file.name) else f"{file.name}: {said}"
                    err.print(f"[red]error:[/red] {plain(named)}", soft_wrap=True)
                    statuses.append(outcome.status)
                elif isinstance(outcome, BaseException):
                    raise outcome
        if len(statuses) < len(job.files):
            only = names[job.files[0]] if len(job.files) == 1 else None
            for one in job.asks:
                body = {"question": one["question"], "stream_id": only}
                answer = await client.post("/v1/ask", body)
                printer.answer({**answer, **({"ref": one["ref"]} if one["ref"] else {})})
    return 1 if 1 in statuses else max(statuses, default=0)


def _names(job: Job) -> dict[Path, str]:
    """The stream of each file: as given, or from its name and content, so that the same recording
    is the same stream. Raises BadInput for a file that is not there.
    """
    names = {}
    for file in job.files:
        if file.is_dir():
            raise BadInput(f"{file}: is a folder; name the recordings in it")
        if not file.is_file():
            raise BadInput(f"{file}: no such file")
        if not file.stat().st_size:
            raise BadInput(f"{file}: the file is empty")
        try:
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise BadInput(f"{file}: {error.strerror}") from error
        slug = re.sub(r"[^\w.-]+", "-", file.stem).strip("-.")[:60] or "recording"
        names[file] = job.stream_id or f"{slug}-{digest[:8]}"
    return names


@asynccontextmanager
async def _server(settings: Settings, url: str | None, err: Console) -> AsyncIterator[Client]:
    """The server named, the one that has the store open, or one of our own for as long as it takes."""
    token = settings.token.get_secret_value() if settings.token else None
    found = url or await live_server(settings)
    if found:
        async with to_server(found, token) as client:
            yield client
        return
    own = settings.model_copy(update={"host": "127.0.0.1", "port": free_port()})
    with err.status("starting") as status, running(own, status.update) as address:
        status.stop()
        async with to_server(address, token) as client:
            yield client


@contextmanager
def _bars(err: Console) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}% {task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    # Where nobody sees a bar, what is left of one is empty lines.
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        yield bars


async def _replay(
    client: Client, file: Path, stream_id: str, speed: str, printer: Printer, bars: Progress
) -> None:
    bar = bars.add_task(file.name, total=None, speed="uploading")
    written = (await asyncio.to_thread(file.stat)).st_mtime
    began = datetime.fromtimestamp(written, UTC).isoformat()
    path = stream_path(stream_id, "replay")
    await client.upload(path, file, {"wall_start": began, "speed": speed})
    try:
        state = await _followed(client, path, printer, lambda now: _advance(bars, bar, now))
    except asyncio.CancelledError:
        with suppress(AppError, TimeoutError):  # a server of our own may be going as well
            async with asyncio.timeout(STOP_WITHIN):
                await client.delete(path, {})
            bars.console.print(f"{file.name}: stopped; what was watched so far is remembered")
        raise
    _done(printer, bars, state)


async def _followed(
    client: Client, path: str, printer: Printer, advance: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """The replay's last state; its answers and progress are printed on the way."""
    answered, said = 0, -PROGRESS_EVERY
    while True:
        state = await client.get(path)
        for answer in state["answers"][answered:]:
            printer.answer(answer)
        answered = len(state["answers"])
        if state["state"] == "failed":
            mistaken = state["error"]["code"] == "bad_recording"
            raise (BadInput if mistaken else AppError)(state["error"]["message"])
        if state["state"] == "stopped":
            raise AppError("was stopped; what was watched so far is remembered")
        advance(state)
        now = asyncio.get_running_loop().time()
        if state["state"] == "done":
            return state
        if now - said >= PROGRESS_EVERY:
            said = now
            keys = ("stream_id", "stream_time", "seconds", "wall_seconds", "eta", "moments")
            printer.line({"type": "progress", **{key: state[key] for key in keys}})
        await asyncio.sleep(POLL)


def _advance(bars: Progress, bar: TaskID, state: dict[str, Any]) -> None:
    wall = state["wall_seconds"]
    speed = f"{state['stream_time'] / wall:.1f}x" if wall > 0.5 else state["state"]
    total = state["seconds"] or None
    bars.update(bar, completed=state["stream_time"], total=total, speed=speed)


def _done(printer: Printer, bars: Progress, state: dict[str, Any]) -> None:
    keys = ("stream_id", "seconds", "wall_seconds", "moments", "bytes")
    printer.line({"type": "replayed", **{key: state[key] for key in keys}})
    if not printer.as_json:
        speed = state["seconds"] / max(state["wall_seconds"], 1e-6)
        said = (
            f"{state['stream_id']}: {state['seconds']:.0f} s in {state['wall_seconds']:.0f} s "
            f"({speed:.1f}x), {counted(state['moments'], 'moment')}, {weight(state['bytes'])}"
        )
        bars.console.print(plain(said), soft_wrap=True)
