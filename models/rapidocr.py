"""Text in frames: PP-OCRv6 small, shipped inside rapidocr, which loads it. A folder."""

from __future__ import annotations

from models.records import File, Model, Part


def _file(name: str, sha256: str, size: int) -> File:
    part = Part("rapidocr==3.10.0", "rapidocr", f"models/{name}", sha256)
    return File(name, sha256, size, (part,))


RAPIDOCR = Model(
    name="rapidocr",
    job="text in frames",
    licence="Apache-2.0",
    upstream="PaddleOCR PP-OCRv6 small, as ONNX by RapidAI",
    files=(
        _file(
            "PP-OCRv6_rec_small.onnx",
            "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
            21_234_383,
        ),
        _file(
            "PP-OCRv6_det_small.onnx",
            "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
            9_929_594,
        ),
        _file(
            "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
            "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
            585_532,
        ),
    ),
    library=True,
    without="text in the picture is not read",
)
