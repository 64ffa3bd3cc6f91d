"""Pictures as vectors that words find: SigLIP, SigLIP 2 or CLIP, and a deterministic fake.

One tower reads pictures, one texts, into the same space (CLIP: Radford et al. 2021, arXiv
2103.00020; SigLIP: Zhai et al. 2023, arXiv 2303.15343; SigLIP 2: Tschannen et al. 2025, arXiv
2502.14786). The cosine of two vectors tells how well a text describes a picture; what counts as a
high one differs between models, so only vectors of one model are ever compared.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from perception.checkpoints import device_of, dtype_of, folder_of, load_whole, loading
from perception.errors import ModelUnusable, NotAPicture
from perception.preparing import is_plain, prepared, prepared_on_device
from perception.records import Image

Vectors = npt.NDArray[np.float32]

DEFAULT = "google/siglip2-base-patch16-224"
BATCH = 64  # pictures in one pass: an H100 gains nothing from more, and 16 GB hold it
CHARACTERS_READ = 1024  # of a text; the models read 64 or 77 tokens
# Networks look at squares of 224 to 512 px. What is larger is made smaller on the way, and what is
# far longer than wide gets its edge repeated: scaled to its short side it would fill all memory.
LONGEST_SIDE = 2048  # px
LONGEST_TO_SHORTEST = 16


class PictureEncoder(Protocol):
    """Pictures and texts in one space. Blocking; safe to call from many threads."""

    @property
    def model_id(self) -> str:
        """Names the space: vectors are only compared with those of the same id."""
        ...

    @property
    def dimension(self) -> int: ...

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """float32 [n, dimension], rows of unit length. Raises NotAPicture."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, dimension], rows of unit length."""
        ...


class SiglipEncoder:
    """A two-tower model of `transformers`: bf16 on a GPU, float32 on the CPU.

    Args:
        network: SigLIP, SigLIP 2 or CLIP, on its device and in its number format.
        image_processor: the checkpoint's own, from pictures to the network's input.
        tokenizer: the checkpoint's own.
        model_id: as stored beside each vector.
        on_device: whether pictures are resized there, where the processor allows it; None: on a GPU.
    """

    def __init__(
        self,
        network: Any,
        image_processor: Any,
        tokenizer: Any,
        *,
        model_id: str = DEFAULT,
        batch: int = BATCH,
        on_device: bool | None = None,
    ) -> None:
        self.model_id = model_id
        self.network = network.eval()
        self._image_processor, self._tokenizer = image_processor, tokenizer
        on_device = network.device.type != "cpu" if on_device is None else on_device
        plain = on_device and is_plain(image_processor)
        self._prepared = prepared_on_device if plain else prepared
        self._batch = batch
        self._tokens = int(network.config.text_config.max_position_embeddings)
        self._turn = threading.Lock()  # the tokenizer may not be shared by two threads at once
        self.dimension = 0
        self.dimension = self.encode_images([np.zeros((64, 64, 3), np.uint8)]).shape[1]

    @classmethod
    def load(
        cls, model: str = DEFAULT, *, device: str | None = None, batch: int = BATCH
    ) -> SiglipEncoder:
        """From a hub id (`owner/name@revision`) or a folder.

        Raises:
            ModelUnusable: it cannot be had or loaded, or reads no pictures and texts.
        """
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

        where = device_of(device)
        network = load_whole(AutoModel, model, dtype=dtype_of(where))
        if not hasattr(network, "get_image_features") or not hasattr(network, "get_text_features"):
            kind = type(network).__name__
            raise ModelUnusable(model, f"a {kind} does not encode both pictures and texts")
        folder = folder_of(model)
        with loading(model):
            processors: Any = AutoImageProcessor  # its methods have no types
            image_processor = processors.from_pretrained(folder, backend="pil")
            tokenizer = AutoTokenizer.from_pretrained(folder)
            return cls(network.to(where), image_processor, tokenizer, model_id=model, batch=batch)

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        bounded = [within_bounds(image) for image in images]
        device, dtype = self.network.device, self.network.dtype
        rows = []
        for first in range(0, len(bounded), self._batch):
            chosen = bounded[first : first + self._batch]
            inputs = self._prepared(chosen, self._image_processor, device, dtype)
            rows.append(self._units(self.network.get_image_features, inputs))
        return np.concatenate(rows) if rows else np.empty((0, self.dimension), np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        # In lower case and filled up to full length, as the text towers were trained.
        read = [text[:CHARACTERS_READ].lower() for text in texts]
        rows = []
        for first in range(0, len(read), self._batch):
            with self._turn:
                tokens = self._tokenizer(
                    read[first : first + self._batch],
                    padding="max_length",
                    truncation=True,
                    max_length=self._tokens,
                    return_tensors="pt",
                )
            placed = {name: value.to(self.network.device) for name, value in tokens.items()}
            rows.append(self._units(self.network.get_text_features, placed))
        return np.concatenate(rows) if rows else np.empty((0, self.dimension), np.float32)

    def _units(self, features: Any, inputs: dict[str, Any]) -> Vectors:
        import torch

        with torch.inference_mode():
            found = features(**inputs).pooler_output.float()
            unit: Vectors = torch.nn.functional.normalize(found, dim=-1).cpu().numpy()
        return unit


class ColourEncoder:
    """The fake: a picture is the name of its mean colour, and words are near the same words."""

    model_id = "colours"
    dimension = 32

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        return self.encode_texts([_colour(within_bounds(image)) for image in images])

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.casefold().split() or [""]:
                row += _direction(word.strip(".,;:!?\"'()[]"), self.dimension)
            row /= np.linalg.norm(row) or 1.0
        return vectors


def within_bounds(image: Image) -> Image:
    """The picture, smaller where it is huge, wider where it is a mere line. Raises NotAPicture."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise NotAPicture(image.shape, str(image.dtype))
    height, width = image.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale < 1:
        import cv2  # here alone: what is no larger than a network looks at does without it

        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = image.shape[:2]
    least = -(-max(height, width) // LONGEST_TO_SHORTEST)
    below, right = max(0, least - height), max(0, least - width)
    if below or right:
        image = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
    return np.ascontiguousarray(image)


def _colour(image: Image) -> str:
    mean = image.reshape(-1, 3).mean(axis=0)
    if float(mean.max() - mean.min()) < 32:
        return "white" if mean.mean() > 127 else "black"
    return ("red", "green", "blue")[int(mean.argmax())]


def _direction(word: str, dimension: int) -> Vectors:
    seed = int.from_bytes(hashlib.blake2s(word.encode(errors="replace")).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
