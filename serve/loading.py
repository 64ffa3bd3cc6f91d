"""The embedded profile's parts from its settings, wherever they run: in a deployment or in-process.

Each part's libraries are imported where it is loaded: LanceDB, torch and llama.cpp are hundreds of
megabytes that the other deployments do without.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import models
from serve.settings import Settings

if TYPE_CHECKING:
    from memory.encoding import PictureEncoder as Encoder
    from memory.replica import ReadOnlyStore
    from memory.store import Store
    from perception.perceiver import LocalPerceiver
    from perception.pictures import PictureEncoder
    from reasoning import Agent, Generator
    from reasoning.speaker import Speaker
    from serve.services import MemoryService

log = logging.getLogger("lookback.serve")


def load_perceiver(settings: Settings) -> LocalPerceiver:
    """Every perception model. A few seconds. Raises ModelError, ModelUnusable."""
    from perception.perceiver import LocalPerceiver
    from perception.recognizer import DEFAULT, WhisperRecognizer

    device = settings.perception_device
    if device is None and settings.speech_model != DEFAULT:
        from perception.checkpoints import device_of

        device = device_of(None)
    recognizer = WhisperRecognizer(
        settings.speech_model,
        device=device or "cpu",
        cpu_threads=1,
        workers=settings.threads,
        batch=settings.speech_batch,
    )
    listener = None
    if settings.sound_model is not None:
        from perception.audioset import AudioSetListener

        listener = AudioSetListener.load(settings.sound_model, device=settings.perception_device)
    return LocalPerceiver.load(threads=settings.threads, recognizer=recognizer, listener=listener)


def load_pictures(settings: Settings) -> PictureEncoder | None:
    """The picture encoder, where the settings name one. Raises ModelUnusable."""
    if settings.picture_model is None:
        return None
    from perception.pictures import SiglipEncoder

    return SiglipEncoder.load(settings.picture_model, device=settings.perception_device)


def open_store(settings: Settings, create: bool = True, pictures: Encoder | None = None) -> Store:
    """The store, for writing, with the text embedder; with `pictures`, keyframes are found by what
    they show. Without `create`, raises StoreMissing.

    Holds this process's matrix products to one thread: on matrices as small as memory's, several
    wait for each other longer than they help."""
    from threadpoolctl import threadpool_limits

    from memory.embedder import MiniLM
    from memory.store import Store
    from serve.measured import MeasuredEmbedder

    threadpool_limits(limits=1, user_api="blas")
    embedder = MeasuredEmbedder(MiniLM(models.locate("minilm")))
    days = settings.retention_days
    return Store(
        settings.store,
        embedder,
        create=create,
        retention=None if days is None else timedelta(days=days),
        budget_mb_per_hour=settings.budget_mb_per_hour,
        budget_mb=settings.budget_mb,
        pictures=pictures,
    )


def open_reader(settings: Settings) -> ReadOnlyStore:
    """The store, to be read beside its writer. Raises StoreMissing before that has opened it."""
    from memory.embedder import MiniLM
    from memory.replica import ReadOnlyStore
    from serve.measured import MeasuredEmbedder

    return ReadOnlyStore(settings.store, MeasuredEmbedder(MiniLM(models.locate("minilm"))))


def load_agent(settings: Settings, memory: MemoryService) -> tuple[Agent, Generator]:
    """An agent over that memory, and its language model (to warm). Raises ModelUnusable."""
    from reasoning import Agent, GgufGenerator, Judge, WordVectors
    from serve.answering import load_generator

    generator = load_generator(settings)
    near = WordVectors(models.locate("minilm"))
    patience = settings.answer_first_word_seconds
    judge = Judge(generator, patience) if isinstance(generator, GgufGenerator) else None
    agent = Agent(
        memory,
        generator,
        near=near,
        agent_name=settings.agent_name,
        first_token=settings.answer_first_word_seconds,
        keyframes=memory,
        live_frames=settings.live_frames,
        judge=judge,
    )
    return agent, generator


def load_speaker(settings: Settings) -> Speaker | None:
    """The agent's voice; None where it is off, or its weights are not there."""
    if not settings.voice:
        return None
    from reasoning.speaker import PiperSpeaker

    try:
        return PiperSpeaker(models.locate("piper-joe"), threads=settings.threads)
    except models.ModelMissing as error:
        log.warning("answers are not spoken: %s", error)
        return None
