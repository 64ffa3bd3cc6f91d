from __future__ import annotations

import pytest

from perception.reader import TextLine, alike, as_text, legible, reading_order
from perception.recognizer import Gates, believable, compression_ratio, repeated

pytestmark = pytest.mark.unit
GATES = Gates()


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech"),
    [
        ("I put the charger in the hall.", -0.2, 0.01),
        ("Um, okay.", -1.3, 0.2),
        ("Thank you.", -0.3, 0.05),
        ("No, no, no.", -0.4, 0.1),
        ("Well, whatever.", -0.5, 0.3),
    ],
)
def test_speech_is_believed(text: str, logprob: float, no_speech: float) -> None:
    assert believable(text, logprob, no_speech, GATES)


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech"),
    [
        ("", 0.0, 0.0),
        (". . .", -0.1, 0.0),
        ("You", -1.2, 0.56),
        ("Thanks for watching!", -0.9, 0.3),
        ("Something about a river.", -1.1, 0.8),
        ("Bla blub.", -2.0, 0.1),
        ("I went home and then I went home and then I went home and then.", -0.1, 0.0),
        ("la la la la la la la la la la la la la la la la la la", -0.1, 0.0),
    ],
)
def test_what_is_made_up_on_noise_is_not(text: str, logprob: float, no_speech: float) -> None:
    assert not believable(text, logprob, no_speech, GATES)


@pytest.mark.parametrize(
    ("words", "times"),
    [("a b c d", 1), ("a a a", 3), ("x go on go on go on y", 3), ("a b a c a d", 1)],
)
def test_repeated_counts_a_phrase_that_follows_upon_itself(words: str, times: int) -> None:
    assert repeated(words.split()) == times


def test_loops_compress_and_sentences_do_not() -> None:
    assert compression_ratio("and so on " * 20) > 2.4
    assert compression_ratio("The ferry leaves at nine from the second pier.") < 1.2


def line(text: str, confidence: float = 0.95, left: float = 0.1, top: float = 0.1) -> TextLine:
    return TextLine(text, confidence, (left, top, left + 0.3, top + 0.05))


def test_junk_is_dropped_and_short_text_must_be_sure() -> None:
    assert legible(line("door code 7740", 0.7))
    assert legible(line("B17", 0.95))
    assert not legible(line("B17", 0.8))
    assert not legible(line("1", 0.99))
    assert not legible(line("~~ |", 0.99))


def test_lines_are_read_from_the_top_down_and_from_the_left() -> None:
    lines = [
        line("right", left=0.6, top=0.3),
        line("below", top=0.6),
        line("left", left=0.1, top=0.31),
        line("title", top=0.05),
    ]
    assert as_text(reading_order(lines)) == "title / left / right / below"


def test_readings_are_alike_but_for_a_letter_and_never_but_for_a_digit() -> None:
    assert alike("Quarterly review", "Quarterly review")
    assert not alike("code 1337", "code 1331")
    assert not alike("Quarterly review", "Weekly menu")
