"""`lookback models`: what weights there are, what a profile needs of them, and pulling those."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

import models
from app.errors import BadInput
from app.show import whole
from models import repositories
from models.records import HubModel, Model
from serve.needs import needed
from serve.settings import load

app = typer.Typer(no_args_is_help=True, help="Weights: list them, pull them from the hub.")
err = Console(stderr=True, highlight=False)

SAID_EVERY = 1.0  # seconds between two lines of progress, with --json

ProfileOption = Annotated[
    str | None, typer.Option(help="What this profile needs: embedded, gpu-24g, …, or a file.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command("list")
def list_models(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """The models there are, or those of one profile: licence, size, whether they are here."""
    rows = [_row(models.entry(name)) for name in _names(profile, [])]
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "job", "size", "licence", "from", "here"):
        table.add_column(heading, justify="right" if heading == "size" else "left")
    for row in rows:
        size = (
            f"{row['bytes'] / 1e9:.1f} GB"
            if row["bytes"] >= 1e8
            else f"{row['bytes'] / 1e6:.0f} MB"
        )
        here = "[green]✓[/]" if row["here"] else row["why"]
        table.add_row(row["model"], row["job"], size, row["licence"], row["from"], here)
    whole(Console(), table)


@app.command()
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Models by name.")] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring models into the cache: resumed where it stopped, checked, nothing fetched twice.

    All are tried; the exit status is 1 when one could not be had."""
    if not names and profile is None:
        raise BadInput("say what to pull: --profile gpu-80g, or the names of models")
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # the bar is ours
    failed = False
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=err,
        disable=as_json,
    )
    with bar:
        for name in _names(profile, names or []):
            try:
                located = _pull(models.entry(name), bar, as_json)
            except models.ModelError as error:
                failed = True
                _say(as_json, {"type": "failed", "model": name, **_problem(error)})
                err.print(f"[red]✗[/] {name}: ", end="")
                err.print(str(error), markup=False, soft_wrap=True)
                if error.command:
                    err.print(f"    {error.command}", markup=False, soft_wrap=True)
            else:
                here = {"bytes": located.bytes, "path": str(located.path), "from": located.source}
                _say(as_json, {"type": "pulled", "model": name, **here})
    if failed:
        raise typer.Exit(1)


def _pull(model: Model | HubModel, bar: Progress, as_json: bool) -> models.Located:
    """The model, here and checked. Those that packages bring are found, and joined in the cache."""
    if isinstance(model, Model):
        return models.find(model.name)
    task = bar.add_task(model.name, total=model.bytes)
    told = float("-inf")

    def progress(done: int, total: int) -> None:
        nonlocal told
        bar.update(task, completed=done, total=total)
        if done == total or time.monotonic() - told >= SAID_EVERY:
            told = time.monotonic()
            line = {"type": "progress", "model": model.name, "bytes": done, "of": total}
            _say(as_json, line)

    return repositories.pull(model, progress)


def _names(profile: str | None, names: list[str]) -> list[str]:
    """The models named and those that the profile needs; without either, all. Raises UnknownModel."""
    for name in names:
        models.entry(name)
    if profile is not None:
        names = [*names, *needed(load(profile=profile))]
    return list(dict.fromkeys(names)) or models.names()


def _row(model: Model | HubModel) -> dict[str, Any]:
    here, why = True, ""
    try:
        models.find(model.name)
    except models.ModelMissing:
        here, why = False, "no"
    except models.ModelError as error:
        here, why = False, str(error)
    lies = "installed packages"
    if isinstance(model, HubModel):
        lies = f"{model.repo}@{model.revision[:8]}"
    return {
        "type": "model",
        "model": model.name,
        "job": model.job,
        "bytes": model.bytes,
        "licence": model.licence,
        "from": lies,
        "here": here,
        "why": why,
    }


def _problem(error: models.ModelError) -> dict[str, Any]:
    return {"error": str(error), "command": error.command}


def _say(as_json: bool, line: dict[str, Any]) -> None:
    if as_json:
        print(json.dumps(line), flush=True)
