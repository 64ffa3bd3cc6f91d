"""Networks at full size with random weights, for timing: speed does not depend on what they hold.

Nothing is downloaded. The sizes are those of the checkpoints that the settings name by default.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from perception.audioset import AudioSetListener
from perception.checkpoints import device_of, dtype_of
from perception.pictures import SiglipEncoder


def siglip2_base() -> Any:
    """A `SiglipConfig` of the size of google/siglip2-base-patch16-224 (375 million weights)."""
    from transformers import SiglipConfig

    return SiglipConfig(
        text_config={"vocab_size": 256_000, "max_position_embeddings": 64},
        vision_config={"image_size": 224, "patch_size": 16},
    )


def untrained_encoder(
    config: Any | None = None, *, device: str | None = None, batch: int = 64
) -> SiglipEncoder:
    """A SigLIP of that configuration (a `SiglipConfig`; None: `siglip2_base`), initialised on its
    device in the number format that a real one would have there."""
    import torch
    from transformers import AutoModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    config = config or siglip2_base()
    where = device_of(device)
    with torch.device(where):
        networks: Any = AutoModel  # its methods have no types
        # Drawn as float32: not every distribution can be drawn in half of it on every device.
        network = networks.from_config(config).to(dtype_of(where))
    side = config.vision_config.image_size
    return SiglipEncoder(
        network,
        SiglipImageProcessorPil(size={"height": side, "width": side}),
        HashTokens(config.text_config.vocab_size),
        model_id="untrained",
        batch=batch,
    )


def untrained_listener(
    config: Any | None = None, extractor: Any | None = None, *, device: str | None = None
) -> AudioSetListener:
    """An Audio Spectrogram Transformer of that configuration (an `ASTConfig`; None: the size of
    MIT/ast-finetuned-audioset-10-10-0.4593, 86 million weights)."""
    import torch
    from transformers import ASTConfig, ASTFeatureExtractor, AutoModelForAudioClassification

    where = device_of(device)
    with torch.device(where):
        networks: Any = AutoModelForAudioClassification  # its methods have no types
        config = config or ASTConfig(id2label={at: f"sound {at}" for at in range(527)})
        network = networks.from_config(config).to(dtype_of(where))
    extractors: Any = ASTFeatureExtractor
    return AudioSetListener(network, extractor or extractors())


class HashTokens:
    """Stands in for a tokenizer: a word's number is its hash."""

    def __init__(self, vocabulary: int) -> None:
        self._vocabulary = vocabulary

    def __call__(self, texts: Sequence[str], *, max_length: int, **_: Any) -> dict[str, Any]:
        import torch

        ids = torch.zeros((len(texts), max_length), dtype=torch.long)
        for row, text in enumerate(texts):
            for at, word in enumerate(text.split()[:max_length]):
                ids[row, at] = zlib.crc32(word.encode()) % self._vocabulary
        return {"input_ids": ids}
