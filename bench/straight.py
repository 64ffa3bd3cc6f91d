"""The control of `bench live`: the same parts, one after another, as a script would call them.

Listen, recognise, decide, search, answer, speak, and only then look at the next frame: in real
time, from the recording itself, with no network and no server in between.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.replay import OneAtATime
from perception.pipeline import Heard, MomentCut, Progress, StreamPipeline
from perception.records import Observation, Stream
from perception.sources import AudioChunk, Frame, RecordingSource
from reasoning.gate import Gate
from reasoning.records import Answer, Question
from serve.loading import load_agent, load_perceiver, load_speaker, open_store
from serve.services import InProcessMemory
from serve.settings import Settings

if TYPE_CHECKING:
    from bench.live import Figures


class Clocked:
    """A recording in real time that notes when each second of it came."""

    def __init__(self, path: Path) -> None:
        self._source = RecordingSource(path, speed="1x")
        self.seconds = self._source.seconds
        self.began = 0.0

    async def __aiter__(self) -> AsyncGenerator[AudioChunk | Frame, None]:
        self.began = time.monotonic()
        async for item in self._source:
            yield item


async def measure_straight(recording: Path) -> Figures:
    """The recording's own questions, answered by the straight line."""
    from bench.live import Figures

    truth = json.loads(recording.with_suffix(".json").read_text())
    figures, stream = Figures(), Stream("straight", datetime.now(UTC))
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store=Path(folder))
        store = open_store(settings)
        memory = InProcessMemory(lambda: store)
        agent, generator = load_agent(settings, memory)
        await generator.warm()
        speaker, gate = load_speaker(settings), Gate(settings.agent_name)
        inner = load_perceiver(settings)
        source = Clocked(recording)
        pipeline = StreamPipeline(
            stream, OneAtATime(inner), role_of=lambda text: gate.judge(text).role
        )

        async def answer(heard: Observation) -> None:
            """Everything waits for this."""
            ended = source.began + heard.end
            question = Question(gate.judge(heard.text).question, stream.id, heard.start, "spoken")
            figures.asked += 1
            text = ""
            async for piece in agent.answer(question):
                if not text:
                    figures.first_token.append(time.monotonic() - ended)
                text = piece.answer if isinstance(piece, Answer) else text + piece.text
            figures.answered += 1
            expected = [
                q["expect"] for q in truth["live_questions"] if abs(q["end"] - heard.end) < 3
            ]
            figures.right += any(w.lower() in text.lower() for words in expected for w in words)
            figures.false_triggers += not expected
            if speaker is not None:
                speech = speaker.speak(text)
                figures.first_sound.append(time.monotonic() - ended)
                await asyncio.sleep(speech.seconds)

        try:
            async for event in pipeline.run(source):
                match event:
                    case MomentCut(moment, keyframe):
                        kept = {moment.keyframe: keyframe} if moment.keyframe and keyframe else {}
                        await memory.remember(stream, [moment], kept)
                    case Heard(observation, _) if observation.role == "question":
                        await answer(observation)
                    case Progress(stream_time, _, _):
                        figures.lags.append(time.monotonic() - source.began - stream_time)
        finally:
            inner.close()
            store.close()
    return figures
