"""What can go wrong while answering.

ReasoningError
├── ModelUnusable      the language model's file is there but does not load
├── GenerationFailed   the language model refused a prompt or stopped midway
│   └── ModelSilent        it said nothing for as long as anybody waits
├── PictureUnusable    a picture does not open, or is too large to be looked at
└── QuestionRefused    the question is empty or too long
"""

from __future__ import annotations


class ReasoningError(Exception):
    """Base of everything reasoning raises on purpose."""


class ModelUnusable(ReasoningError):
    """The language model's file does not load: says which, and why."""


class GenerationFailed(ReasoningError):
    """The language model returned an error instead of text."""


class ModelSilent(GenerationFailed):
    """The language model's first word did not come in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the language model said nothing for {seconds:g} s")


class PictureUnusable(ReasoningError):
    """A picture cannot be put before the model: says why."""


class QuestionRefused(ReasoningError):
    """The question cannot be asked as it is: empty, or longer than `agent.MAX_QUESTION` characters."""
