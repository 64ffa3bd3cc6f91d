"""What a live session deals with: where media come from, where its voice goes, and a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from perception.sources import Source
from reasoning.records import Answer, Question
from reasoning.speaker import Speech


class LiveInput(Source, Protocol):
    """A source that counts what came in and what was lost."""

    def counted(self) -> dict[str, float]: ...


class Voice(Protocol):
    """Where the agent's speech goes. `on_finished` is called when all of it has been said."""

    on_finished: Callable[[], None]

    @property
    def speaking(self) -> bool: ...
    def say(self, speech: Speech) -> None: ...
    def silence(self) -> None: ...


@dataclass(slots=True)
class Turn:
    """One question and its answer. Stream times."""

    generation: int
    question: Question
    heard_end: float
    text: str = ""  # of the answer, as published so far
    answer: Answer | None = None
    spoken: str = ""  # of the answer, given to the voice so far
    began: float | None = None  # when its first words got out
    task: asyncio.Task[None] | None = None
    concluded: bool = False
    sounds: dict[str, asyncio.Task[Speech]] = field(default_factory=dict)
    said: asyncio.Event = field(default_factory=asyncio.Event)  # the voice has finished
