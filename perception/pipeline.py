"""The stream pipeline: one source in, observations and moments out, in the order of stream time.

Cheap and stateful work (endpointing, change detection) happens here as audio and frames come.
Heavy calls are started as soon as their input is there; their results are taken up in stream
order through a bounded queue. So what comes out does not depend on how long calls take, and a slow
perceiver slows a replay down instead of filling memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from perception import keyframes
from perception.ahead import Partial, SpeechAhead
from perception.changes import ChangeDetector, ChangeSettings, LookAt, SceneCut
from perception.moments import Cut, HeardObservation, MomentBuilder, MomentSettings, Output
from perception.perceiver import Perceiver
from perception.records import SAMPLE_RATE, Audio, Moment, Observation, Role, Stream
from perception.sources import AudioChunk, Frame, Source
from perception.vad import (
    Endpointer,
    Onset,
    Pause,
    Released,
    SileroDetector,
    Utterance,
    VoiceDetector,
    VoiceEvent,
    VoiceSettings,
)

SILENT = 1e-3  # root mean square below which audio holds no sound worth classifying
LOOK_WHILE_SPEAKING = 1.0  # seconds between looks at a live stream while somebody speaks
WAITING = 128  # items between reading and taking up; with `in_flight` this bounds memory


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """`in_flight`: heavy calls started ahead of the one whose result is due. `live`: the source
    cannot wait, so only the latest look waits for room, and those it replaces are counted as
    dropped; speech never waits for room and is never dropped."""

    voice: VoiceSettings = field(default_factory=VoiceSettings)
    changes: ChangeSettings = field(default_factory=ChangeSettings)
    moments: MomentSettings = field(default_factory=MomentSettings)
    sound_window: float = 5.0  # seconds; 0: sounds are not classified
    in_flight: int = 8
    live: bool = False
    partial_every: float = 0.0  # seconds between recognitions of what is being said; 0: none


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance. `pinned`: when its voice started."""

    observation: Observation
    pinned: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A scene or a reading that has just begun; its end is not known yet."""

    observation: Observation


@dataclass(frozen=True, slots=True)
class MomentCut:
    """A moment is complete. `keyframe`: the WebP that `moment.keyframe` names."""

    moment: Moment
    keyframe: bytes | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything up to `stream_time` is perceived; `lag`: seconds since it came in."""

    stream_time: float
    lag: float
    dropped_frames: int


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """Somebody speaks. Given at once, out of turn."""

    time: float


@dataclass(frozen=True, slots=True)
class VoiceEnded:
    """Nobody speaks any more. Given at once, out of turn; what was said comes as `Heard`."""

    time: float


Aside = VoiceStarted | VoiceEnded | Partial
Event = Heard | Seen | MomentCut | Progress | Aside


def always_statement(text: str) -> Role:
    """Takes nothing for a question."""
    return "statement"


@dataclass(slots=True)
class _Item:
    """Something to take up in its turn: `apply` gives it, and the result of `task`, to the builder."""

    entered: float  # event loop's clock
    apply: Callable[[Any], Iterator[Output]]
    task: asyncio.Task[Any] | None = None
    progress: float | None = None  # stream time to report
    last: bool = False
    room: bool = False  # whether its call takes some of `in_flight`


