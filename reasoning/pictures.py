"""Pictures that are put before a model that sees: opened, made a size it takes, counted in tokens.

A picture comes encoded (WebP, JPEG or PNG), as memory keeps it, and is known by the SHA-256 of its
bytes. Nothing here needs the model: a picture that cannot be shown is refused before it gets there.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from functools import cached_property

from PIL import Image, UnidentifiedImageError

from reasoning.errors import PictureUnusable

MOST_PIXELS = 64_000_000  # that are decoded: 8000 x 8000, 200 MB as RGB
NARROWEST = 50  # sides this many times as long as the other are filled up with black
SMALLEST = 28  # pixels of a side: less than one patch tells a vision tower nothing


@dataclass(frozen=True)
class Picture:
    """One picture, and in words when it was ("at 01:20"). `live`: it shows what is seen now."""

    encoded: bytes
    when: str
    live: bool = False

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return hashlib.sha256(self.encoded).hexdigest()

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the header alone. Raises PictureUnusable."""
        with _opened(self.encoded) as image:
            return image.size


def fit(picture: Picture, most_pixels: int) -> Image.Image:
    """The picture as RGB of at most `most_pixels`, both sides at least SMALLEST and neither
    NARROWEST times the other. Raises PictureUnusable where it cannot be decoded, or is too large
    to be."""
    with _opened(picture.encoded) as image:
        width, height = image.size
        scale = min(1.0, math.sqrt(most_pixels / (width * height)))
        # A JPEG is decoded at an eighth to half its size for the asking; nothing else is.
        image.draft("RGB", (max(1, round(width * scale)), max(1, round(height * scale))))
        if image.width * image.height > MOST_PIXELS:
            raise PictureUnusable(
                f"a picture of {width} x {height} pixels is too large to look at: "
                f"at most {MOST_PIXELS // 1_000_000} million are"
            )
        try:
            seen = image.convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise PictureUnusable(f"a picture does not decode: {_first(error)}") from error
    return _sized(seen, most_pixels)


def fitted(size: tuple[int, int], most_pixels: int) -> tuple[int, int]:
    """Width and height that `fit` gives a picture of that size, without making it."""
    width, height = _filled(*size)
    scale = min(1.0, math.sqrt(most_pixels / (width * height)))
    scale = max(scale, SMALLEST / min(width, height) if min(width, height) < SMALLEST else scale)
    return max(SMALLEST, round(width * scale)), max(SMALLEST, round(height * scale))


def _sized(image: Image.Image, most_pixels: int) -> Image.Image:
    filled = _filled(*image.size)
    if filled != image.size:
        canvas = Image.new("RGB", filled)
        canvas.paste(image, (0, 0))
        image = canvas
    wanted = fitted(image.size, most_pixels)
    return image if wanted == image.size else image.resize(wanted, Image.Resampling.BICUBIC)


def _filled(width: int, height: int) -> tuple[int, int]:
    return (
        max(width, math.ceil(height / NARROWEST)),
        max(height, math.ceil(width / NARROWEST)),
    )


def _opened(encoded: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(encoded))
    except Image.DecompressionBombError as error:
        raise PictureUnusable(
            f"a picture is too large to look at: at most {MOST_PIXELS // 1_000_000} million "
            "pixels are"
        ) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise PictureUnusable(f"a picture does not open: {_first(error)}") from error


def _first(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
