from __future__ import annotations

from collections.abc import Callable

import pytest

from perception.moments import Cut, HeardObservation, MomentBuilder, Output, SeenObservation
from perception.perceiver import Look
from perception.reader import TextLine
from perception.recognizer import NOTHING, Transcript
from perception.records import Moment, Role, Tag
from perception.sounds import SoundSpan
from tests.perception.conftest import plain

pytestmark = pytest.mark.unit


class Script:
    """Feeds a builder and gathers what it gives."""

    def __init__(self, role_of: Callable[[str], Role] = lambda text: "statement") -> None:
        self.builder = MomentBuilder("s", role_of)
        self.given: list[Output] = []

    @property
    def moments(self) -> list[Moment]:
        return [output.moment for output in self.given if isinstance(output, Cut)]

    def run(self, until: float, after: float = 0.0) -> None:
        for second in range(int(after) + 1, int(until) + 1):
            self.given += self.builder.tick(second)

    def scene(self, at: float, *lines: str, tag: str = "desk") -> None:
        self.given += self.builder.scene(at)
        self.look(at + 0.25, *lines, tag=tag, since=at)

    def look(self, at: float, *lines: str, tag: str = "desk", since: float | None = None) -> None:
        boxes = [(0.1, 0.1 * i, 0.9, 0.1 * i + 0.05) for i in range(len(lines))]
        text = tuple(TextLine(t, 0.98, box) for t, box in zip(lines, boxes, strict=True))
        self.given += self.builder.look(
            at,
            Look((Tag(tag, 0.9),), None, text),
            plain(100),
            read=True,
            since=at if since is None else since,
            sharpness=10,
        )

    def say(self, start: float, end: float, text: str) -> None:
        self.given += self.builder.voice(start)
        self.given += self.builder.utterance(start, end, end + 0.6, Transcript(text, "en", 0.9))


def texts(moment: Moment, kind: str) -> list[str]:
    return [o.text for o in moment.observations if o.kind == kind]


def test_a_scene_change_cuts() -> None:
    script = Script()
    script.scene(0)
    script.scene(6, tag="lake")
    script.given += script.builder.finish(12)
    assert [(m.start, m.end) for m in script.moments] == [(0, 6), (6, 12)]
    assert [texts(m, "vision") for m in script.moments] == [["desk"], ["lake"]]


def test_no_moment_is_longer_than_20_s_or_cut_by_a_scene_shorter_than_2_s() -> None:
    script = Script()
    script.scene(0)
    script.run(70)
    script.scene(70.5, tag="lake")
    script.scene(71.5, tag="alp")
    script.given += script.builder.finish(80)
    lengths = [m.end - m.start for m in script.moments]
    assert max(lengths) <= 20
    assert min(lengths) >= 2
    assert sum(lengths) == pytest.approx(80)


def test_an_utterance_is_never_cut_in_two() -> None:
    script = Script()
    script.scene(0)
    script.run(8)
    script.given += script.builder.voice(8.0)
    script.scene(9.0, tag="lake")
    script.given += script.builder.utterance(8.0, 14.0, 14.6, Transcript("A long story.", "en", 1))
    script.given += script.builder.finish(20)
    for moment in script.moments:
        for heard in (o for o in moment.observations if o.kind == "speech"):
            assert moment.start <= heard.start
            assert heard.end <= moment.end
    assert sum(len(texts(m, "speech")) for m in script.moments) == 1


def test_before_a_question_everything_perceived_is_cut_and_given() -> None:
    script = Script(lambda text: "question" if text.endswith("?") else "statement")
    script.scene(0)
    script.say(2.0, 4.0, "The key is under the mat.")
    script.look(6.0, "Gate 12")
    script.say(10.0, 12.0, "Where is the key?")
    kinds = [type(output) for output in script.given]
    question = next(
        i
        for i, o in enumerate(script.given)
        if isinstance(o, HeardObservation) and o.observation.role == "question"
    )
    assert Cut in kinds[:question]
    before = [m for o in script.given[:question] if isinstance(o, Cut) for m in [o.moment]]
    assert [t for m in before for t in texts(m, "speech")] == ["The key is under the mat."]
    assert [t for m in before for t in texts(m, "screen_text")] == ["Gate 12"]
    assert before[-1].end == 10.0
    script.given += script.builder.finish(15)
    last = script.moments[-1]
    assert last.start == 10.0
    assert [o.role for o in last.observations if o.kind == "speech"] == ["question"]


