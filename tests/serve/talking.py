"""A live session without media: what is heard is told to it, and what gets out is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from memory.records import Snapshot
from perception.ahead import Partial
from perception.perceiver import LocalPerceiver
from perception.pipeline import Event, Heard, MomentCut, VoiceEnded, VoiceStarted
from perception.records import Moment, Observation, Stream
from perception.vad import Utterance
from reasoning.gate import Gate
from reasoning.records import Answer, Citation, Question, Replace, Timings, Token
from reasoning.speaker import Speech, ToneSpeaker
from serve import conversation
from serve.dialogue import Dialogues
from serve.events import Broadcast
from serve.services import Services
from serve.settings import Settings

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class ScriptedPipeline:
    """Stands in for StreamPipeline: gives the events put into it."""

    def __init__(self, *_: Any, role_of: Callable[[str], Any], **__: Any) -> None:
        self.role_of = role_of
        self.events: asyncio.Queue[Event | Exception | None] = asyncio.Queue()
        self.uttering: Utterance | None = None
        self.remarks: list[Observation] = []
        self.cuts: list[float] = []

    def cut(self, time: float) -> None:
        self.cuts.append(time)

    def remark(self, observation: Observation) -> None:
        self.remarks.append(observation)

    async def run(self, _: Any) -> AsyncGenerator[Event, None]:
        while (event := await self.events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event


class ScriptedReasoning:
    """Answers word by word; `hold` keeps it from going on until it is set."""

    def __init__(self) -> None:
        self.answers: list[list[Token | Replace]] = []
        self.questions: list[Question] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.closed = 0

    async def answer(self, question: Question) -> AsyncGenerator[Token | Replace | Answer, None]:
        self.questions.append(question)
        pieces = self.answers.pop(0) if self.answers else [Token("In the top drawer.")]
        text = ""
        try:
            for piece in pieces:
                await self.hold.wait()
                text = piece.text if isinstance(piece, Replace) else text + piece.text
                yield piece
            await self.hold.wait()
            yield _answer(question, text)
        finally:
            self.closed += 1


class ScriptedTalking:
    """Hums; keeps what it was asked to prepare."""

    def __init__(self) -> None:
        self.speaker = ToneSpeaker()
        self.prepared: list[Question] = []

    async def prepare(self, question: Question) -> None:
        self.prepared.append(question)

    async def speak(self, text: str) -> Speech:
        return self.speaker.speak(text)


class SilentVoice:
    """A voice that speaks until it is told that it has finished."""

    def __init__(self) -> None:
        self.said: list[Speech] = []
        self.silenced = 0
        self.speaking = False
        self.on_finished: Callable[[], None] = lambda: None

    def say(self, speech: Speech) -> None:
        self.said.append(speech)
        self.speaking = True

    def silence(self) -> None:
        self.silenced += self.speaking
        self.speaking = False

    def finish(self) -> None:
        self.speaking = False
        self.on_finished()


class Talk:
    """One session under test. Times are stream times; nothing waits for a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        monkeypatch.setattr(conversation, "StreamPipeline", ScriptedPipeline)
        self.settings = Settings(**settings)
        self.now = 0.0
        self.memory = ScriptedMemory()
        self.reasoning, self.talking = ScriptedReasoning(), ScriptedTalking()
        self.voice = SilentVoice()
        self.out: list[tuple[str, dict[str, Any]]] = []
        events = Broadcast()
        monkeypatch.setattr(events, "publish", lambda _, kind, body: self.out.append((kind, body)))
        self.hub = SimpleNamespace(
            services=Services(
                perception=LocalPerceiver.fake(),
                memory=self.memory,  # type: ignore[arg-type]  # a stand-in, or the generator behind an iterator
                reasoning=self.reasoning,
                healthy=_healthy,
                talking=self.talking,
            ),
            gate=Gate(self.settings.agent_name, self.settings.answer_mode),
            events=events,
            settings=self.settings,
            dialogue=Dialogues(lambda: self.now),
        )
        self.session = conversation.LiveSession(
            Stream("kitchen", START, "webrtc"),
            None,  # type: ignore[arg-type]  # a stand-in, or the generator behind an iterator
            self.hub,
            voice=self.voice,
            clock=lambda: self.now,
        )
        self.pipeline: ScriptedPipeline = self.session._pipeline  # type: ignore[assignment]  # a stand-in, or the generator behind an iterator
        self.task: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Talk:
        self.task = asyncio.create_task(self.session.run())
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        self.pipeline.events.put_nowait(None)
        await asyncio.wait_for(asyncio.gather(self.task, return_exceptions=True), 5)

    async def give(self, event: Event | Exception) -> None:
        self.pipeline.events.put_nowait(event)
        await settle()

    async def starts(self, time: float) -> None:
        self.now = time
        await self.give(VoiceStarted(time))

    async def partial(self, text: str, start: float, *, paused: bool = False) -> None:
        await self.give(Partial(text, start, paused))

    async def says(self, text: str, start: float, end: float) -> Observation:
        """An utterance, from its first sound to its transcript."""
        await self.starts(start)
        self.now = end + 0.5
        await self.give(VoiceEnded(end))
        self.pipeline.uttering = Utterance(start, end, None, end)  # type: ignore[arg-type]  # a stand-in, or the generator behind an iterator
        role = self.pipeline.role_of(text)
        said = Observation("kitchen", "speech", start, end, text, role=role)
        await self.give(Heard(said, start))
        return said

    async def cut(self, moment: Moment) -> None:
        await self.give(MomentCut(moment, None))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [body for name, body in self.out if name == kind]

    @property
    def states(self) -> list[str]:
        return [body["state"] for body in self.of("state")]


class ScriptedMemory:
    """Keeps moments; refuses while `refusal` is set."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self.refusal: Exception | None = None

    async def remember(self, stream: Stream, moments: list[Moment], keyframes: Any) -> int:
        if self.refusal is not None:
            raise self.refusal
        self.moments += moments
        return 1


async def settle(turns: int = 40) -> None:
    """Let everything that can go on go on; what waits for a thread gets its turn as well."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def _healthy() -> dict[str, bool]:
    return {}


def _answer(question: Question, text: str) -> Answer:
    cited = Citation("kitchen:0000005930", "kitchen", 5.9, 8.7, "speech", "the drawer", None)
    return Answer(
        question.text, text, False, (cited,), Snapshot(3), Timings(), question.trigger,
        utterance=question.utterance,
    )  # fmt: skip
