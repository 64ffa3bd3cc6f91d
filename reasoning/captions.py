"""What a keyframe shows, in a sentence, by the model that answers, while nobody waits for it.

A caption is remembered as seen; it is data like all that is seen, and never an instruction.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Protocol

from reasoning.generator import Generator
from reasoning.pictures import Picture
from reasoning.prompt import Prompt

ASKED = (
    "Describe this picture in one plain sentence: who and what is there, colours, where things "
    "stand, and what is being done. Name only what can be seen."
)
TOKENS = 64
LONGEST = 400  # characters
SHORTEST = 3  # words; less describes nothing
UNKNOWN = "i don't know"  # what the model's instructions have it say when it cannot tell


class Captioner(Protocol):
    """Cancelling ends generation at once."""

    async def caption(self, encoded: bytes) -> str:
        """A sentence about an encoded picture; empty where there is nothing to say. Raises
        GenerationFailed, PictureUnusable."""
        ...


class GeneratorCaptioner:
    """A generator that is shown pictures."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    async def caption(self, encoded: bytes) -> str:
        prompt = Prompt((), ASKED, pictures=(Picture(encoded, "then"),))
        said = ""
        async with aclosing(self._generator.stream(prompt, TOKENS)) as pieces:
            async for piece in pieces:
                said += piece
        return told(said)


class SizeCaptioner:
    """The fake: says how many bytes the picture has."""

    async def caption(self, encoded: bytes) -> str:
        return f"A picture of {len(encoded)} bytes."


def told(said: str) -> str:
    """The first line of what the model said, whole sentences of it where it was cut off; empty
    where it says nothing of a picture."""
    line = next((line.strip() for line in said.splitlines() if line.strip()), "")[:LONGEST]
    if line and line[-1] not in ".!?" and "." in line:
        line = line[: line.rindex(".") + 1]
    if len(line.split()) < SHORTEST or line.lower().replace("\u2019", "'").startswith(UNKNOWN):
        return ""
    return line