def test_what_appears_while_a_question_is_asked_is_given_before_it() -> None:
    script = Script(lambda text: "question")
    script.scene(0)
    script.given += script.builder.voice(5.0)
    script.look(6.0, "Platform 9")
    script.given += script.builder.utterance(5.0, 7.0, 7.6, Transcript("What is this?", "en", 1))
    assert [texts(m, "screen_text") for m in script.moments] == [["Platform 9"]]
    assert isinstance(script.given[-1], HeardObservation)


def test_a_slide_is_one_reading_with_its_span() -> None:
    script = Script()
    script.scene(0)
    script.scene(5, "Team day", "Tuesday 14:15")
    script.look(7, "Team day", "Tuesday 14:15")
    script.look(9, "Team day")  # somebody stands before the second line
    script.scene(11)
    script.given += script.builder.finish(15)
    readings = [o for m in script.moments for o in m.observations if o.kind == "screen_text"]
    assert [(o.start, o.end, o.text) for o in readings] == [(5, 11, "Team day / Tuesday 14:15")]


def test_a_changed_digit_is_another_reading() -> None:
    script = Script()
    script.scene(0, "door code 4415")
    script.look(5, "door code 4416")
    script.given += script.builder.finish(10)
    readings = [o for m in script.moments for o in m.observations if o.kind == "screen_text"]
    assert [(o.text, o.start, o.end) for o in readings] == [
        ("door code 4415", 0, 5),
        ("door code 4416", 5, 10),
    ]


def test_text_that_stays_is_not_repeated_in_every_moment() -> None:
    script = Script()
    script.scene(0, "House rules")
    script.run(100)
    script.given += script.builder.finish(100)
    holding = [m.start for m in script.moments if texts(m, "screen_text")]
    assert holding == [0, 60]


def test_speech_after_a_pause_opens_a_moment() -> None:
    script = Script()
    script.scene(0)
    script.say(3, 5, "One.")
    script.say(6, 7, "Two.")
    script.say(14, 15, "Three.")
    script.given += script.builder.finish(17)
    assert [texts(m, "speech") for m in script.moments if texts(m, "speech")] == [
        ["One.", "Two."],
        ["Three."],
    ]


def test_noise_taken_for_a_voice_leaves_nothing() -> None:
    script = Script()
    script.given += script.builder.voice(1.0)
    script.given += script.builder.utterance(1.0, 2.0, 2.6, NOTHING)
    script.given += script.builder.finish(10)
    assert script.given == []


def test_music_is_one_sound_across_windows_and_speech_is_none() -> None:
    script = Script()
    spans = [SoundSpan("music", 0.0, 5.0, 0.9), SoundSpan("speech", 0.0, 5.0, 0.9)]
    for offset in (0.0, 5.0):
        script.given += script.builder.sounds(offset, offset + 5, spans)
    script.given += script.builder.finish(12)
    (moment,) = script.moments
    assert [(o.kind, o.start, o.end) for o in moment.observations] == [("sound", 0.0, 10.0)]


def test_a_silent_hour_gives_no_moment() -> None:
    script = Script()
    script.run(3600)
    script.given += script.builder.finish(3600)
    assert script.moments == []


def test_a_scene_is_told_when_it_is_first_seen() -> None:
    script = Script()
    script.scene(0, tag="lake")
    script.run(3)
    told = [o.observation.text for o in script.given if isinstance(o, SeenObservation)]
    assert told == ["lake"]
