"""What writes answers, by its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import random_models
from reasoning import Agent, Answer, GgufGenerator, Question
from reasoning.endpoint import EndpointGenerator
from reasoning.errors import ModelUnusable
from reasoning.transformer import TransformersGenerator
from serve.answering import load_generator, weights
from serve.errors import BadSettings
from serve.settings import Settings, load
from tests.reasoning.memories import HandMadeMemory, speech, vision
from tests.reasoning.seeing_model import picture

pytestmark = pytest.mark.unit


class Album:
    async def keyframe(self, moment_id: str) -> bytes:
        return picture(len(moment_id))


def settings(**given: Any) -> Settings:
    return Settings(store=Path("/nowhere"), **given)


@pytest.mark.model
async def test_a_model_that_sees_answers_from_pictures_through_the_agent(tmp_path: Path) -> None:
    folder = random_models.save(random_models.checkpoint("tiny"), tmp_path / "tiny")
    generator = load_generator(
        settings(answer_backend="transformers", answer_model=str(folder), visual_tokens=1024)
    )
    assert isinstance(generator, TransformersGenerator)
    memory = HandMadeMemory([vision(5, "lamp"), speech(9, "Good evening."), vision(55, "lamp")])
    agent = Agent(memory, generator, keyframes=Album(), first_token=60)
    *pieces, answer = [e async for e in agent.answer(Question("What is this?", at=60))]
    assert isinstance(answer, Answer)
    assert (answer.method, answer.failure) == ("generated", None)
    assert len(pieces) > 3
    assert generator.tower.cache.encoded == 1  # every moment of the album looks alike
    generator.close()


def test_an_endpoint_needs_an_address_and_the_name_of_a_model() -> None:
    with pytest.raises(BadSettings, match="answer_endpoint: .* need its URL"):
        load(answer_backend="endpoint", answer_model="q")
    with pytest.raises(BadSettings, match="need answer_model") as refused:
        load(answer_backend="endpoint", answer_endpoint="http://me:hunter2@seer/v1")
    assert "hunter2" not in str(refused.value)
    made = load_generator(
        settings(
            answer_backend="endpoint",
            answer_endpoint="http://seer/v1",
            answer_model="q",
            visual_tokens=0,
        )
    )
    assert isinstance(made, EndpointGenerator)
    assert not made.capabilities.sees


def test_the_key_reaches_the_deployment_and_nothing_that_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOOKBACK_ANSWER_KEY", " sk-abc ")
    read = load()
    assert read.plain()["answer_key"] == "sk-abc"
    assert "sk-abc" not in repr(read)
    assert settings(answer_key="").plain()["answer_key"] is None


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("nobody/no-such-model", "nobody/no-such-model: "),
        ("nobody/no-such-model@v9", "at revision v9"),
        ("/no/such/folder", "neither a path that exists nor a hub id"),
    ],
)
def test_a_model_that_cannot_be_brought_is_named_in_one_line(
    named: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelUnusable) as refused:
        weights(named)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_projector_that_is_no_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    with pytest.raises(ModelUnusable, match="projector .* is not a file"):
        GgufGenerator(file, projector=tmp_path / "mmproj.gguf")
