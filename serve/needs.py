"""Which weights the settings ask for."""

from __future__ import annotations

from pathlib import Path

import models
from serve.settings import Settings


def needed(settings: Settings) -> tuple[str, ...]:
    """The names of the models that a server with these settings loads, optional ones among them."""
    profile = Path(settings.profile).stem
    packaged = tuple(model.name for model in models.CATALOG)
    return packaged + tuple(m.name for m in models.HUB_CATALOG if profile in m.profiles)
