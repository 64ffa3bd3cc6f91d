"""What an utterance on a live stream is: meant for the agent, its own echo, or neither.

The gate judges a text. Here stands what the text alone does not tell: what the agent has just said
itself, whether the button was pressed, whether its name was called the moment before, and which
question was still being asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perception.records import Role
from reasoning.followup import follows_up
from reasoning.gate import Gate, Mode
from serve.sentences import same_words

# A question that goes on so soon was cut off by its own pause: both halves are one.
CONTINUES = 1.2
CALLED = 3.0  # seconds after "Lookback" on its own in which what is said is meant for the agent
ECHO = 0.75  # share of an utterance's words that the agent has just said itself
ECHO_LAG = 1.5  # seconds after the agent fell silent in which its echo may still be heard
STALE_PUSH = 1.0  # seconds an utterance may have ended before the button was pressed
PUSHES = 8  # that are remembered


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question that was heard until `end`, and whose answer has not begun."""

    text: str
    end: float


class Hearing:
    """One per session. Times are stream times.

    Args:
        going_on: whether something was asked and answered of late.
    """

    def __init__(self, gate: Gate, mode: Mode, going_on: Callable[[], bool]) -> None:
        self._gate = gate
        self._mode = mode
        self._going_on = going_on
        self._called = (0.0, "")  # when the agent was called by name alone, and how
        self._pushes: list[tuple[float, float | None]] = []  # when the button was down
        self._own: tuple[float, float, str] = (0.0, 0.0, "")  # from when until when it said what
        self.whole = ""  # the last utterance, with what belongs before it

    def role_of(self, text: str, start: float, end: float, asked: OpenQuestion | None) -> Role:
        """What an utterance is. `asked`: the question that may still be being asked."""
        self.whole = text
        if self._is_echo(text, start):
            return "answer"  # it is remembered as the agent's, and is no evidence
        if self._mode == "push":
            return "question" if self._pushed(start, end) and text.strip() else "statement"
        self.whole = self._joined(text, start, asked)
        judgement = self._gate.judge(self.whole)
        alone = judgement.reason == "only the name"
        self._called = (end, f"{text.rstrip('.,!? ')},") if alone else (0.0, "")
        if judgement.role == "question":
            return "question"
        leans = self._mode == "any" and self._going_on() and follows_up(text)
        return "question" if leans else "statement"

    def says(self, text: str, now: float, seconds: float) -> None:
        """The agent says this, from now on, for so long; `text` is all of its answer so far."""
        since, until, _ = self._own
        self._own = (since if now <= until else now, now + seconds, text)

    def falls_silent(self, now: float) -> None:
        """The agent stops speaking."""
        since, until, text = self._own
        self._own = (since, min(until, now), text)

    def push(self, pressed: bool, now: float) -> None:
        """The button of push-to-talk."""
        if pressed:
            self._pushes = [*self._pushes[-PUSHES:], (now, None)]
        elif self._pushes and self._pushes[-1][1] is None:
            self._pushes[-1] = (self._pushes[-1][0], now)

    def _is_echo(self, text: str, start: float) -> bool:
        since, until, own = self._own
        if not own or not since - 0.5 <= start <= until + ECHO_LAG:
            return False
        return len(text.split()) >= 2 and same_words(text, own) >= ECHO

    def _pushed(self, start: float, end: float) -> bool:
        return any(
            pressed <= end + STALE_PUSH and (released is None or start <= released)
            for pressed, released in self._pushes
        )

    def _joined(self, text: str, start: float, asked: OpenQuestion | None) -> str:
        """The text after the agent's name, said on its own, or after the question it goes on from."""
        called_at, name = self._called
        if name and 0 <= start - called_at <= CALLED:
            return f"{name} {text}"
        if asked is None or start - asked.end > CONTINUES:
            return text
        first = asked.text.rstrip()
        if first.endswith("?") and not text[:1].islower():
            return text
        return f"{first.rstrip('.?!… ')} {text}"
