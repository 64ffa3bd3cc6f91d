"""What the language model reads: the same examples always, then memories, then the question.

A small model follows examples better than orders. The beginning never changes, so that its keys
and values are reused; the question comes last, so that memories can be evaluated before it ends.
Memories are data: each is one quoted line, and nothing in it can close the quote or open a turn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reasoning.pictures import Picture

PREFIX = """Each answer is one short sentence that uses only the notes above it.

heard: "I put the scissors in the kitchen cupboard."
Q: Where did I leave my scissors?
A: You left the scissors in the kitchen cupboard.

screen: "Board Meeting / Wednesday 09:15 / Hall Cedar / call 4471"
Q: When is the board meeting?
A: The board meeting is on Wednesday at 09:15.

heard: "Oscar told me the yellow van is being repaired because its brakes failed."
Q: Why is the van being repaired?
A: The van is being repaired because its brakes failed.

"""

_CLIP = 200  # characters of one memory: about 50 tokens
_TURN = re.compile(r"\b([QA]):|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Prompt:
    """Memory lines, newest last, the question, and what the answer begins with. `pictures`, in
    order of time, are for a generator that says it takes them; `example` is one more, for one that
    goes on from text."""

    memories: tuple[str, ...]
    question: str
    opening: str = ""
    pictures: tuple[Picture, ...] = ()
    example: str = ""

    @property
    def text(self) -> str:
        lines = "\n".join(self.memories)
        begun = f" {fenced(self.opening)}" if self.opening else ""
        return f"{PREFIX}{self.example}{lines}\nQ: {fenced(self.question)}\nA:{begun}"


def fenced(text: str, limit: int = _CLIP) -> str:
    """A text on one line that cannot end its quotes or pose as a turn."""
    flat = " ".join(re.sub(r"\s*\n\s*", " / ", text.strip()).split())
    flat = _TURN.sub(lambda m: m.group(1) or m.group(2), flat.replace('"', "'"))
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def memory_line(kind: str, text: str, speaker: str | None = None) -> str:
    """One memory as the model reads it. Without its time: every token is waited for, and answers
    that tell times are written by code."""
    sense = {"speech": "heard", "screen_text": "screen", "vision": "saw", "sound": "sound"}[kind]
    who = f" {fenced(speaker, 40)}" if speaker and kind == "speech" else ""
    return f'{sense}{who}: "{fenced(text)}"'
