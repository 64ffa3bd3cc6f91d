"""A stream's memory as one zip file that can be read without Lookback, and checked before it is read.

Inside: README.txt says what is what; `manifest.json` has the SHA-256 of every other file;
`moments.jsonl` the moments, `tables/*.parquet` the rows of every table, `keyframes/` the pictures.
A hash tells damage and change; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any

from memory.errors import ArchiveRefused
from memory.given import check_given
from perception.records import Moment, Observation, Stream, Tag

FORMAT = "lookback-archive"
VERSION = 1
MANIFEST = "manifest.json"
MOMENTS = "moments.jsonl"
TABLES = "tables/"
KEYFRAMES = "keyframes/"
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member: the same memory gives the same file

README = """One stream's memory, exported by Lookback. Nothing but a zip program is needed to read it.

manifest.json     the stream (its id, its beginning in UTC, its length in seconds), and the SHA-256
                  and size in bytes of every other file. Check:  sha256sum FILE
moments.jsonl     one moment a line, in order, with what was seen and heard in it. `start` and `end`
                  are seconds since the stream's beginning; `keyframe` names a file in keyframes/.
tables/*.parquet  the same as rows, and everything else that is kept of the stream, with vectors
                  (the manifest names the model; those in int8 have to be divided by their length).
                  Read:
                  python -c "import pyarrow.parquet as p; print(p.read_table('observations.parquet'))"
keyframes/        pictures (JPEG, WebP or PNG), named by the SHA-256 of their bytes.

`lookback import FILE.zip` checks every hash, then takes the stream into a store; what is there
already stays as it is.
"""


class ArchiveWriter:
    """Writes members one after the other to a binary file; `finish` adds the manifest."""

    def __init__(self, out: IO[bytes], stream: Stream, embedder: str) -> None:
        self._zip = zipfile.ZipFile(out, "w")
        self._files: dict[str, dict[str, Any]] = {}
        self._stream = stream
        self._embedder = embedder
        self.add("README.txt", README.encode())

    def add(self, name: str, content: bytes) -> None:
        member = zipfile.ZipInfo(name, EPOCH)
        packed = name.startswith((KEYFRAMES, TABLES))  # compressed by themselves
        method = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        self._zip.writestr(member, content, method)
        digest = hashlib.sha256(content).hexdigest()
        self._files[name] = {"sha256": digest, "bytes": len(content)}

    def add_moments(self, moments: list[Moment]) -> None:
        lines = (json.dumps({**asdict(m), "text": m.text}, ensure_ascii=False) for m in moments)
        self.add(MOMENTS, "".join(line + "\n" for line in lines).encode())

    def add_keyframe(self, digest: str, picture: bytes) -> None:
        suffix = "webp" if picture[8:12] == b"WEBP" else "png" if picture[:1] == b"\x89" else "jpg"
        self.add(f"{KEYFRAMES}{digest}.{suffix}", picture)

    def finish(self, moments: int) -> None:
        stream = {**asdict(self._stream), "wall_start": self._stream.wall_start.isoformat()}
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "stream": stream,
            "moments": moments,
            "embedder": self._embedder,
            "files": self._files,
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        self._zip.writestr(zipfile.ZipInfo(MANIFEST, EPOCH), text, zipfile.ZIP_DEFLATED)
        self._zip.close()


class Archive:
    """An archive whose every byte has been checked. Raises `ArchiveRefused`, saying what is wrong."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
            manifest = json.loads(self._zip.read(MANIFEST))
            if manifest["format"] != FORMAT:
                raise ArchiveRefused("this zip file is not a Lookback archive")
            if manifest["version"] > VERSION:
                raise ArchiveRefused(f"the archive has format {manifest['version']}, this reads 1")
            self._files: dict[str, dict[str, Any]] = manifest["files"]
            self.stream = Stream(
                **{**manifest["stream"], "wall_start": _time(manifest["stream"]["wall_start"])}
            )
            check_given(self.stream, [])
            self._check()
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError) as error:
            if isinstance(error, ArchiveRefused):
                raise
            raise ArchiveRefused(f"this is not a whole Lookback archive ({error})") from error

    def moments(self) -> Iterator[Moment]:
        """In order; a picture that the archive lacks is not named. Raises `ArchiveRefused`."""
        held = {name.removeprefix(KEYFRAMES).partition(".")[0] for name in self._files}
        with self._zip.open(MOMENTS) as lines:
            for line in lines:
                try:
                    moment = _moment(json.loads(line))
                    check_given(self.stream, [moment])
                except (KeyError, ValueError, TypeError) as error:
                    raise ArchiveRefused(f"a line of {MOMENTS} is no moment: {error}") from error
                if moment.keyframe in held or moment.keyframe is None:
                    yield moment
                else:
                    yield Moment(moment.stream_id, moment.start, moment.end, moment.observations)

    def keyframe(self, digest: str) -> bytes:
        names = [n for n in self._files if n.startswith(f"{KEYFRAMES}{digest}.")]
        return self._zip.read(names[0])

    def tables(self) -> dict[str, bytes]:
        """Parquet, by the table's name."""
        return {
            name.removeprefix(TABLES).removesuffix(".parquet"): self._zip.read(name)
            for name in self._files
            if name.startswith(TABLES)
        }

    def _check(self) -> None:
        members = {member.filename: member for member in self._zip.infolist()}
        if len(members) != len(self._zip.infolist()):
            raise ArchiveRefused("the archive has two files of one name")
        wrong = set(members) ^ (self._files.keys() | {MANIFEST})
        if wrong:
            raise ArchiveRefused(f"{min(wrong)!r} is missing, or not in the archive's manifest")
        for name, known in self._files.items():
            if members[name].file_size != known["bytes"] or self._digest(name) != known["sha256"]:
                raise ArchiveRefused(f"{name!r} was changed or damaged: its hash does not match")

    def _digest(self, name: str) -> str:
        with self._zip.open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it asks for a readinto that IO lacks


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _moment(line: dict[str, Any]) -> Moment:
    observations = tuple(
        Observation(**{**seen, "tags": tuple(Tag(**tag) for tag in seen["tags"])})
        for seen in line["observations"]
    )
    return Moment(line["stream_id"], line["start"], line["end"], observations, line["keyframe"])
