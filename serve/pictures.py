"""The picture encoder of the Perception deployment, as the store asks it from its threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from perception.records import Image
from serve.remote import ours

Vectors = npt.NDArray[np.float32]

# Frames and speech go on between two calls; a keyframe is up to 1.6 MB on the way.
IMAGES_AT_ONCE = 8
IMAGES_WITHIN = 60.0  # seconds, a restart of the deployment included
TEXTS_WITHIN = 2.0  # seconds; a search goes on without pictures after it


class RemoteEncoder:
    """Blocking; not to be called from an event loop. Raises Busy, Unavailable, TimeoutError, or
    what encoding raised."""

    def __init__(self, handle: Any, model_id: str) -> None:  # a DeploymentHandle
        self._handle = handle
        self.model_id = model_id
        self._asking = threading.Lock()  # a handle is set up by its first call, which must be alone

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        rows = [
            self._result(
                "encode_images", list(images[first : first + IMAGES_AT_ONCE]), IMAGES_WITHIN
            )
            for first in range(0, len(images), IMAGES_AT_ONCE)
        ]
        return np.concatenate(rows)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._result("encode_texts", list(texts), TEXTS_WITHIN)

    def _result(self, method: str, given: list[Any], within: float) -> Vectors:
        try:
            with self._asking:
                asked = getattr(self._handle, method).remote(given)
            found: Vectors = asked.result(timeout_s=within)
        except Exception as error:
            raise ours("Perception", error) from error
        return found
