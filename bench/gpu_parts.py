"""What is measured on a GPU, part by part, for a machine that one may have for minutes only.

Each row is printed as a line of JSON when it is there. A part that fails, or for which no time is
left, ends in a row that says why, and the next one begins: what was measured before is not lost.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

Row = dict[str, Any]
Rows = AsyncGenerator[Row, None]


class Parts:
    """`seconds`: for all of them together. With `json_only` there are no tables for people."""

    def __init__(self, json_only: bool, seconds: float) -> None:
        self._tables = not json_only
        self._ends = time.monotonic() + seconds
        self.failed: list[str] = []  # titles

    async def run(self, title: str, rows: Rows) -> list[Row]:
        """The rows of a part, as many as there were until it ended."""
        done: list[Row] = []
        why = None
        try:
            left = self._ends - time.monotonic()
            if left <= 0:
                await rows.aclose()
                raise TimeoutError
            async with asyncio.timeout(left):
                async with aclosing(rows) as coming:
                    async for row in coming:
                        done.append(row)
                        say(title, row)
        except TimeoutError:
            why = "the time was up (--minutes)"
        except Exception as error:  # noqa: BLE001 - the other parts are measured all the same
            why = f"{type(error).__name__}: {_first_line(error)}"
        if why is not None:
            _free()
            self.failed.append(title)
            say(title, {"failed": why})
        if self._tables:
            from bench.table import table  # here, so that `bench gpu` can say what it lacks

            rows_told = [*done, *([{"failed": why}] if why else [])]
            table(f"gpu: {title}", rows_told, to_stderr=True)
        return done


def say(title: str, row: Row) -> None:
    """One line of JSON on standard output, at once."""
    print(json.dumps({"bench": f"gpu: {title}", **row}), flush=True)


def _free() -> None:
    """What a part that failed has left on the GPU is given back."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else "no reason given"
