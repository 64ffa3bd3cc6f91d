"""What the models' libraries raise, as errors of perception: one call fails, and no stream with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from perception.errors import OutOfMemory, PerceiverError


@contextmanager
def failing(stage: str) -> Iterator[None]:
    """Raises OutOfMemory or PerceiverError for what a library raises in the block."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # CTranslate2, torch, ONNX Runtime
        said = str(error).strip().splitlines()
        reason = said[0][:200] if said else type(error).__name__
        # torch has an error of its own for it, CTranslate2 and ONNX Runtime only words.
        if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
            _give_back()
            raise OutOfMemory(f"{stage}: no memory is left ({reason})") from error
        raise PerceiverError(f"{stage} failed: {reason}") from error


def _give_back() -> None:
    """What torch keeps of the GPU for later, and CTranslate2 may need now."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
