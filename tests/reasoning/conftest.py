"""The language model, loaded once for the tests that need it."""

from __future__ import annotations

import pytest

import models
from reasoning import GgufGenerator, WordVectors


@pytest.fixture(scope="session")
def generator() -> GgufGenerator:
    return GgufGenerator(models.locate("qwen2.5-1.5b"))


@pytest.fixture(scope="session")
def near() -> WordVectors:
    return WordVectors(models.locate("minilm"))
