"""The `lookback` command. `--json` puts one JSON object a line on standard output and nothing else;
bars and logs go to standard error. Exit status: 0 done, 2 the user's mistake, 1 anything else.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape

from app import show, weights
from app.client import Client, connect, stream_path, valid_stream_id
from app.errors import AppError, BadInput
from app.export import export_stream, import_stream
from app.replay import Job, replay_all
from memory.errors import StoreUnusable, WriteFailed
from models import ModelError
from serve.errors import BadSettings, ServeError
from serve.settings import Settings, load

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Watches, listens, remembers, and answers with evidence.",
    epilog="Every setting is also an environment variable LOOKBACK_<NAME>; see `lookback serve --help`.",
)
app.add_typer(weights.app, name="models")
err = Console(stderr=True, highlight=False)

Store = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help=escape("Directory (or s3://…) that holds the memory [env: LOOKBACK_STORE]."),
    ),
]
Url = Annotated[str | None, typer.Option(help="A running server, instead of a store here.")]
StreamId = Annotated[str | None, typer.Option(help="Only this stream.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Profile = Annotated[
    str | None,
    typer.Option(
        help=escape(
            "embedded, gpu-24g, gpu-80g, cluster, or a profile file [env: LOOKBACK_PROFILE]."
        )
    ),
]


def main() -> None:
    """The console script: our errors become one line and an exit status."""
    try:
        app(standalone_mode=True)
    except (BadSettings, StoreUnusable, WriteFailed, ModelError) as error:
        _end(error, 2)
    except (AppError, ServeError) as error:
        _end(error, getattr(error, "status", 1))
    except KeyboardInterrupt:
        _end("stopped", 130)


def _end(why: object, status: int) -> None:
    err.print(f"[red]error:[/red] {show.plain(str(why))}", soft_wrap=True)
    sys.exit(status)


def _settings_help() -> str:
    lines = ["Settings, as environment variables (a profile's `args` take the same names):", ""]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None or field.is_required() else f" [{field.default}]"
        if "PydanticUndefined" in default or default == " []":
            default = ""
        lines.append(f"LOOKBACK_{name.upper()}: {field.description}{default}\n")
    # Unescaped, what stands in brackets is markup to rich, and left out.
    return escape("\n".join(lines))


@app.command(epilog=_settings_help())
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [7860].")] = None,
    store: Store = None,
    profile: Profile = None,
) -> None:
    """Start the server: HTTP API, three deployments, one store."""
    from serve.launch import running, until_stopped

    settings = load(host=host, port=port, store=store, profile=profile)
    with err.status("starting") as status:
        with running(settings, lambda what: status.update(what)) as url:
            status.stop()
            err.print(
                f"Lookback is ready at [bold]{url}[/bold]  (API: {url}/docs, Ctrl-C stops)",
                soft_wrap=True,
            )
            until_stopped()
            status.start()


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="Recordings: anything FFmpeg opens.")],
    store: Store = None,
    url: Url = None,
    stream_id: Annotated[
        str | None,
        typer.Option(help=escape("Name of the stream [from the file's name and content].")),
    ] = None,
    ask: Annotated[list[str] | None, typer.Option(help="A question to ask afterwards.")] = None,
    questions: Annotated[
        Path | None, typer.Option(help='Questions, one {"question": "..."} a line.')
    ] = None,
    speed: Annotated[str, typer.Option(help="max, or 1x for real time.")] = "max",
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """Turn recordings into memory, then answer questions about them."""
    if speed not in ("max", "1x"):
        raise BadInput(f"--speed {speed}: max or 1x")
    if stream_id is not None and len(files) > 1:
        raise BadInput("--stream-id names one stream: give one file with it")
    if stream_id is not None:
        valid_stream_id(stream_id)
    job = Job(
        files=tuple(files),
        stream_id=stream_id,
        asks=tuple(show.asks(ask or [], questions)),
        speed=speed,
        url=url,
    )
    settings = load(store=store, profile=profile)
    status = asyncio.run(replay_all(settings, job, show.Printer(as_json), err))
    if status:
        raise typer.Exit(status)


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="The question.")],
    store: Store = None,
    url: Url = None,
    stream_id: StreamId = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="As memory stood then: seconds of the stream, m:ss, or ISO 8601 with a zone."
        ),
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=0, help="From this version of memory: a snapshot's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask the memory a question."""
    printer = show.Printer(as_json)
    body = {"question": text, "stream_id": stream_id, "at": at, "version": version}

    async def asking(client: Client) -> None:
        async for kind, piece in client.asked(body):
            if kind == "error":
                raise AppError(piece["error"]["message"])
            printer.piece(kind, piece)

    _with_client(load(store=store), url, asking)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="What to look for.")],
    store: Store = None,
    url: Url = None,
    stream_id: StreamId = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many results.")] = 10,
    as_json: Json = False,
) -> None:
    """Search what was seen and heard."""
    printer = show.Printer(as_json)

    async def searching(client: Client) -> None:
        body = {"query": text, "limit": limit, "stream_id": stream_id}
        printer.results((await client.post("/v1/search", body))["results"])

    _with_client(load(store=store), url, searching)


@app.command()
def facts(
    subject: Annotated[
        str | None, typer.Argument(help="Of what; without it, of everything.")
    ] = None,
    store: Store = None,
    url: Url = None,
    stream_id: StreamId = None,
    history: Annotated[bool, typer.Option(help="Also what was contradicted since.")] = False,
    as_json: Json = False,
) -> None:
    """What was stated of a thing: where it is, when, how many, its name."""
    printer = show.Printer(as_json)

    async def reading(client: Client) -> None:
        asked = {"subject": subject, "stream_id": stream_id, "history": history}
        printer.facts((await client.get("/v1/facts", **asked))["facts"])

    _with_client(load(store=store), url, reading)


