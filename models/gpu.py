"""What the GPU profiles see, hear and answer with: repositories of the hub, each at one commit.

The sizes are of the files that are used, a little more or less. `lookback models pull` brings them.
"""

from __future__ import annotations

from models.records import HubModel

_TRANSFORMERS = ("*.json", "*.safetensors", "*.txt", "*.jinja")  # what `from_pretrained` reads


def _qwen3_vl(size: str, revision: str, size_bytes: int, *profiles: str) -> HubModel:
    return HubModel(
        name=f"qwen3-vl-{size.lower()}",
        job="answers from pictures and words, captions",
        licence="Apache-2.0",
        repo=f"Qwen/Qwen3-VL-{size}-Instruct",
        revision=revision,
        patterns=_TRANSFORMERS,
        bytes=size_bytes,
        profiles=profiles,
        without="questions are not answered from pictures",
    )


QWEN3_VL_8B = _qwen3_vl(
    "8B", "0c351dd01ed87e9c1b53cbc748cba10e6187ff3b", 17_550_000_000, "gpu-80g", "cluster"
)

QWEN3_VL_4B = _qwen3_vl("4B", "ebb281ec70b05090aa6165b016eac8ec08e71b17", 8_890_000_000, "gpu-24g")

SIGLIP2 = HubModel(
    name="siglip2-base",
    job="picture vectors",
    licence="Apache-2.0",
    repo="google/siglip2-base-patch16-224",
    revision="75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2",
    patterns=_TRANSFORMERS,
    bytes=1_540_000_000,
    profiles=("gpu-24g", "gpu-80g", "cluster"),
    without="pictures are not found by words",
)

WHISPER_TURBO = HubModel(
    name="whisper-large-v3-turbo",
    job="speech recognition",
    licence="MIT",
    repo="mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    revision="0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
    patterns=("*.json", "model.bin"),
    bytes=1_621_666_000,
    profiles=("gpu-24g", "gpu-80g", "cluster"),
    without="speech is not understood",
)

AST = HubModel(
    name="ast-audioset",
    job="sound classes (AudioSet)",
    licence="BSD-3-Clause",
    repo="MIT/ast-finetuned-audioset-10-10-0.4593",
    revision="f826b80d28226b62986cc218e5cec390b1096902",
    patterns=("config.json", "preprocessor_config.json", "model.safetensors"),
    bytes=346_000_000,
    profiles=("gpu-24g", "gpu-80g", "cluster"),
    without="sounds other than speech and music are not named",
)

HUB_CATALOG: tuple[HubModel, ...] = (QWEN3_VL_8B, QWEN3_VL_4B, SIGLIP2, WHISPER_TURBO, AST)
