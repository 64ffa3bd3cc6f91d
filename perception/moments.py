"""Moments: observations, in the order they are perceived, cut where something changes.

Pure and deterministic: what comes out depends on what was put in, and in which order, only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from perception.perceiver import Look
from perception.reader import TextLine, alike, as_text
from perception.recognizer import Transcript
from perception.records import Image, Moment, Observation, Role, Tag
from perception.sounds import SoundSpan
from perception.tagger import in_words, together

# Other sounds are called by their label.
SOUND_TEXT = {"music": "music playing", "singing": "somebody singing"}
UNTOLD = "speech"  # comes as utterances


@dataclass(frozen=True, slots=True)
class MomentSettings:
    """Seconds."""

    shortest: float = 2.0
    longest: float = 20.0
    pause: float = 4.0  # speech after so much silence is another activity
    sound_gap: float = 1.5  # the same sound goes on across this
    shortest_sound: float = 1.5
    repeat_after: float = 60.0  # text that stays on screen is remembered again after this


@dataclass(frozen=True, slots=True)
class HeardObservation:
    """An utterance, and when its voice started."""

    observation: Observation
    pinned: float


@dataclass(frozen=True, slots=True)
class SeenObservation:
    """A scene or a reading that has just begun."""

    observation: Observation


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment whose keyframe is still a picture."""

    moment: Moment
    picture: Image | None
    text: bool  # the picture holds text that was read


Output = HeardObservation | SeenObservation | Cut


@dataclass(slots=True)
class _Picture:
    score: float
    image: Image
    text: bool


@dataclass(slots=True)
class _Scene:
    start: float
    looks: list[tuple[Tag, ...]] = field(default_factory=list)
    faces: int | None = None
    best: _Picture | None = None
    told: bool = False

    def rest(self) -> None:
        """What goes on into the next moment: how it looked last."""
        self.looks = self.looks[-1:]


@dataclass(slots=True)
class _Reading:
    start: float
    lines: tuple[TextLine, ...]
    kept: float | None = None  # when it was last put into a moment

    @property
    def text(self) -> str:
        return as_text(self.lines)

    @property
    def confidence(self) -> float:
        return sum(line.confidence for line in self.lines) / len(self.lines)


@dataclass(slots=True)
class _Sound:
    label: str
    start: float
    end: float
    score: float