@app.command()
def timeline(
    stream_id: Annotated[
        str | None, typer.Argument(help="The stream; without it, all are listed.")
    ] = None,
    store: Store = None,
    url: Url = None,
    start: Annotated[float | None, typer.Option(help="From this second.")] = None,
    end: Annotated[float | None, typer.Option(help="To this second.")] = None,
    level: Annotated[
        Literal["minutes", "hours", "days"] | None,
        typer.Option(help="Not moments but the episodes they were compressed into."),
    ] = None,
    as_json: Json = False,
) -> None:
    """A stream's moments in order, or its episodes, or the list of streams."""
    printer = show.Printer(as_json)

    async def reading(client: Client) -> None:
        if stream_id is None:
            printer.streams((await client.get("/v1/streams"))["streams"])
            return
        what = "episodes" if level else "timeline"
        found = await client.get(stream_path(stream_id, what), start=start, end=end, level=level)
        kind = "episodes" if level else "moments"
        printer.moments(found[kind], kind)

    _with_client(load(store=store), url, reading)


@app.command()
def stats(store: Store = None, url: Url = None, as_json: Json = False) -> None:
    """What is remembered, in counts and bytes."""
    printer = show.Printer(as_json)

    async def counting(client: Client) -> None:
        printer.stats(await client.get("/v1/stats"))

    _with_client(load(store=store), url, counting)


@app.command()
def forget(
    store: Store = None,
    url: Url = None,
    stream_id: StreamId = None,
    start: Annotated[float | None, typer.Option(help="From this second of the stream.")] = None,
    end: Annotated[float | None, typer.Option(help="To this second of the stream.")] = None,
    moment_id: Annotated[
        list[str] | None, typer.Option(help="This moment; may be given again.")
    ] = None,
    entity: Annotated[
        str | None, typer.Option(help="Every moment that names this person, place or thing.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: Json = False,
) -> None:
    """Forget for good: rows, vectors, keyframes, old versions. Prints a receipt."""
    if stream_id is None and not moment_id and entity is None:
        raise BadInput(
            "say what to forget: --stream-id (with --start, --end), --moment-id or --entity"
        )
    if not yes and not sys.stdin.isatty():
        raise BadInput("forgetting cannot be undone: add --yes")
    if not yes:
        typer.confirm("Forget this for good?", abort=True, err=True)
    printer = show.Printer(as_json)

    async def forgetting(client: Client) -> None:
        chosen = {"moment_ids": moment_id, "entity": entity}
        body = {"stream_id": stream_id, "start": start, "end": end, **chosen}
        printer.receipt((await client.delete("/v1/memory", body))["forgotten"])

    _with_client(load(store=store), url, forgetting)


@app.command()
def pin(
    moment_id: Annotated[
        str, typer.Argument(help="The moment: its id, as search and timeline tell it with --json.")
    ],
    undo: Annotated[bool, typer.Option("--undo", help="No longer keep it.")] = False,
    store: Store = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Keep a moment whole, whatever the budget says."""
    path = f"/v1/moments/{quote(moment_id, safe='')}/pin"

    async def pinning(client: Client) -> None:
        done = await (client.delete(path, {}) if undo else client.post(path, {}))
        if as_json:
            print(json.dumps({"type": "pin", **done}))
        else:
            err.print(f"{moment_id} is {'kept' if done['pinned'] else 'no longer kept'} whole")

    _with_client(load(store=store), url, pinning)


@app.command()
def export(
    stream_id: Annotated[str, typer.Argument(help="The stream.")],
    out: Annotated[Path, typer.Argument(help="A zip file to write.")],
    store: Store = None,
    url: Url = None,
) -> None:
    """Write a stream's memory as a zip: moments, tables as Parquet, keyframes, hashes."""

    async def exporting(client: Client) -> None:
        count = await export_stream(client, stream_id, out)
        err.print(f"{count} moments in {out}")

    _with_client(load(store=store), url, exporting)


@app.command("import")
def take_in(
    archive: Annotated[Path, typer.Argument(help="A zip file from `lookback export`.")],
    store: Store = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Take an exported stream in. Every hash is checked first; importing again changes nothing."""

    async def importing(client: Client) -> None:
        taken = await import_stream(client, archive)
        if as_json:
            print(json.dumps({"type": "imported", **taken}))
        else:
            err.print(f"{taken['moments']} moments of {taken['stream_id']}")

    _with_client(load(store=store), url, importing, create=True)


@app.command()
def doctor(
    store: Store = None,
    port: Annotated[int | None, typer.Option(help="The port to check.")] = None,
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """Check a profile's models, devices, port and store; say what would not work, and why."""
    from app.doctor import examine, render
    from serve import gpus
    from serve.endpoint_check import check_endpoint
    from serve.needs import check_given, needed

    settings = load(store=store, port=port, profile=profile)
    checks: dict[str, Callable[[], object]] = {
        "the profile's deployments would not start": lambda: gpus.check(settings),
        "a model that a setting names would not load": lambda: check_given(settings),
        "answers would be without the language model": lambda: check_endpoint(settings),
    }
    report = examine(
        settings.store,
        settings.port,
        settings.host,
        names=needed(settings),
        checks=checks,
    )
    if as_json:
        print(json.dumps(report.to_json()))
    else:
        render(report, Console())
    if not report.ok:
        raise typer.Exit(1)


def _with_client(
    settings: Settings,
    url: str | None,
    use: Callable[[Client], Coroutine[Any, Any, None]],
    create: bool = False,
) -> None:
    async def run() -> None:
        async with connect(settings, url, create) as client:
            await use(client)

    asyncio.run(run())


if __name__ == "__main__":
    main()
