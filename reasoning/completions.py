"""A chat in the form of OpenAI's API, the pictures in it as data URLs.

https://platform.openai.com/docs/guides/images-vision
"""

from __future__ import annotations

import base64
import io
import logging
from typing import Any

from reasoning.chat import SYSTEM, Turn
from reasoning.errors import GenerationFailed, PictureUnusable
from reasoning.pictures import Picture, fit

log = logging.getLogger("lookback.reasoning")


def messages(asked: Turn, most_pixels: int) -> list[dict[str, Any]]:
    """The instructions and the user's turn, pictures of at most `most_pixels`. Those that do not
    open are left out; raises GenerationFailed where none is left."""
    content: list[dict[str, Any]] = []
    refused: PictureUnusable | None = None
    shown = 0
    for part in asked.parts:
        if isinstance(part, str):
            content.append({"type": "text", "text": part})
            continue
        try:
            url = _data_url(part, most_pixels)
        except PictureUnusable as error:
            refused = error
            log.warning("a picture is left out: %s", error)
            continue
        shown += 1
        content.append({"type": "image_url", "image_url": {"url": url}})
    if refused is not None and not shown:
        raise GenerationFailed(str(refused))
    # Servers of models that read only take no list of parts.
    said: Any = content if shown else "".join(part["text"] for part in content)
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": said}]


def _data_url(picture: Picture, most_pixels: int) -> str:
    written = io.BytesIO()
    # JPEG is what all of them read.
    fit(picture, most_pixels).save(written, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode()
