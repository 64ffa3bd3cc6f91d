"""A live stream that is talked with: perceived like any other, and answered while it goes on.

Who speaks is known at once (`VoiceStarted`, `VoiceEnded`), what they say a little later (`Partial`,
`Heard`). Every answer has a generation; what belongs to an older one never gets out. A voice that
starts while the agent speaks silences it and cancels its answer; one that starts while it still
thinks only holds it back, for it may be no more than "um".
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

from perception.ahead import Partial
from perception.pipeline import (
    Event,
    Heard,
    MomentCut,
    Progress,
    Seen,
    StreamPipeline,
    VoiceEnded,
    VoiceStarted,
)
from perception.records import Observation, Role, Stream
from reasoning.records import Answer, Question, Replace, Token
from reasoning.speaker import Speech
from serve import failures, metrics
from serve.hearing import Hearing, OpenQuestion
from serve.live_settings import pipeline_settings
from serve.patient import PatientPerceiver
from serve.recent import RecentFrames
from serve.remembering import Remembering
from serve.sentences import Sentences
from serve.session import StreamSession, Tally
from serve.turns import LiveInput, Turn, Voice

log = logging.getLogger("lookback.live")

HELD = 1.0  # seconds that looking waits, at most, for the model's first word


class LiveSession(StreamSession):
    """Runs one live stream to its end. `control` takes what the person's page sends."""

    def __init__(
        self,
        stream: Stream,
        source: LiveInput,
        hub: Any,
        *,
        voice: Voice | None,
        clock: Callable[[], float],
    ) -> None:
        self.recent = RecentFrames(source, hub.settings.frames_shown)
        super().__init__(
            stream,
            self.recent,
            hub.services,
            hub.gate,
            lambda kind, body: hub.events.publish(stream.id, kind, body),
        )
        self._hub = hub
        self._input = source
        self._remembering = Remembering(self._remember, self._trouble)
        self._voice = voice
        self._clock = clock
        self._muted = False
        self._generation = 0
        self._turn: Turn | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._quiet = asyncio.Event()  # nobody speaks
        self._quiet.set()
        self._preparing: asyncio.Task[None] | None = None
        self._cut_at: float | None = None  # where a question that is being asked begins
        self._hearing = Hearing(
            hub.gate, hub.settings.answer_mode, lambda: hub.dialogue.last(stream.id) is not None
        )
        self._pipeline = StreamPipeline(
            stream,
            PatientPerceiver(hub.services.perception, self._trouble),
            role_of=self._role_of,
            settings=pipeline_settings(hub.settings),
            begins=clock(),
        )
        if voice is not None:
            voice.on_finished = self._voice_finished

    async def run(self) -> Tally:
        """Perceive until the source ends, and talk meanwhile."""
        self._state("listening")
        remembering = self._start(self._remembering.run())
        try:
            async with aclosing(self._pipeline.run(self._source)) as events:
                async for event in events:
                    self._take(event)
                    if remembering.done():
                        remembering.result()  # a failure that waiting does not mend
            await self._remembering.settled()
        finally:
            self._generation += 1
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        return self.tally

    def control(self, message: dict[str, Any]) -> None:
        """{"voice": bool} turns the voice on or off; {"push": bool} is push-to-talk, pressed or
        released; {"stop": true} makes the agent stop. Anything else is ignored."""
        if isinstance(speaks := message.get("voice"), bool):
            self._muted = not speaks
            if self._muted and self._voice is not None:
                self._voice.silence()
                self._voice_finished()
        if message.get("stop") is True:
            self._interrupt()
        if isinstance(pressed := message.get("push"), bool):
            if pressed:
                self._interrupt_voice()
            self._hearing.push(pressed, self._clock())

    async def up_to_now(self) -> None:
        """A question is being typed: have what was seen and heard so far remembered. Nobody is cut
        off in mid-sentence for it."""
        cut = partial(self._pipeline.cut, self._clock()) if self._quiet.is_set() else None
        await self._remembering.up_to_now(cut)

    def typed(self, answer: Answer) -> None:
        """A typed question was answered on this stream: it is part of what happened on it."""
        now = round(self._clock(), 3)
        self._remark(
            Observation(self.stream.id, "speech", now, now, answer.question, role="question")
        )
        self._remark(self._answered(answer.answer, now, now))

    def _take(self, event: Event) -> None:
        match event:
            case VoiceStarted():
                self._interrupt_voice()
                self._quiet.clear()
                self._state("hearing")
            case VoiceEnded():
                self._quiet.set()
                self._state("thinking" if self._turn and not self._turn.answer else "listening")
            case Partial(text, start, paused):
                self._publish("partial", {"text": text, "start": start})
                self._prepare(text, start, paused)
            case Heard(observation, _) | Seen(observation):
                self._remembering.expect()
                self._perceived(observation)
                if isinstance(event, Heard) and observation.role == "question":
                    self._ask(observation)
            case MomentCut(moment, keyframe):
                self._remembering.add(moment, keyframe)
            case Progress(stream_time, lag, dropped):
                self._progress(stream_time, lag, dropped)
                self._publish("received", self._input.counted())

    def _role_of(self, text: str) -> Role:
        said = self._pipeline.uttering
        start, end = (said.start, said.end) if said else (self._clock(), self._clock())
        turn, asked = self._turn, None
        if turn is not None and turn.began is None and turn.question.utterance is not None:
            asked = OpenQuestion(str(turn.question.utterance["text"]), turn.heard_end)
        return self._hearing.role_of(text, start, end, asked)

    def _prepare(self, text: str, start: float, paused: bool) -> None:
        """Have what came before a question remembered while it is still being asked, and, once it
        may be whole, its answer begun."""
        asked = text if text.rstrip().endswith("?") else f"{text.rstrip('. ')}?"
        judgement = self._gate.judge(asked)
        if judgement.role != "question":
            return
        if start != self._cut_at:
            self._cut_at = start
            self._pipeline.cut(start)
        talking = self._services.talking
        busy = self._preparing is not None and not self._preparing.done()
        if (
            talking is None
            or not paused
            or busy
            or (self._turn is not None and not self._turn.concluded)
        ):
            return
        question = Question(
            judgement.question,
            self.stream.id,
            start,
            "spoken",
            follows=self._hub.dialogue.last(self.stream.id),
        )

        async def prepare() -> None:
            try:
                await self._remembering.settled(start)
                await talking.prepare(replace(question, frames=await self.recent.frames()))
            except Exception as error:  # noqa: BLE001 - the answer itself will say what is wrong
                log.warning("an answer was not prepared: %s", type(error).__name__)

        self._preparing = self._start(prepare())

    def _ask(self, heard: Observation) -> None:
        since = time.perf_counter()
        text = self._hearing.whole
        begun = heard.start if text == heard.text else self._turn_start(heard.start)
        self._interrupt()
        asked = self._gate.judge(text)
        question = Question(
            text=asked.question,
            stream_id=self.stream.id,
            at=begun,
            trigger="spoken",
            utterance={"text": text, "start": begun, "end": heard.end},
            follows=self._hub.dialogue.last(self.stream.id),
        )
        self._generation += 1
        turn = self._turn = Turn(self._generation, question, heard.end)
        self._state("thinking", question=question.text)
        self._pipeline.hold_looks = self._clock() + HELD
        turn.task = self._start(self._answer_turn(turn, time.perf_counter() - since))

    def _turn_start(self, otherwise: float) -> float:
        at = self._turn.question.at if self._turn is not None else None
        return otherwise if at is None else at

    async def _answer_turn(self, turn: Turn, gate_seconds: float) -> None:
        speaking: asyncio.Task[None] | None = None
        sentences: asyncio.Queue[str | None] = asyncio.Queue()
        if self._speaks:
            speaking = self._start(self._speak(turn, sentences))
        try:
            answer = await self._generated(turn, sentences)
        except Exception as error:  # noqa: BLE001 - an answer that fails must not stop perception
            metrics.FAILED_ANSWERS.inc()
            self._turn = None
            self._state("failed", message=failures.known(error)[1]["error"]["message"])
            self._state("listening")
            return
        finally:
            sentences.put_nowait(None)
        now = self._clock()
        timings = replace(
            answer.timings,
            gate_ms=round(gate_seconds * 1000, 2),
            first_token_ms=_ms((turn.began or now) - turn.heard_end),
            total_ms=_ms(now - turn.heard_end),
        )
        turn.answer = replace(answer, timings=timings)
        turn.text = answer.answer
        self._hub.dialogue.note(self.stream.id, answer)
        body = turn.answer.to_json()
        self.tally.answers.append(body)
        self._publish("answer", {**body, "generation": turn.generation})
        if speaking is not None:
            await speaking
            if self._voice is not None and self._voice.speaking:
                await turn.said.wait()
        self._conclude(turn)

    async def _generated(self, turn: Turn, sentences: asyncio.Queue[str | None]) -> Answer:
        split = Sentences()
        if turn.question.at is not None:
            await self._remembering.settled(turn.question.at)  # what came before the question
        shown = replace(turn.question, frames=await self.recent.frames())
        pieces = self._services.reasoning.answer(shown)
        async with aclosing(pieces) as stream:
            async for piece in stream:
                if turn.generation != self._generation:
                    raise asyncio.CancelledError
                if isinstance(piece, Answer):
                    for one in split.rest():
                        sentences.put_nowait(one)
                    return piece
                replaced = isinstance(piece, Replace)
                opens = isinstance(piece, Token) and piece.opening
                turn.began = turn.began if turn.began is not None else self._clock()
                if not opens:
                    self._pipeline.hold_looks = 0.0
                turn.text = piece.text if replaced else turn.text + piece.text
                self._publish(
                    "token",
                    {"text": piece.text, "replace": replaced, "generation": turn.generation},
                )
                if replaced:
                    split = Sentences()
                    if turn.spoken and self._voice is not None:
                        self._voice.silence()  # what it says turned out not to stand
                for one in [*split.add(piece.text), *(split.rest() if opens else ())]:
                    sentences.put_nowait(one)
                if split.ready and self._speaks:
                    self._synthesize(turn, split.ready)  # what is still checked is said next
        raise RuntimeError("the answer ended before it was whole")

    # The voice.

    async def _speak(self, turn: Turn, sentences: asyncio.Queue[str | None]) -> None:
        voice = self._voice
        assert voice is not None
        while (sentence := await sentences.get()) is not None:
            try:
                speech = await self._synthesize(turn, sentence)
            except Exception as error:  # noqa: BLE001 - the answer stands in text
                log.warning("a sentence was not spoken: %s", type(error).__name__)
                self._publish("state", {"state": "failed", "message": "the voice is not answering"})
                return
            await self._quiet.wait()  # who speaks is not interrupted
            if turn.generation != self._generation or self._muted:
                return
            if not turn.spoken:
                self._state("speaking", generation=turn.generation)
            turn.spoken = f"{turn.spoken} {sentence}".strip()
            self._hearing.says(turn.spoken, self._clock(), speech.seconds)
            turn.said.clear()
            voice.say(speech)

    @property
    def _speaks(self) -> bool:
        has_voice = self._voice is not None and self._services.talking is not None
        return has_voice and not self._muted

    def _synthesize(self, turn: Turn, sentence: str) -> asyncio.Task[Speech]:
        """The sentence as sound, once, however often it is wanted."""
        talking = self._services.talking
        assert talking is not None
        if sentence not in turn.sounds:
            task = turn.sounds[sentence] = self._start(talking.speak(sentence))
            # One that is never said may fail unnoticed.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return turn.sounds[sentence]

    def _voice_finished(self) -> None:
        if self._turn is not None:
            self._turn.said.set()

    def _interrupt_voice(self) -> None:
        """Barge-in: somebody speaks. An answer that has not been heard yet goes on."""
        if self._voice is not None and self._voice.speaking:
            self._interrupt()

    def _interrupt(self) -> None:
        """End the answer under way, spoken or not; nothing of it gets out any more."""
        turn, self._turn = self._turn, None
        if self._voice is not None:
            self._voice.silence()
        if turn is None or turn.concluded:
            return
        self._generation += 1
        if turn.task is not None:
            turn.task.cancel()
        self._hearing.falls_silent(self._clock())
        self._publish("interrupted", {"generation": turn.generation})
        self._conclude(turn, interrupted=True)

    def _conclude(self, turn: Turn, *, interrupted: bool = False) -> None:
        """The answer was given, or cut off: either way it happened, and is remembered."""
        turn.concluded = True
        if turn.text and turn.began is not None:
            remembered = self._answered(turn.text, turn.began, self._clock())
            self._remark(replace(remembered, ref="interrupted" if interrupted else None))
        if self._turn is turn:
            self._turn = None
        if not interrupted:
            self._state("listening" if self._quiet.is_set() else "hearing")

    def _answered(self, text: str, start: float, end: float) -> Observation:
        name = self._hub.settings.agent_name
        start, end = round(start, 3), round(max(start, end), 3)
        return Observation(self.stream.id, "speech", start, end, text, speaker=name, role="answer")

    def _remark(self, observation: Observation) -> None:
        self._pipeline.remark(observation)
        self._perceived(observation)

    def _trouble(self, message: str | None) -> None:
        if message is None:
            self._state("listening")
        else:
            self._state("failed", message=message)

    def _state(self, state: str, **more: Any) -> None:
        self._publish("state", {"state": state, **more})

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.create_task(work, name=f"live: {self.stream.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
