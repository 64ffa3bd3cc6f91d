"""A stream's memory as a zip that needs no Lookback to read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from app.client import Client, stream_path
from app.errors import BadInput

ABOUT = """One stream's memory.
stream.json     its id, beginning on the wall clock (UTC) and length in seconds
moments.jsonl   one moment a line, in order; times are seconds since the stream's beginning
keyframes/      pictures, named by the start of their moment in milliseconds
"""


async def export_stream(client: Client, stream_id: str, out: Path) -> int:
    """Writes the archive whole or not at all; returns the number of moments."""
    body = await client.get(stream_path(stream_id, "timeline"))
    moments = body.pop("moments")
    part = out.with_name(out.name + ".part")
    try:
        with zipfile.ZipFile(part, "w") as archive:
            archive.writestr("README.txt", ABOUT)
            archive.writestr("stream.json", json.dumps(body, indent=1))
            lines = (json.dumps(moment, ensure_ascii=False) for moment in moments)
            archive.writestr("moments.jsonl", "\n".join(lines), zipfile.ZIP_DEFLATED)
            for moment in moments:
                if moment["keyframe"]:
                    picture = await client.read(moment["keyframe"])
                    kind = "webp" if picture[8:12] == b"WEBP" else "jpg"
                    name = f"keyframes/{round(moment['start'] * 1000):010d}.{kind}"
                    archive.writestr(name, picture)
        part.replace(out)
    except OSError as error:
        raise BadInput(f"{out}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return len(moments)
