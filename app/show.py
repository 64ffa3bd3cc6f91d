"""What the commands print: JSON lines, or the same for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.errors import BadInput

LONGEST_QUESTION = 2_000
LONGEST_ROW = 400  # characters of a table's row in a pipe


def plain(text: str) -> str:
    """Text that carries no markup of rich's, whatever brackets it holds."""
    return escape(text)


def clock(seconds: float) -> str:
    """75.4 → 01:15; an hour and more → 1:01:15."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes:02d}:{whole % 60:02d}"


def weight(size: int) -> str:
    """Bytes as people say them: 532 B, 12.4 kB, 3.1 MB, 4.0 GB."""
    for unit, power in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= power:
            return f"{size / power:.1f} {unit}"
    return f"{size} B"


def counted(count: int, what: str) -> str:
    """1 moment, 2 moments."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def local(iso: str) -> str:
    """An ISO 8601 time as a clock on the wall here tells it: 2026-03-02 09:00."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M")


def whole(console: Console, table: Table) -> None:
    """Prints a table with nothing left out of it: folded on a narrow terminal, in a pipe as wide as
    it is."""
    for column in table.columns:
        column.overflow = "fold"
    if not console.is_terminal:
        options = console.options.update(max_width=LONGEST_ROW)
        console.width = max(console.width, console.measure(table, options=options).maximum)
    console.print(table)


def asks(texts: Iterable[str], file: Path | None) -> list[dict[str, Any]]:
    """Questions of the command line and of a JSON-lines file: {"question", "ref"}.

    Raises BadInput that names the line.
    """
    found: list[dict[str, Any]] = [{"question": text, "ref": None} for text in texts]
    if file is not None:
        try:
            # A pipe is fine: <(command) is read once, to its end.
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"--questions {file}: {error}") from error
        for number, line in enumerate(lines, 1):
            if line.strip():
                found.append(_asked(line, f"{file} line {number}"))
    for one in found:
        if not one["question"].strip():
            raise BadInput("a question is empty")
        if len(one["question"]) > LONGEST_QUESTION:
            raise BadInput(f"a question has more than {LONGEST_QUESTION} characters")
    return found


def _asked(line: str, where: str) -> dict[str, Any]:
    try:
        body = json.loads(line)
        question = body["question"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f'{where}: not {{"question": "..."}}') from error
    if not isinstance(question, str):
        raise BadInput(f"{where}: the question is not text")
    rest = {key: value for key, value in body.items() if key != "question"}
    return {"question": question, "ref": rest or None}


class Printer:
    """Standard output. Text tokens are written as they come when a person reads."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        # Taken now: while a server of our own runs, standard output is not ours.
        self._out = sys.stdout
        # A line is one thing, for whoever searches in them: a terminal wraps it by itself.
        self._console = Console(file=self._out, highlight=False, soft_wrap=True)
        self._midline = False

    def line(self, body: Mapping[str, Any]) -> None:
        """One JSON object; nothing for people."""
        if self.as_json:
            print(json.dumps(body, ensure_ascii=False), file=self._out, flush=True)

    def piece(self, kind: str, body: Mapping[str, Any]) -> None:
        """A streamed piece of an answer."""
        if self.as_json:
            if kind == "answer":
                self.line(body)
            return
        if kind == "token":
            self._out.write(str(body["text"]))
            self._out.flush()
            self._midline = True
        elif kind == "replace":
            self._console.print(
                f"\n[dim](those words did not stand in the evidence)[/dim]\n{plain(str(body['text']))}"
            )
            self._midline = False
        elif kind == "answer":
            self._console.print("" if self._midline else plain(str(body["answer"])))
            self._midline = False
            self._citations(body)

    def answer(self, body: Mapping[str, Any]) -> None:
        """A whole answer."""
        if self.as_json:
            self.line(body)
            return
        heard = body.get("utterance")
        when = f"[dim]{clock(heard['start'])}[/dim] " if heard else ""
        self._console.print(f"{when}[bold]{plain(body['question'])}[/bold]")
        self._console.print(f"  {plain(body['answer'])}")
        self._citations(body)

    def _citations(self, body: Mapping[str, Any]) -> None:
        for cited in body["citations"]:
            span = f"{clock(cited['start'])}–{clock(cited['end'])}"
            quote = " / ".join(str(cited["quote"]).splitlines())
            self._console.print(f"  [dim]{span} {cited['kind']}: {plain(quote)}[/dim]")

    def results(self, found: Sequence[Mapping[str, Any]]) -> None:
        for hit in found:
            self.line(hit)
        if self.as_json:
            return
        if not found:
            self._console.print("nothing found")
        for hit in found:
            text = " / ".join(str(hit.get("corrected") or hit["text"]).splitlines())
            self._console.print(
                f"[dim]{plain(hit['stream_id'])} {clock(hit['start'])} {hit['kind']}[/dim]  {plain(text)}"
            )

    def facts(self, found: Sequence[Mapping[str, Any]]) -> None:
        for fact in found:
            self.line(fact)
        if self.as_json:
            return
        if not found:
            self._console.print("nothing found")
        for fact in found:
            when = f"{fact['stream_id']} {clock(fact['valid_from'])}"
            once = "  [dim](not any more)[/dim]" if fact["superseded_by"] else ""
            said = f"{fact['subject']}: {fact['attribute']}: {fact['value']}"
            self._console.print(f"[dim]{plain(when)}[/dim]  {plain(said)}{once}")

    def streams(self, found: Sequence[Mapping[str, Any]]) -> None:
        for stream in found:
            self.line(stream)
        if self.as_json:
            return
        if not found:
            self._console.print("nothing is remembered yet")
            return
        heads = ("stream", "began", "length", "source")
        rows = [
            (one["stream_id"], local(one["wall_start"]), clock(one["seconds"]), one["source"])
            for one in found
        ]
        self._columns([heads, *rows])

    def moments(self, found: Sequence[Mapping[str, Any]], what: str = "moments") -> None:
        for moment in found:
            self.line(moment)
        if self.as_json:
            return
        if not found:
            self._console.print(f"no {what}")
        for moment in found:
            text = " / ".join(str(moment["text"]).splitlines()) or "–"
            span = f"{clock(moment['start'])}–{clock(moment['end'])}"
            self._console.print(f"[dim]{span}[/dim]  {plain(text)}")

    def stats(self, body: Mapping[str, Any]) -> None:
        self.line(body)
        if not self.as_json:
            self._columns(list(_figures(body)))

    def receipt(self, body: Mapping[str, Any]) -> None:
        self.line({"type": "forgotten", **body})
        if not self.as_json:
            parts = [
                counted(body[f"{part}s"], part)
                for part in ("observation", "moment", "keyframe", "stream")
            ]
            self._console.print("forgotten: " + ", ".join([*parts, weight(body["bytes"])]))

    def _columns(self, rows: Sequence[Sequence[str]]) -> None:
        """Rows side by side, each on one line however narrow the terminal."""
        widths = [max(cell_len(cell) for cell in column) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (set_cell_size(cell, wide) for cell, wide in zip(row, widths, strict=True))
            self._console.print(plain("  ".join(cells).rstrip()))


def _figures(stats: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What /v1/stats says, as names and words."""
    for name in ("streams", "moments", "observations", "keyframes"):
        yield name, f"{stats[name]:,}"
    tables, media = stats["table_bytes"], stats["media_bytes"]
    yield "on disk", f"{weight(tables + media)}: tables {weight(tables)}, pictures {weight(media)}"
    ledger = stats["ledger"]
    whole = ledger["budget_bytes"]
    bound = f", {weight(whole)} in all" if whole else ""
    yield "budget", f"{weight(ledger['budget_bytes_per_hour'])} an hour of a stream{bound}"
    yield "episodes", f"{ledger['episodes']:,}"
    yield "pinned", counted(ledger["pins"], "moment")
    for name in ("kept", "merged", "dropped"):
        observations = counted(ledger[f"{name}_observations"], "observation")
        pictures = counted(ledger[f"{name}_keyframes"], "keyframe")
        said = f"{observations}, {pictures}, {weight(ledger[f'{name}_bytes'])}"
        yield f"ledger: {name}", said
    yield "version", f"{stats['version']}"
    for one in stats["under_way"]:
        yield "under way", f"{one['stream_id']} ({one['source']}, {clock(one['stream_time'])})"