class MomentBuilder:
    """Takes what one stream's perception gives, in stream order, and gives moments.

    Every method yields what became known. `role_of` says of an utterance whether it is a question
    to the agent: then what came before is cut off and given first.
    """

    def __init__(
        self,
        stream_id: str,
        role_of: Callable[[str], Role],
        settings: MomentSettings | None = None,
        begins: float = 0.0,
    ) -> None:
        self._stream_id, self._role_of = stream_id, role_of
        self._settings = settings or MomentSettings()
        self._start = begins
        self._now = begins
        self._done: list[Observation] = []
        self._pictures: list[_Picture] = []
        self._scene: _Scene | None = None
        self._reading: _Reading | None = None
        self._sounds: dict[str, _Sound] = {}
        self._speaking = False
        self._wanted: float | None = None  # a cut that waits for somebody to finish speaking
        self._last_speech = 0.0

    def tick(self, time: float) -> Iterator[Output]:
        """Stream time went on to `time`."""
        self._now = max(self._now, time)
        while not self._speaking and self._now - self._start >= self._settings.longest:
            yield from self._cut(self._start + self._settings.longest)

    def cut(self, time: float) -> Iterator[Output]:
        """Something that begins at `time` will be asked of what was before it."""
        yield from self._cut(min(time, self._now), keep_until=self._now)

    def remark(self, observation: Observation) -> Iterator[Output]:
        """Something that happened on the stream without being perceived: what the agent said."""
        self._done.append(observation)
        yield from self.tick(observation.end)

    def scene(self, time: float) -> Iterator[Output]:
        """Another scene begins."""
        yield from self.tick(time)
        self._end_reading(time)
        self._end_scene(time)
        if self._speaking:
            self._wanted = time
        elif time - self._start >= self._settings.shortest:
            yield from self._cut(time)
        self._scene = _Scene(time)

    def look(
        self, time: float, look: Look, image: Image, *, read: bool, since: float, sharpness: float
    ) -> Iterator[Output]:
        """A frame was looked at; `since`: when its new content appeared."""
        yield from self.tick(time)
        scene = self._scene = self._scene or _Scene(time)
        scene.looks.append(look.tags)
        if look.faces is not None:
            scene.faces = max(scene.faces or 0, look.faces)
        letters = sum(len(line.text) for line in look.lines)
        score = min(letters, 200) * 10 + min(sharpness, 2000) / 20 + 20 * (look.faces or 0)
        if scene.best is None or score > scene.best.score:
            scene.best = _Picture(score, image, letters > 0)
        if not scene.told:
            for seen in self._vision(scene, scene.start, time):
                scene.told = True
                yield SeenObservation(seen)
        if read:
            yield from self._read(time, look.lines, since)

    def voice(self, time: float) -> Iterator[Output]:
        """Somebody starts to speak: no cut until they have finished."""
        yield from self.tick(time)
        self._speaking = True

    def released(self, time: float) -> Iterator[Output]:
        """It was no utterance after all."""
        self._speaking = False
        yield from self._cut_wanted()
        yield from self.tick(time)

    def utterance(
        self, start: float, end: float, decided: float, transcript: Transcript
    ) -> Iterator[Output]:
        """Somebody said something between `start` and `end`, known at `decided`."""
        self._now = max(self._now, decided)
        self._speaking = False
        if not transcript.text:
            yield from self._cut_wanted()
            yield from self.tick(decided)
            return
        settings = self._settings
        role = self._role_of(transcript.text)
        if role == "question":
            yield from self._cut(start, keep_until=self._now)
        elif start - self._start >= settings.shortest:
            paused = start - self._last_speech >= settings.pause
            overlong = end - self._start > settings.longest
            wanted = self._wanted is not None and self._wanted - start < end - self._wanted
            if paused or overlong or wanted:
                self._wanted = None if wanted else self._wanted
                yield from self._cut(start)
        said = Observation(
            self._stream_id,
            "speech",
            start,
            end,
            transcript.text,
            role=role,
            confidence=round(transcript.confidence, 3),
            language=transcript.language,
        )
        self._done.append(said)
        self._last_speech = end
        yield HeardObservation(said, start)
        if self._wanted is not None:
            self._wanted = max(end, self._wanted)
        yield from self._cut_wanted()
        yield from self.tick(decided)

    def sounds(self, offset: float, time: float, spans: Sequence[SoundSpan]) -> Iterator[Output]:
        """What was heard in the audio from `offset` to `time`; speech comes as utterances."""
        yield from self.tick(time)
        for span in spans:
            if span.label == UNTOLD:
                continue
            start, end = offset + span.start, offset + span.end
            going = self._sounds.get(span.label)
            if going is not None and start - going.end <= self._settings.sound_gap:
                going.end, going.score = end, max(going.score, span.score)
            else:
                self._end_sound(span.label)
                self._sounds[span.label] = _Sound(span.label, start, end, span.score)

    def finish(self, time: float) -> Iterator[Output]:
        """The stream is over."""
        self._speaking = False
        self._now = max(self._now, time)
        yield from self.tick(time)
        self._end_reading(time)
        self._end_scene(time)
        for label in list(self._sounds):
            self._end_sound(label)
        yield from self._cut(max(self._now, self._start + 0.001), keep_until=float("inf"))

    def _read(self, time: float, lines: tuple[TextLine, ...], since: float) -> Iterator[Output]:
        going = self._reading
        if going is not None and lines and _still_there(going.lines, lines):
            return
        self._end_reading(max(since, going.start) if going is not None else since)
        if lines:
            self._reading = _Reading(since, lines)
            yield SeenObservation(self._screen_text(self._reading, since, time))

    def _cut_wanted(self) -> Iterator[Output]:
        at, self._wanted = self._wanted, None
        if at is not None and at - self._start >= self._settings.shortest:
            yield from self._cut(min(at, self._now))

    def _cut(self, at: float, *, keep_until: float | None = None) -> Iterator[Output]:
        """Ends the moment at `at`. What began before that, or before `keep_until`, is in it."""
        until = at if keep_until is None else max(at, keep_until)
        inside = [o for o in self._done if o.start < until]
        beyond = [o for o in self._done if o.start >= until]
        end = self._now if any(o.start >= at for o in inside) else at
        reading = self._reading
        if reading is not None and reading.start < until and self._due(reading, end):
            end = self._now if reading.start >= at else end
            inside.append(self._screen_text(reading, max(reading.start, self._start), end))
            reading.kept = end
        if self._scene is not None and self._scene.start < end and self._scene.looks:
            inside.extend(self._vision(self._scene, max(self._scene.start, self._start), end))
            self._pictures.extend([self._scene.best] if self._scene.best is not None else [])
            self._scene.rest()
        for sound in self._sounds.values():
            inside.extend(self._sound(sound, end))
        beyond.extend(self._remainders(inside, end))
        inside = [_clipped(o, end) for o in inside]
        inside.sort(key=lambda o: (o.start, o.kind, o.text))
        picture = max(self._pictures, key=lambda p: p.score, default=None)
        moment = Moment(self._stream_id, self._start, max(end, self._start), tuple(inside))
        holds = bool(inside) or picture is not None
        self._start = max(at, self._start + 0.001) if holds else max(at, self._start)
        self._done, self._pictures = beyond, []
        if holds:
            yield Cut(
                moment,
                picture.image if picture is not None else None,
                picture is not None and picture.text,
            )

    def _due(self, reading: _Reading, end: float) -> bool:
        return reading.kept is None or end - reading.kept >= self._settings.repeat_after

    def _remainders(self, inside: Sequence[Observation], end: float) -> list[Observation]:
        """What of the scenes in a moment lies beyond its end and belongs to the next."""
        return [
            replace(o, start=end)
            for o in inside
            if o.kind in ("vision", "sound") and o.end - end >= 1.0
        ]

    def _end_scene(self, time: float) -> None:
        scene, self._scene = self._scene, None
        if scene is None or not scene.looks or time <= scene.start:
            return
        start = max(scene.start, self._start)
        if time > start:
            self._done.extend(self._vision(scene, start, time))
        if scene.best is not None and time > start:
            self._pictures.append(scene.best)

    def _end_reading(self, time: float) -> None:
        reading, self._reading = self._reading, None
        if reading is not None and self._due(reading, time):
            start = max(reading.start, self._start)
            self._done.append(self._screen_text(reading, start, max(start, time)))

    def _end_sound(self, label: str) -> None:
        sound = self._sounds.pop(label, None)
        if sound is not None:
            self._done.extend(self._sound(sound, sound.end))

    def _sound(self, sound: _Sound, end: float) -> list[Observation]:
        start, end = max(sound.start, self._start), min(sound.end, end)
        if end - start < self._settings.shortest_sound:
            return []
        return [
            Observation(
                self._stream_id,
                "sound",
                round(start, 3),
                round(end, 3),
                SOUND_TEXT.get(sound.label, sound.label),
                confidence=round(sound.score, 3),
            )
        ]

    def _screen_text(self, reading: _Reading, start: float, end: float) -> Observation:
        return Observation(
            self._stream_id,
            "screen_text",
            start,
            max(start, end),
            reading.text,
            confidence=round(reading.confidence, 3),
        )

    def _vision(self, scene: _Scene, start: float, end: float) -> list[Observation]:
        """One observation, or none where nothing is sure: what is not known is not remembered."""
        sure = together(scene.looks, scene.faces)
        text = in_words(sure, scene.faces)
        if not text:
            return []
        return [
            Observation(
                self._stream_id,
                "vision",
                start,
                max(start, end),
                text,
                confidence=max(tag.probability for tag in sure),
                tags=sure,
            )
        ]


def _still_there(before: Sequence[TextLine], now: Sequence[TextLine]) -> bool:
    """Whether everything read now had been read before: the same text, or part of it hidden."""
    return alike(as_text(before), as_text(now)) or all(
        any(alike(line.text, other.text) for other in before) for line in now
    )


def _clipped(observation: Observation, end: float) -> Observation:
    if observation.kind in ("vision", "sound") and observation.end > end:
        return replace(observation, end=max(observation.start, end))
    return observation