class StreamPipeline:
    """Perceives one stream. Run it once.

    Args:
        role_of: what an utterance is to the agent. At a question, everything perceived before it
            is cut and given as `MomentCut`, then the question as `Heard`; it opens the next moment.
        detector: voice activity; Silero unless given.
        begins: stream time of what comes first.
    """

    def __init__(
        self,
        stream: Stream,
        perceiver: Perceiver,
        *,
        role_of: Callable[[str], Role] = always_statement,
        settings: PipelineSettings | None = None,
        detector: VoiceDetector | None = None,
        begins: float = 0.0,
    ) -> None:
        self._settings = settings or PipelineSettings()
        self._perceiver = perceiver
        self._endpointer = Endpointer(detector or SileroDetector(), self._settings.voice)
        self._changes = ChangeDetector(self._settings.changes)
        self._builder = MomentBuilder(stream.id, role_of, self._settings.moments, begins)
        self._queue: asyncio.Queue[_Item] = asyncio.Queue(WAITING)
        self._room = asyncio.Semaphore(self._settings.in_flight)
        self._asides: asyncio.Queue[Aside] = asyncio.Queue()
        self._calls: set[asyncio.Task[Any]] = set()
        self._window: list[Audio] = []
        self._window_start: float | None = None
        self._time = self._ticked = begins
        self._dropped = 0
        self._looked = begins  # when the last look was taken
        self._next_look: LookAt | None = None  # live: waits for room
        self._picture: tuple[int, bytes] | None = None  # the last picture encoded
        self._speech_ahead = SpeechAhead(
            perceiver, self._settings.partial_every, self._asides.put_nowait
        )
        self.uttering: Utterance | None = None  # the utterance whose role is being asked for
        self.hold_looks = 0.0  # stream time until which a live stream is not looked at

    def cut(self, time: float) -> None:
        """Have what came before `time` cut off in its turn: a question about it is being asked."""
        self._aside(lambda _: self._builder.cut(time))

    def remark(self, observation: Observation) -> None:
        """Put in something that happened on the stream and was not perceived."""
        self._aside(lambda _: self._builder.remark(observation))

    async def run(self, source: Source) -> AsyncGenerator[Event, None]:
        """Events until the source ends. Closing the generator cancels what is under way.

        Raises:
            PerceptionError: from the source or the perceiver; what was given before it stands.
        """
        reading = asyncio.create_task(self._read(source), name="perception: reading")
        try:
            while True:
                item: _Item | None = None
                async for aside_or_item in self._next(reading):
                    if isinstance(aside_or_item, _Item):
                        item = aside_or_item
                    else:
                        yield aside_or_item
                assert item is not None
                result = item.task.result() if item.task is not None else None
                for output in item.apply(result):
                    yield await self._event(output)
                if item.room:
                    self._room.release()
                if item.progress is not None:
                    lag = asyncio.get_running_loop().time() - item.entered
                    yield Progress(item.progress, lag, self._dropped)
                if item.last:
                    await reading
                    return
        finally:
            pending = [reading, *self._calls, *self._speech_ahead.calls]
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _next(self, reading: asyncio.Task[None]) -> AsyncGenerator[Aside | _Item, None]:
        """The next item, its call finished; before it, what is heard out of turn meanwhile."""
        getting: asyncio.Task[_Item] = asyncio.create_task(self._queue.get())
        hearing: asyncio.Task[Aside] = asyncio.create_task(self._asides.get())
        item: _Item | None = None
        try:
            while item is None or (item.task is not None and not item.task.done()):
                due: asyncio.Task[Any] = getting if item is None or item.task is None else item.task
                waits = {due, hearing} if reading.done() else {due, hearing, reading}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                if hearing.done():
                    yield hearing.result()
                    hearing = asyncio.create_task(self._asides.get())
                if item is None and getting.done():
                    item = getting.result()
                if item is None and reading.done() and reading.exception() is not None:
                    reading.result()
            yield item
        finally:
            getting.cancel()
            if hearing.done() and not hearing.cancelled():
                self._asides.put_nowait(hearing.result())
            hearing.cancel()

    async def _event(self, output: Output) -> Event:
        if isinstance(output, HeardObservation):
            return Heard(output.observation, output.pinned)
        if not isinstance(output, Cut):
            return Seen(output.observation)
        if output.picture is None:
            return MomentCut(output.moment, None)
        if self._picture is None or self._picture[0] != id(output.picture):
            encoded = await asyncio.to_thread(keyframes.encode, output.picture, text=output.text)
            self._picture = (id(output.picture), encoded)
        encoded = self._picture[1]
        return MomentCut(replace(output.moment, keyframe=keyframes.name_of(encoded)), encoded)

    async def _read(self, source: Source) -> None:
        """Takes audio and frames as they come and queues what they call for."""
        async for item in source:
            if isinstance(item, AudioChunk):
                await self._hear(item)
            else:
                await self._see(item)
        for event in await asyncio.to_thread(self._endpointer.flush):
            await self._speech(event)
        if self._next_look is not None:
            await self._look(self._next_look)
        await self._classify(flush=True)
        end = self._time
        await self._put(lambda _: self._builder.finish(end), progress=end, last=True)

    async def _hear(self, chunk: AudioChunk) -> None:
        if self._window_start is None:
            self._window_start = chunk.start
            self._endpointer.begin(chunk.start)
        for event in await asyncio.to_thread(self._endpointer.feed, chunk.samples):
            await self._speech(event)
        if self._speech_ahead.finished:
            for event in self._endpointer.end():
                await self._speech(event)
        if self._endpointer.speaking and not self._endpointer.pausing:
            self._speech_ahead.go_on(chunk.end, self._endpointer.current)
        await self._look_if_free()
        if self._settings.sound_window > 0:
            self._window.append(chunk.samples)
            await self._classify()
        await self._tick(chunk.end)

    async def _speech(self, event: VoiceEvent) -> None:
        builder = self._builder
        if isinstance(event, Onset):
            onset = event.time
            self._speech_ahead.begin(onset)
            self._asides.put_nowait(VoiceStarted(onset))
            await self._put(lambda _: builder.voice(onset))
        elif isinstance(event, Released):
            released = event.time
            self._asides.put_nowait(VoiceEnded(released))
            await self._put(lambda _: builder.released(released))
        elif isinstance(event, Pause):
            self._speech_ahead.pause(event)
        else:
            self._asides.put_nowait(VoiceEnded(event.end))
            await self._put(self._said(event), self._speech_ahead.recognize(event))

    def _said(self, said: Utterance) -> Callable[[Any], Iterator[Output]]:
        def apply(transcript: Any) -> Iterator[Output]:
            self.uttering = said
            return self._builder.utterance(said.start, said.end, said.decided, transcript)

        return apply

    async def _classify(self, *, flush: bool = False) -> None:
        """Has the gathered window of audio classified once it is full, unless it is silent."""
        count = sum(len(samples) for samples in self._window)
        if not count or (count < self._settings.sound_window * SAMPLE_RATE and not flush):
            return
        audio, self._window = np.concatenate(self._window), []
        start = self._window_start or 0.0
        end = self._window_start = start + len(audio) / SAMPLE_RATE
        if float(np.sqrt(np.mean(np.square(audio)))) > SILENT:
            await self._put(
                lambda spans: self._builder.sounds(start, end, spans),
                self._perceiver.listen(audio),
            )

    async def _see(self, frame: Frame) -> None:
        for event in await asyncio.to_thread(self._changes.watch, frame.time, frame.image):
            if isinstance(event, SceneCut):
                await self._cut(event.time)
            elif self._settings.live:
                self._wait_for_room(event)
            else:
                await self._look(event)
        await self._look_if_free()
        await self._tick(frame.time)

    def _wait_for_room(self, at: LookAt) -> None:
        """The latest look waits; what the one before was to read, it reads."""
        if (before := self._next_look) is not None:
            self._dropped += 1
            if before.read:
                at = replace(at, read=True, since=min(at.since, before.since))
        self._next_look = at

    async def _look_if_free(self) -> None:
        """Speech goes first: while somebody speaks, looks are few; when they may have finished,
        and while they wait for an answer, none is begun."""
        at, since = self._next_look, self._time - self._looked
        endpointer = self._endpointer
        busy = self._room.locked() or (endpointer.speaking and since < LOOK_WHILE_SPEAKING)
        waited_for = endpointer.speaking and endpointer.pausing or self._time < self.hold_looks
        if at is not None and not busy and not (self._settings.live and waited_for):
            self._next_look = None
            await self._look(at)

    async def _cut(self, time: float) -> None:
        if self._next_look is not None:
            self._dropped += 1
            self._next_look = None
        await self._put(lambda _: self._builder.scene(time))

    async def _look(self, at: LookAt) -> None:
        self._looked = at.time
        await self._put(
            lambda look: self._builder.look(
                at.time, look, at.image, read=at.read, since=at.since, sharpness=at.sharpness
            ),
            self._perceiver.look(at.image, at.read),
            waits=True,
        )

    async def _tick(self, time: float) -> None:
        """Once a second of stream time, lets moments end and progress be told."""
        self._time = max(self._time, time)
        if self._time - self._ticked >= 1.0:
            now = self._ticked = self._time
            await self._put(lambda _: self._builder.tick(now), progress=now)

    def _aside(self, apply: Callable[[Any], Iterator[Output]]) -> None:
        """Takes something up in its turn, from outside the reading."""
        item = _Item(asyncio.get_running_loop().time(), apply)
        task = asyncio.create_task(self._queue.put(item))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _put(
        self,
        apply: Callable[[Any], Iterator[Output]],
        call: Coroutine[Any, Any, Any] | None = None,
        *,
        progress: float | None = None,
        last: bool = False,
        waits: bool = False,
    ) -> None:
        task = None
        room = call is not None and (waits or not self._settings.live)
        if call is not None:
            try:
                if room:
                    await self._room.acquire()
            except asyncio.CancelledError:
                call.close()
                raise
            task = asyncio.create_task(call)
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        entered = asyncio.get_running_loop().time()
        await self._queue.put(_Item(entered, apply, task, progress, last, room))
