"""What writes answers, from the settings: a GGUF file, a vision-language model, or an endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import models
from models import hub
from reasoning.errors import ModelUnusable
from serve.settings import Settings

if TYPE_CHECKING:
    from reasoning import Generator

SEEING_MODEL = "Qwen/Qwen3-VL-8B-Instruct"
EMBEDDED_MODEL = "qwen2.5-1.5b"


def load_generator(settings: Settings) -> Generator:
    """The generator of `answer_backend`; a minute for 16 GB of weights, no time for an endpoint.
    Raises ModelUnusable with one line, or a ModelError where the embedded model is missing."""
    if settings.answer_backend == "endpoint":
        return _endpoint(settings)
    if settings.answer_backend == "transformers":
        from reasoning.transformer import TransformersGenerator

        return TransformersGenerator.load(
            weights(settings.answer_model or SEEING_MODEL),
            four_bit=settings.answer_four_bit,
            rows=settings.answer_rows,
            visual_tokens=settings.visual_tokens,
            text_tokens=settings.text_tokens,
            cache_bytes=settings.picture_cache_mb * 1_000_000,
        )
    from reasoning import GgufGenerator

    file = (
        weights(settings.answer_model) if settings.answer_model else models.locate(EMBEDDED_MODEL)
    )
    return GgufGenerator(
        file,
        threads=settings.answer_threads,
        projector=settings.answer_projector if settings.visual_tokens else None,
        visual_tokens=settings.visual_tokens,
    )


def model_name(settings: Settings) -> str:
    """What the model that answers is called: an id or a file's name, without the folder it is in."""
    named = settings.answer_model
    if not named:
        return SEEING_MODEL if settings.answer_backend == "transformers" else EMBEDDED_MODEL
    return Path(named).name if Path(named).expanduser().exists() else named


def weights(named: str) -> Path:
    """The file or folder that a path or a hub id (`owner/name@revision:file`) names. Raises
    ModelUnusable where it is neither, or cannot be brought."""
    path = Path(named).expanduser()
    if path.exists():
        return path
    parsed = hub.parse(named)
    if parsed is None:
        raise ModelUnusable(f"answer_model {named} is neither a path that exists nor a hub id")
    repository, revision = parsed
    try:
        folder = hub.bring(repository, revision)
    except hub.NotOnHub as error:
        at = f" at revision {revision}" if revision else ""
        raise ModelUnusable(f"answer_model {repository.repo}{at}: {error}") from error
    return folder / repository.entry if repository.entry else folder


def _endpoint(settings: Settings) -> Generator:
    from reasoning.endpoint import EndpointGenerator

    return EndpointGenerator(
        settings.answer_endpoint,
        settings.answer_model,
        key=settings.answer_key,
        visual_tokens=settings.visual_tokens,
        text_tokens=settings.text_tokens,
    )
