"""The seam to the heavy work: recognising, listening, looking.

The stream pipeline knows a `Perceiver` and nothing of the models behind it. `LocalPerceiver` runs
them in this process; a deployment puts the same batch methods behind a network. What a model's library
raises comes out as PerceiverError, OutOfMemory where that is why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, get_args

import cv2
import numpy as np

from perception.faces import FaceCounter, NoFaces, face_counter
from perception.failing import failing
from perception.reader import FixedReader, PaddleReader, Reader, TextLine
from perception.recognizer import (
    Effort,
    Recognizer,
    ScriptedRecognizer,
    Transcript,
    WhisperRecognizer,
)
from perception.records import SAMPLE_RATE, Audio, Image, Tag
from perception.sounds import Listener, OmniListener, SilentListener, SoundSpan
from perception.tagger import BrightnessTagger, EfficientNetTagger, Tagger

Result = TypeVar("Result")
Stage = Literal["recognize", "listen", "look"]
Timed = Callable[[str], AbstractContextManager[object]]


def untimed(stage: str) -> AbstractContextManager[object]:
    """Times nothing."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Look:
    """What one frame shows. `faces` is None where faces cannot be counted; `lines` is empty when
    the frame was not read."""

    tags: tuple[Tag, ...]
    faces: int | None
    lines: tuple[TextLine, ...]


class Perceiver(Protocol):
    """Stateless; calls may run at once and finish in any order."""

    async def recognize(self, audio: Audio, effort: Effort = "full") -> Transcript:
        """One utterance of at most 30 s. With less effort sooner, and less exact."""
        ...

    async def listen(self, audio: Audio) -> tuple[SoundSpan, ...]:
        """Spans of sounds: speech, singing, music, and what else the listener tells apart."""
        ...

    async def look(self, image: Image, read: bool) -> Look:
        """Tags and faces of a frame and, when asked to read it, its text."""
        ...


class LocalPerceiver:
    """The models in this process, on a few threads.

    The batch methods block; the awaitable ones run them on threads of its own, and `on` what else is
    made of them. `threads` is the number of calls of a stage at work at once. `timed` is entered around
    each stage of the batch methods, by its name. Use `load` for the real models, `fake` for
    deterministic stand-ins.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        reader: Reader,
        tagger: Tagger,
        faces: FaceCounter,
        listener: Listener,
        *,
        threads: int = 2,
    ) -> None:
        self._recognizer, self._reader, self._tagger = recognizer, reader, tagger
        self._faces, self._listener = faces, listener
        self._at_once = threads
        # Each kind of work has threads of its own: the libraries keep working memory for every thread
        # that called them.
        self._threads = {
            stage: ThreadPoolExecutor(threads, thread_name_prefix=stage)
            for stage in get_args(Stage)
        }
        self.timed: Timed = untimed

    @classmethod
    def load(
        cls,
        *,
        threads: int = 2,
        cpu_threads: int = 1,
        recognizer: Recognizer | None = None,
        listener: Listener | None = None,
    ) -> LocalPerceiver:
        """The real models: `threads` calls at once, each on `cpu_threads` cores. About 4 s. Those
        given take the place of the embedded profile's.

        Raises:
            models.ModelError: a model is missing or damaged; faces alone are optional.
        """
        return cls(
            recognizer or WhisperRecognizer(cpu_threads=cpu_threads, workers=threads),
            PaddleReader(cpu_threads=cpu_threads),
            EfficientNetTagger(cpu_threads=cpu_threads),
            face_counter(),
            listener or OmniListener(),
            threads=threads,
        )

    @classmethod
    def fake(cls) -> LocalPerceiver:
        """Deterministic stand-ins for every model."""
        return cls(
            ScriptedRecognizer(), FixedReader(), BrightnessTagger(), NoFaces(), SilentListener()
        )

    def recognize_batch(
        self, utterances: Sequence[Audio], effort: Effort = "full"
    ) -> list[Transcript]:
        """What was said in each utterance; blocks."""
        with self.timed(f"recognise_{effort}"), failing("speech recognition"):
            return self._recognizer.recognize(utterances, effort)

    def listen_batch(self, windows: Sequence[Audio]) -> list[tuple[SoundSpan, ...]]:
        """The spans heard in each window; blocks."""
        with self.timed("listen"), failing("hearing sounds"):
            return self._listener.listen(windows)

    def look_batch(self, images: Sequence[Image], read: Sequence[bool]) -> list[Look]:
        """What each image shows; those whose `read` is set are read as well."""
        with self.timed("tag"), failing("tagging"):
            tags = self._tagger.tag(images)
        with self.timed("faces"), failing("counting faces"):
            faces = self._faces.count(images)
        wanted = [image for image, asked in zip(images, read, strict=True) if asked]
        readings = iter(self._read(wanted) if wanted else ())
        return [
            Look(tag, count, next(readings) if asked else ())
            for tag, count, asked in zip(tags, faces, read, strict=True)
        ]

    def _read(self, images: Sequence[Image]) -> Sequence[tuple[TextLine, ...]]:
        with self.timed("read"), failing("reading"):
            return self._reader.read(images)

    async def recognize(self, audio: Audio, effort: Effort = "full") -> Transcript:
        """What was said in one utterance."""
        return (await self.on("recognize", lambda: self.recognize_batch([audio], effort)))[0]

    async def listen(self, audio: Audio) -> tuple[SoundSpan, ...]:
        """The spans heard in one window."""
        return (await self.on("listen", lambda: self.listen_batch([audio])))[0]

    async def look(self, image: Image, read: bool) -> Look:
        """What one image shows and, if `read`, says."""
        return (await self.on("look", lambda: self.look_batch([image], [read])))[0]

    def warm(self) -> None:
        """Run every model on all threads at once, on as much as any call brings, so that the first
        real call is as fast, and memory as large, as any."""
        image = np.full((540, 960, 3), 255, np.uint8)
        for row in range(40, 540, 60):
            cv2.putText(image, "read this " * 5, (20, row), cv2.FONT_HERSHEY_PLAIN, 2, (0, 0, 0), 2)
        noise = np.random.default_rng(0).normal(0, 0.02, 28 * SAMPLE_RATE).astype(np.float32)
        works: dict[Stage, Callable[[], object]] = {
            "look": lambda: self.look_batch([image], [True]),
            "recognize": lambda: self.recognize_batch([noise]),
            "listen": lambda: self.listen_batch([noise[: 5 * SAMPLE_RATE]]),
        }
        for stage, work in works.items():
            list(self._threads[stage].map(lambda _, work=work: work(), range(self._at_once)))

    def close(self) -> None:
        """Waits for the calls at work and ends the threads."""
        for threads in self._threads.values():
            threads.shutdown()

    async def on(self, stage: Stage, call: Callable[[], Result]) -> Result:
        """The call's result, made on the threads of its stage."""
        return await asyncio.get_running_loop().run_in_executor(self._threads[stage], call)
