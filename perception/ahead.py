"""Recognition ahead of time, for conversation: what is said so far, and what was said on trial.

While somebody speaks, what they have said so far is recognised now and then, cheaply. When they
pause it is recognised for good: if the pause turns out to be the end, the transcript is there
already; if it reads like a whole sentence, the end need not be waited for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from perception.perceiver import Perceiver
from perception.recognizer import Transcript
from perception.records import SAMPLE_RATE, Audio
from perception.vad import Pause, Utterance

LONGEST_PARTIAL = 15.0  # seconds; of a longer speech no partial would come in time

# A sentence does not end with these, whatever the recogniser puts after them.
_GOES_ON = re.compile(
    r"(?:^|\W)(?:a|an|the|my|your|his|her|our|their|its|this|these|those|of|to|in|on|at|for|from|with|by|"
    r"into|about|and|or|but|so|because|if|that|which|who|when|where|what|is|are|was|were|do|does|did|"
    r"have|has|had|will|would|can|could|i|we|he|she|they|um|uh|er|and then|i left|i put)\W*$",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Partial:
    """What somebody has said so far, from `start` on. Given as it becomes known, out of turn.
    `paused`: they have paused since, so it may be all."""

    text: str
    start: float
    paused: bool = False


class SpeechAhead:
    """One per stream. `tell` takes partial transcripts, recognised every `every` seconds (0:
    never). `calls` are the recognitions under way, to be cancelled at the end."""

    def __init__(self, perceiver: Perceiver, every: float, tell: Callable[[Partial], None]) -> None:
        self._perceiver = perceiver
        self._every = every
        self._tell_partial = tell
        self._start = 0.0  # of the utterance
        self._due = 0.0  # stream time of the next partial
        self._partial: asyncio.Task[None] | None = None
        self._trial: tuple[Pause, asyncio.Task[Transcript]] | None = None
        self.calls: set[asyncio.Task[Any]] = set()

    @property
    def finished(self) -> bool:
        """Whether what was said before the pause reads like a whole sentence."""
        if self._trial is None or not self._trial[1].done() or self._trial[1].cancelled():
            return False
        return self._trial[1].exception() is None and is_whole(self._trial[1].result().text)

    def begin(self, time: float) -> None:
        """Somebody starts to speak."""
        self._drop()
        self._start, self._due = time, time + self._every

    def go_on(self, time: float, audio: Callable[[], Audio]) -> None:
        """They go on speaking, up to `time`; `audio` gives what they said so far."""
        running = self._partial is not None and not self._partial.done()
        if not self._every or running or time < self._due or self._recognizing():
            return
        if time - self._start > LONGEST_PARTIAL:
            return
        self._due = time + self._every
        self._partial = self._call(self._recognize_part(audio(), self._start))

    def pause(self, pause: Pause) -> None:
        """They pause: recognise what was said as if it were all."""
        self._drop()
        trial = self._call(self._perceiver.recognize(pause.samples, "live"))
        self._trial = (pause, trial)
        trial.add_done_callback(lambda done: self._tell(pause, done))

    async def recognize(self, said: Utterance) -> Transcript:
        """The utterance, from the trial if it was of the same audio."""
        trial, self._trial = self._trial, None
        if self._partial is not None:
            self._partial.cancel()
        if trial is not None and trial[0].start == said.start and trial[0].end == said.end:
            return await trial[1]
        if trial is not None:
            trial[1].cancel()
        return await self._perceiver.recognize(said.samples)

    async def _recognize_part(self, audio: Audio, start: float) -> None:
        if len(audio) >= 0.4 * SAMPLE_RATE:
            transcript = await self._perceiver.recognize(audio, "draft")
            if transcript.text and start == self._start:
                self._tell_partial(Partial(transcript.text, start))

    def _tell(self, pause: Pause, done: asyncio.Task[Transcript]) -> None:
        if self._trial is None or self._trial[0] is not pause or done.cancelled():
            return
        if done.exception() is None and done.result().text:
            self._tell_partial(Partial(done.result().text, pause.start, paused=True))

    def _recognizing(self) -> bool:
        return self._trial is not None and not self._trial[1].done()

    def _drop(self) -> None:
        for call in (self._partial, self._trial[1] if self._trial else None):
            if call is not None:
                call.cancel()
        self._partial = self._trial = None

    def _call(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self.calls.add(task)
        task.add_done_callback(self.calls.discard)
        return task


def is_whole(text: str) -> bool:
    """Whether a transcript reads like a sentence that is over."""
    text = text.strip()
    return (
        bool(text) and text[-1] in ".?!" and not text.endswith("...") and not _GOES_ON.search(text)
    )
