"""Every test runs away from the user's settings, weights cache and network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    # LOOKBACK_CACHE stays: joining 1.1 GB anew in each run would test nothing more.
    for name in os.environ:
        if name.startswith("LOOKBACK_") and name != "LOOKBACK_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty weights cache for one test."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("LOOKBACK_CACHE", str(cache))
    return cache
