"""Voice activity: Silero VAD v6, shipped inside faster-whisper, which loads it. One file."""

from __future__ import annotations

from models.records import File, Model, Part


def _file(name: str, sha256: str, size: int) -> File:
    part = Part("faster-whisper==1.2.1", "faster_whisper", f"assets/{name}", sha256)
    return File(name, sha256, size, (part,))


SILERO = Model(
    name="silero-vad",
    job="voice activity",
    licence="MIT",
    upstream="snakers4/silero-vad v6",
    files=(
        _file(
            "silero_vad_v6.onnx",
            "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2",
            1_245_151,
        ),
    ),
    entry="silero_vad_v6.onnx",
    library=True,
    without="speech is not noticed",
)
