"""Whether a folder of weights is whole, told from its own headers in milliseconds.

A `.safetensors` file begins with the length of its header (8 bytes, little-endian) and the header, a
JSON object whose `data_offsets` say how long the rest is; an index file names the shards of a model.
A download or copy that was cut off is found out before gigabytes are read into a GPU.
"""

from __future__ import annotations

import json
from pathlib import Path

from models.errors import ModelTruncated

LONGEST_HEADER = 100_000_000  # bytes; the format's own bound


def check(name: str, folder: Path, command: str | None) -> int:
    """Looks at every index and every safetensors file in `folder`; how many files it could tell of.

    Raises:
        ModelTruncated: a shard is missing, or shorter or longer than its header says.
    """
    for index in sorted(folder.rglob("*.safetensors.index.json")):
        for shard in _shards(name, index, command):
            if not (index.parent / shard).is_file():
                raise ModelTruncated(name, index.parent / shard, "it is not there", command)
    files = sorted(folder.rglob("*.safetensors"))
    for file in files:
        size = file.stat().st_size
        wanted = _length(name, file, command)
        if size != wanted:
            raise ModelTruncated(name, file, f"it has {size} bytes instead of {wanted}", command)
    return len(files)


def _shards(name: str, index: Path, command: str | None) -> list[str]:
    try:
        return sorted(set(json.loads(index.read_text())["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise ModelTruncated(name, index, "it is no index of shards", command) from error


def _length(name: str, file: Path, command: str | None) -> int:
    """How long the file must be, in bytes, by its header."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= LONGEST_HEADER:
            raise ModelTruncated(name, file, "it has no header", command)
        header = stream.read(length)
    try:
        tensors = json.loads(header)
        ends = [t["data_offsets"][1] for key, t in tensors.items() if key != "__metadata__"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelTruncated(name, file, "its header is cut off", command) from error
    return 8 + length + max(ends, default=0)
