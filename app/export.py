"""A stream's memory as a file, out of whoever answers for the store, and in again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.client import Client, stream_path
from app.errors import BadInput
from memory.archive import Archive


async def export_stream(client: Client, stream_id: str, out: Path) -> int:
    """Writes the archive whole or not at all; returns the number of moments."""
    part = out.with_name(out.name + ".part")
    try:
        await client.download(stream_path(stream_id, "export"), part)
        with part.open("rb") as file:
            moments = sum(1 for _ in Archive(file).moments())
        part.replace(out)
    except OSError as error:
        raise BadInput(f"{out}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return moments


async def import_stream(client: Client, archive: Path) -> dict[str, Any]:
    """What was taken in, counted."""
    try:
        return await client.upload("/v1/import", archive, {})
    except OSError as error:
        raise BadInput(f"{archive}: {error.strerror}") from error
