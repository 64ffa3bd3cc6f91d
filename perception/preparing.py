"""Pictures to a network's input, on its device: as fast as they can be sent there.

An image processor of `transformers` works through PIL and numpy, some 3 ms a frame on one core; a GPU
encodes ten in that time. Where the processor only resizes to one size and scales the values, the same
is done on the device, for all frames of a size at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image as Pictures

from perception.records import Image

_BICUBIC, _BILINEAR = (
    3,
    2,
)  # of PIL's filters; `interpolate` knows both, antialiased as PIL has them
_MODES = {_BICUBIC: "bicubic", _BILINEAR: "bilinear"}


def prepared(images: Sequence[Image], processor: Any, device: Any, dtype: Any) -> dict[str, Any]:
    """The network's input for pictures (uint8 RGB), through the processor itself."""
    pictures = [Pictures.fromarray(image) for image in images]
    inputs = processor(images=pictures, return_tensors="pt")
    return {
        name: value.to(device, dtype if value.is_floating_point() else value.dtype)
        for name, value in inputs.items()
    }


def is_plain(processor: Any) -> bool:
    """Does the processor only resize to one size, and scale?"""
    size = dict(processor.size or {})
    return (
        not getattr(processor, "do_center_crop", False)
        and not hasattr(processor, "max_num_patches")
        and bool(size.get("height") and size.get("width"))
        and bool(processor.do_resize and processor.do_rescale and processor.do_normalize)
        and int(processor.resample) in _MODES
    )


def prepared_on_device(
    images: Sequence[Image], processor: Any, device: Any, dtype: Any
) -> dict[str, Any]:
    """The same on the device, for a plain processor; at most one step of 255 off PIL's rounding."""
    import torch

    height, width = int(processor.size["height"]), int(processor.size["width"])
    mean, std = (
        torch.tensor(values, device=device).view(1, 3, 1, 1)
        for values in (processor.image_mean, processor.image_std)
    )
    rows = torch.empty((len(images), 3, height, width), dtype=dtype, device=device)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for at, image in enumerate(images):
        by_shape.setdefault(image.shape, []).append(at)
    for places in by_shape.values():
        frames = torch.from_numpy(np.stack([images[at] for at in places])).to(device)
        values = torch.nn.functional.interpolate(
            frames.permute(0, 3, 1, 2).float(),
            size=(height, width),
            mode=_MODES[int(processor.resample)],
            antialias=True,
        )
        scaled = values.round().clamp(0, 255) * float(processor.rescale_factor)
        rows[places] = ((scaled - mean) / std).to(dtype)
    return {"pixel_values": rows}
