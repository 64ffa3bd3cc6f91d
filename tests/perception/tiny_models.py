"""Checkpoints of real architectures with random weights, a few hundred kB each, made on the spot."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

WORDS = "<pad> <eos> <unk> a the red green blue cup dog photo of on".split()
SOUNDS = ["Speech", "Music", "Singing", "Dog", "Doorbell", "Silence", "Male speech, man speaking"]
SIDE = 32  # px
TOKENS = 16

_TOWER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
_TEXT = {
    **_TOWER,
    "vocab_size": 64,
    "max_position_embeddings": TOKENS,
    "projection_size": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 1,
}
_VISION = {**_TOWER, "image_size": SIDE, "patch_size": 8}


@cache
def tokenizer() -> Any:
    """Whole words, and nothing for the rest."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(
        models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<unk>")
    )
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )


def siglip(folder: Path) -> Path:
    from transformers import SiglipConfig, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    network = SiglipModel(SiglipConfig(text_config=_TEXT, vision_config=_VISION))
    size = {"height": SIDE, "width": SIDE}
    return _saved(folder, network, SiglipImageProcessorPil(size=size), tokenizer())


def siglip2(folder: Path) -> Path:
    """The kind that keeps a picture's proportions."""
    from transformers import Siglip2Config, Siglip2Model
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    vision = {**_VISION, "num_patches": 16}
    network = Siglip2Model(Siglip2Config(text_config=_TEXT, vision_config=vision))
    processor = Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)
    return _saved(folder, network, processor, tokenizer())


def clip(folder: Path) -> Path:
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    config = CLIPConfig(text_config=_TEXT, vision_config=_VISION, projection_dim=24)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    return _saved(folder, CLIPModel(config), processor, tokenizer())


def ast(folder: Path) -> Path:
    """An Audio Spectrogram Transformer of `SOUNDS`, looking at 1.28 s in 32 mel bands."""
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    sizes: dict[str, Any] = {**_TOWER, "max_length": 128, "num_mel_bins": 32}
    labels = {name: at for at, name in enumerate(SOUNDS)}
    config = ASTConfig(**sizes, id2label=dict(enumerate(SOUNDS)), label2id=labels)
    extractor = ASTFeatureExtractor(max_length=128, num_mel_bins=32)
    return _saved(folder, ASTForAudioClassification(config), extractor)


def _saved(folder: Path, *parts: Any) -> Path:
    for part in parts:
        part.save_pretrained(folder)
    return folder
