"""Vectors for keyframes that lack one, in the background: newest first, a few at a time.

What a moment has just brought, and what was remembered under a profile without a picture model, or
with another, are the same work: every keyframe that a moment shows and the model in use has not
encoded waits. Nothing else needs to be written down, so being cut off costs what was under way.
The model is asked on a thread of its own, for it may be busy, away or on another machine; only the
rows go through the writer, and they are sealed before search sees them.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures
from PIL import UnidentifiedImageError

from memory.errors import KeyframeNotFound, KeyframeTorn, StoreClosed
from memory.picture_index import PictureIndex
from memory.picture_rows import drop_vectors, rows_of, vectors_of
from memory.place import Media
from memory.rows import put
from memory.tables import Tables, any_of, select
from perception.records import Image

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]

AT_ONCE = 32  # keyframes in one slice: one pass of the model, one commit of some 20 ms
GATHER = 1.0  # seconds between slices: what streams bring meanwhile shares one
SHARE = 0.3  # of the time, at most, goes into this, beside the model's own
CLOSING = 5.0  # seconds that a model gets to finish
AGAIN = 5.0  # seconds until a model that failed is asked again
MOST_PIXELS = 64_000_000  # of a picture: it takes three bytes for each while it is encoded


class PictureEncoder(Protocol):
    """Pictures and texts in one space; see `perception.pictures`. Blocking, from any thread."""

    @property
    def model_id(self) -> str: ...

    def encode_images(self, images: Sequence[Image]) -> Vectors: ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors: ...


class Encoding:
    """`write` runs work on the writer's thread; `touched` is told where keyframes gained bytes."""

    def __init__(
        self,
        tables: Tables,
        media: Media,
        encoder: PictureEncoder,
        index: PictureIndex,
        write: Callable[[Callable[[], Any]], Any],
        seal: Callable[[], None],
        touched: Callable[[str, set[float]], None],
    ) -> None:
        self._tables, self._media = tables, media
        self._encoder, self._index = encoder, index
        self._write, self._seal, self._touched = write, seal, touched
        self._waiting: dict[str, None] = {}  # oldest first
        self._guard = threading.Lock()  # of what waits
        self._turn = threading.Lock()  # one slice at a time
        self._something = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.unreadable = 0  # keyframes that are damaged, or no pictures
        self.failures = 0  # of the model

    @property
    def waiting(self) -> int:
        """Keyframes without a vector of the model in use."""
        return len(self._waiting)

    def open(self) -> None:
        """Read the vectors that are there, and find out what waits. On the writer's thread, or
        before it starts; before any other call."""
        table = self._tables.pictures
        for held, vectors in vectors_of(table, self._encoder.model_id):
            self._index.add(held, vectors)
        shown = select(self._tables.moments, "keyframe IS NOT NULL", ["keyframe", "start"])
        digests = [row["keyframe"] for row in sorted(shown, key=lambda row: float(row["start"]))]
        orphans = self._index.digests() - set(digests)
        if drop_vectors(table, orphans):
            self._seal()
        self._index.drop(orphans)
        self.expect(digests)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="memory-pictures", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish the slice under way, or leave it to the next opening, then stop."""
        self._stop.set()
        self._something.set()
        if self._thread is not None:
            self._thread.join(CLOSING)

    def expect(self, digests: Iterable[str]) -> None:
        """These keyframes are shown now; those without a vector wait for one, the last first."""
        with self._guard:
            for digest in digests:
                if digest not in self._index:
                    self._waiting.pop(digest, None)
                    self._waiting[digest] = None
        if self._waiting:
            self._something.set()

    def run(self) -> None:
        """All that waits, at once. Raises what the model raises."""
        while self._slice():
            pass

    def _run(self) -> None:
        while not self._stop.is_set():
            self._something.wait()
            self._something.clear()
            while not self._stop.is_set() and self._waiting:
                began = time.monotonic()
                rest = GATHER
                try:
                    self._slice()
                except StoreClosed:
                    return
                except Exception as failure:  # the model may be away: its pictures go on waiting
                    self.failures += 1
                    log.warning("pictures wait to be encoded: %s", type(failure).__name__)
                    rest = AGAIN
                took = time.monotonic() - began
                self._stop.wait(max(rest, took / SHARE - took))

    def _slice(self) -> bool:
        """Encode the newest that wait; False: nothing does."""
        with self._turn:
            with self._guard:
                digests = list(self._waiting)[-AT_ONCE:]
            if not digests:
                return False
            found = {digest: self._picture(digest) for digest in digests}
            pictures = {digest: image for digest, image in found.items() if image is not None}
            if pictures:
                vectors = self._encoder.encode_images(list(pictures.values()))
                self._write(partial(self._commit, list(pictures), vectors))
            with self._guard:
                for digest in digests:
                    self._waiting.pop(digest, None)
            return True

    def _picture(self, digest: str) -> Image | None:
        try:
            return decoded(self._media.read(digest))
        except KeyframeNotFound:
            return None  # given up or forgotten since
        except (
            KeyframeTorn,
            UnidentifiedImageError,
            Pictures.DecompressionBombError,
            OSError,
            ValueError,
        ) as failure:
            self.unreadable += 1
            log.warning("the keyframe %s is not encoded: %s", digest, failure)
            return None

    def _commit(self, digests: list[str], vectors: Vectors) -> None:
        """On the writer's thread. What no moment shows any more is left out."""
        columns = ["keyframe", "stream_id", "start"]
        rows = select(self._tables.moments, any_of("keyframe", digests), columns)
        shown = {row["keyframe"] for row in rows}
        at = [n for n, digest in enumerate(digests) if digest in shown]
        if not at:
            return
        kept = [digests[n] for n in at]
        put(self._tables.pictures, rows_of(self._encoder.model_id, kept, vectors[at]))
        self._seal()
        self._index.add(kept, vectors[at])
        for row in rows:
            self._touched(row["stream_id"], {row["start"]})


def decoded(content: bytes) -> Image:
    """uint8 [height, width, 3], RGB. Raises UnidentifiedImageError, DecompressionBombError, OSError,
    ValueError where it is larger than any keyframe."""
    with Pictures.open(io.BytesIO(content)) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise ValueError(f"it has {picture.width} x {picture.height} pixels")
        image: Image = np.asarray(picture.convert("RGB"))
    return image
