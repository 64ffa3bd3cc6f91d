"""Pictures and texts in one space: real architectures, tiny and untrained."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from perception.errors import ModelUnusable, NotAPicture
from perception.pictures import (
    DEFAULT,
    ColourEncoder,
    PictureEncoder,
    SiglipEncoder,
    within_bounds,
)
from perception.preparing import is_plain, prepared, prepared_on_device
from perception.records import Image
from perception.untrained import untrained_encoder
from tests.perception import tiny_models
from tests.perception.conftest import plain, texture

pytestmark = pytest.mark.unit

MADE: dict[str, tuple[Callable[[Path], Path], int]] = {
    "siglip": (tiny_models.siglip, 32),
    "siglip2": (tiny_models.siglip2, 32),
    "clip": (tiny_models.clip, 24),
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    return {name: make(folder / name) for name, (make, _) in MADE.items()}


@pytest.fixture(scope="module")
def encoders(checkpoints: dict[str, Path]) -> dict[str, SiglipEncoder]:
    return {n: SiglipEncoder.load(str(f), device="cpu", batch=3) for n, f in checkpoints.items()}


@pytest.mark.parametrize("name", MADE)
def test_pictures_and_texts_become_unit_vectors_of_one_length(
    encoders: dict[str, SiglipEncoder], name: str
) -> None:
    encoder = encoders[name]
    pictures = encoder.encode_images([texture(1), plain(200), plain(10, 64, 48)])
    texts = encoder.encode_texts(["a red cup", "the dog on the photo " * 40, ""])
    assert encoder.dimension == MADE[name][1]
    for vectors in (pictures, texts):
        assert vectors.dtype == np.float32
        assert vectors.shape == (3, encoder.dimension)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert not np.allclose(pictures[0], pictures[1], atol=1e-3)


@pytest.mark.parametrize("name", MADE)
def test_a_vector_does_not_depend_on_what_is_beside_it(
    encoders: dict[str, SiglipEncoder], name: str
) -> None:
    encoder = encoders[name]
    many = [texture(seed, 40 + 8 * seed, 60) for seed in range(7)]  # three passes of three
    together = encoder.encode_images(many)
    alone = np.concatenate([encoder.encode_images([image]) for image in many])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    texts = ["a dog", "the red cup on the photo of a dog", "blue", "green cup"]
    np.testing.assert_allclose(
        encoder.encode_texts(texts),
        np.concatenate([encoder.encode_texts([text]) for text in texts]),
        atol=1e-5,
    )


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 3)])
def test_pictures_of_any_size_are_encoded(
    encoders: dict[str, SiglipEncoder], name: str, size: tuple[int, int]
) -> None:
    image = np.full((*size, 3), 120, np.uint8)
    vectors = encoders[name].encode_images([image])
    assert np.isfinite(vectors).all()


def test_a_huge_picture_is_made_smaller_before_anything_copies_it() -> None:
    huge = np.broadcast_to(np.array([10, 200, 30], np.uint8), (20_000, 20_000, 3))
    assert within_bounds(huge[:, :2000]).shape == (2048, 205, 3)
    assert within_bounds(np.zeros((1, 20_000, 3), np.uint8)).shape == (128, 2048, 3)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_what_is_no_picture_is_refused_by_name(image: Image) -> None:
    for encode in (ColourEncoder().encode_images, lambda images: [within_bounds(images[0])]):
        with pytest.raises(NotAPicture, match="not a picture"):
            encode([image])


def test_pictures_resized_on_the_device_are_those_that_pil_makes(
    encoders: dict[str, SiglipEncoder],
) -> None:
    encoder = encoders["siglip"]
    processor, device = encoder._image_processor, encoder.network.device
    images = [texture(1), texture(2, 90, 200), texture(3), plain(7, 20, 20)]
    ours, theirs = (
        make(images, processor, device, encoder.network.dtype)["pixel_values"].numpy()
        for make in (prepared_on_device, prepared)
    )
    assert ours.shape == theirs.shape == (4, 3, tiny_models.SIDE, tiny_models.SIDE)
    np.testing.assert_allclose(ours, theirs, atol=2.01 / 127.5)  # a step or two of 255
    assert np.abs(ours - theirs).mean() < 0.5 / 127.5
    there = SiglipEncoder(encoder.network, processor, encoder._tokenizer, on_device=True)
    cosines = (there.encode_images(images) * encoder.encode_images(images)).sum(axis=1)
    assert cosines.min() > 0.999


def test_only_what_pil_does_the_same_is_done_on_the_device(
    encoders: dict[str, SiglipEncoder],
) -> None:
    plain_ones = {name for name, one in encoders.items() if is_plain(one._image_processor)}
    assert plain_ones == {"siglip"}


def test_nothing_encodes_to_no_rows(encoders: dict[str, SiglipEncoder]) -> None:
    assert encoders["siglip"].encode_images([]).shape == (0, 32)
    assert encoders["siglip"].encode_texts([]).shape == (0, 32)


def test_threads_may_share_an_encoder(encoders: dict[str, SiglipEncoder]) -> None:
    encoder = encoders["siglip"]
    texts = [f"{word} cup" for word in ("a", "the", "red", "blue")] * 4
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda text: encoder.encode_texts([text])[0], texts))
    np.testing.assert_allclose(np.stack(found), encoder.encode_texts(texts), atol=1e-5)


def test_text_is_read_in_lower_case(encoders: dict[str, SiglipEncoder]) -> None:
    one, other = encoders["siglip"].encode_texts(["A Red Cup", "a red cup"])
    np.testing.assert_array_equal(one, other)


def test_the_untrained_encoder_encodes_both(encoders: dict[str, SiglipEncoder]) -> None:
    from transformers import SiglipConfig

    small = SiglipConfig.from_dict(encoders["siglip"].network.config.to_dict())
    encoder: PictureEncoder = untrained_encoder(small, device="cpu")
    assert encoder.encode_images([texture(1)]).shape == encoder.encode_texts(["a cup"]).shape


def test_the_fake_finds_colours_by_their_names() -> None:
    encoder = ColourEncoder()
    red, white = np.zeros((8, 8, 3), np.uint8), plain(250)
    red[..., 0] = 220
    pictures = encoder.encode_images([white, red])
    asked = encoder.encode_texts(["something red", "white"])
    assert (pictures @ asked.T).argmax(axis=0).tolist() == [1, 0]


# What cannot be used is said in one line


def said(model: str) -> str:
    with pytest.raises(ModelUnusable) as refused:
        SiglipEncoder.load(model, device="cpu")
    assert "\n" not in str(refused.value)
    assert model in str(refused.value)
    return str(refused.value)


def test_a_model_that_is_nowhere_is_named() -> None:
    assert "not in the Hugging Face cache" in said("nobody/no-such-encoder")
    assert "not in the Hugging Face cache" in said("nobody/no-such-encoder@v9")
    assert "no model is called" in said("no such thing")
    assert "models pull" in said(DEFAULT)  # pinned by the catalogue, and not brought on the quiet


def test_a_shard_that_is_cut_off_is_named(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    folder = copied(checkpoints["siglip"], tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    said(str(folder))
    weights.unlink()
    assert "model.safetensors" in said(str(folder))


def test_weights_that_are_missing_are_not_made_up(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    folder = copied(checkpoints["siglip"], tmp_path)
    held = load_file(folder / "model.safetensors")
    del held["text_model.head.weight"]
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})
    assert "1 of its weights are missing, text_model.head.weight" in said(str(folder))


def test_a_model_that_reads_no_pictures_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    small = BertConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    BertModel(small).save_pretrained(tmp_path)
    assert "does not encode both pictures and texts" in said(str(tmp_path))


def copied(folder: Path, into: Path) -> Path:
    for file in folder.iterdir():
        (into / file.name).write_bytes(file.read_bytes())
    return into
