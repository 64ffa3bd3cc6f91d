"""What a plan is: the shape in which every way of answering hands over what to say."""

from __future__ import annotations

from dataclasses import dataclass

from reasoning.abstention import Reason, words_for
from reasoning.evidence import Passage
from reasoning.pictures import Picture

MAX_ANSWER = 40  # tokens


@dataclass(frozen=True, slots=True)
class Plan:
    """What to say: `text` by code, or, where it is None, `evidence` for the model to put in words.
    `own_words`: the text quotes no memory. `guess`: the evidence may not be what was asked for. `whole_when`: the answer gives day and time, where both
    are known. With `pictures` it is answered from these and `notes`; `otherwise` is what to say
    where that fails."""

    evidence: tuple[Passage, ...] = ()
    text: str | None = None
    abstained: bool = False
    max_tokens: int = MAX_ANSWER
    own_words: bool = False
    guess: bool = False
    whole_when: bool = False
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()
    otherwise: Plan | None = None


def abstain(reason: Reason = "not in memory", looked_for: str = "") -> Plan:
    """There is no answer, and why."""
    return Plan((), words_for(reason, looked_for), abstained=True)
