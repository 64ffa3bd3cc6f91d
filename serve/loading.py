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
    from memory.store import Store
    from perception.perceiver import LocalPerceiver
    from reasoning import Agent, Generator
    from reasoning.speaker import Speaker
    from serve.services import MemoryService

log = logging.getLogger("lookback.serve")


def load_perceiver(settings: Settings) -> LocalPerceiver:
    """Every perception model. A few seconds."""
    from perception.perceiver import LocalPerceiver

    return LocalPerceiver.load(threads=settings.threads)


def open_store(settings: Settings, create: bool = True) -> Store:
    """The store, for writing, with the text embedder. Without `create`, raises StoreMissing."""
    from memory.embedder import MiniLM
    from memory.store import Store
    from serve.measured import MeasuredEmbedder

    embedder = MeasuredEmbedder(MiniLM(models.locate("minilm")))
    days = settings.retention_days
    return Store(
        settings.store,
        embedder,
        create=create,
        retention=None if days is None else timedelta(days=days),
        budget_mb_per_hour=settings.budget_mb_per_hour,
        budget_mb=settings.budget_mb,
    )


def load_agent(settings: Settings, memory: MemoryService) -> tuple[Agent, Generator]:
    """An agent over that memory, and its language model (to warm). Raises ModelUnusable."""
    from reasoning import Agent, WordVectors
    from serve.answering import load_generator

    generator = load_generator(settings)
    near = WordVectors(models.locate("minilm"))
    agent = Agent(
        memory,
        generator,
        near=near,
        agent_name=settings.agent_name,
        keyframes=memory,
        live_frames=settings.live_frames,
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
