"""The embedded profile's parts from its settings, wherever they run: in a deployment or in-process."""

from __future__ import annotations

import models
from memory.store import Store
from memory.embedder import MiniLM
from memory.records import MemoryReader
from perception import LocalPerceiver
from reasoning import Agent, GgufGenerator, WordVectors
from reasoning.speaker import PiperSpeaker
from serve.settings import Settings


def load_perceiver(settings: Settings) -> LocalPerceiver:
    """Every perception model. A few seconds."""
    return LocalPerceiver.load(threads=settings.threads)


def open_store(settings: Settings) -> Store:
    """The store, for writing, with the text embedder."""
    return Store(settings.store, MiniLM(models.locate("minilm")))


def load_agent(settings: Settings, memory: MemoryReader) -> tuple[Agent, GgufGenerator]:
    """An agent over that memory, and its language model (to warm)."""
    generator = GgufGenerator(models.locate("qwen2.5-1.5b"), threads=settings.threads)
    near = WordVectors(models.locate("minilm"))
    return Agent(memory, generator, near=near, agent_name=settings.agent_name), generator


def load_speaker(settings: Settings) -> PiperSpeaker:
    """The agent's voice."""
    return PiperSpeaker(models.locate("piper-joe"), threads=settings.threads)
