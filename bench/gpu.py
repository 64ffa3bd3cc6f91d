"""Seeing, answering, and both at once on one GPU, at full size, without any network.

    python -m bench gpu [--size 8b] [--streams 8 --streams 32] [--seconds 20] [--json]
    python -m bench gpu --dry-run        all of it on a CPU at tiny sizes: tests the bench, not speed

The real architectures are built with random weights on the device, in bf16: how fast they are does not
depend on what the weights are. Perception runs in a process of its own, as it does when deployed. The
control is the library's own `generate` on the last four frames. The floor is what the device's own
arithmetic and bandwidth, measured in the same run, allow at best.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO, Any, cast

from bench.table import report

# What the questions about a GPU profile are measured against.
FIRST_TOKEN_MS = 250  # with 4 live frames and 4 remembered ones
LAG_S = 0.5  # p95 of perception, at 8 streams or more, while answers are written
NEEDED = ("torch", "transformers", "tokenizers", "numpy", "PIL", "cv2", "rich")


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench gpu`."""
    parser = argparse.ArgumentParser(
        prog="bench gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=["2b", "4b", "8b"], default="8b", help="of Qwen3-VL")
    parser.add_argument(
        "--streams", type=int, action="append", help="at one frame a second [8, 32]"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of each round of perception")
    parser.add_argument("--tries", type=int, default=5, help="of each first token")
    parser.add_argument("--dry-run", action="store_true", help="tiny, on the CPU")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if lacking := [name for name in NEEDED if not _installed(name)]:
        parser.error(f"not installed here: {', '.join(lacking)}")
    import torch

    if not given.dry_run and not torch.cuda.is_available():
        parser.error("torch sees no CUDA GPU here; --dry-run runs all of it tiny on the CPU")
    # Child processes and tokenizers are quiet: standard output is for figures.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["HF_HUB_OFFLINE"] = "1"
    asyncio.run(_bench(given))


def _installed(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


async def _bench(given: argparse.Namespace) -> None:
    import torch

    from bench.gpu_answers import Answers, Sizes, control, first_tokens, speeds
    from bench.gpu_floor import peak
    from bench.random_models import checkpoint

    dry = given.dry_run
    device = torch.device("cpu" if dry else "cuda")
    best = peak(device)
    _about(device, best, given)
    perception = Perception(device.type)
    told = perception.rates()  # before anything else uses the GPU
    began = time.perf_counter()
    model = checkpoint("tiny" if dry else given.size, device.type)
    built = time.perf_counter() - began
    if dry:
        sizes = Sizes((320, 200), 64, (4, 8, 16), 200, 8, 8, 1)
    else:
        sizes = Sizes((960, 540), 512, (4, 8, 16), 1000, 8, 128, given.tries)
    answers = Answers(model, sizes)
    try:
        seen = _seeing(told, best, given)
        await answers.generator.warm()
        _pictures(answers, best, given)
        rows = await first_tokens(answers, best)
        report(f"gpu: first token, {sizes.note_tokens} tokens of notes", rows, given.json)
        at_once = [count for count in (1, 4, 8) if count <= sizes.rows]
        fast = await speeds(answers, at_once, best)
        report("gpu: tokens a second", fast, given.json)
        plain = control(answers, best)
        report("gpu: control", [plain], given.json)
        streams = given.streams or ([4] if dry else [8, 32])
        seconds = min(given.seconds, 2.0) if dry else given.seconds
        together = await _together(perception, answers, streams, seconds)
        report("gpu: perception while answering", together, given.json)
        _memory(answers, built, perception.memory, given)
        _costs(seen, rows, fast, answers, given)
    finally:
        answers.generator.close()
        perception.close()


class Perception:
    """The process of `gpu_perception.py`."""

    def __init__(self, device: str) -> None:
        command = [sys.executable, "-m", "bench.gpu_perception", device]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.memory: dict[str, float] = {}

    def rates(self) -> list[dict[str, Any]]:
        """Of its encoder, once it is built. It says so first of all."""
        return list(self._line()["rates"])

    async def round(self, streams: int, seconds: float) -> dict[str, Any]:
        """One round, while the caller does what it likes."""
        asked = cast(IO[str], self._process.stdin)
        asked.write(json.dumps({"streams": streams, "seconds": seconds}) + "\n")
        asked.flush()
        told = await asyncio.to_thread(self._line)
        self.memory = told.pop("memory")
        return told

    def close(self) -> None:
        cast(IO[str], self._process.stdin).close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        cast(IO[str], self._process.stdout).close()

    def _line(self) -> dict[str, Any]:
        line = cast(IO[str], self._process.stdout).readline()
        if not line:
            raise RuntimeError("the perception process ended: see what it wrote above")
        return dict(json.loads(line))


def _about(device: Any, best: Any, given: argparse.Namespace) -> None:
    import torch
    import transformers

    gpu = device.type == "cuda"
    row = {
        "device": torch.cuda.get_device_name(0) if gpu else "CPU (dry run: tests the bench only)",
        "TFLOP/s measured": round(best.flops / 1e12, 2),
        "GB/s measured": round(best.bandwidth / 1e9, 1),
        "model": f"Qwen3-VL-{given.size.upper()}" if gpu else "tiny Qwen3-VL",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    report("gpu: device", [row], given.json)


def _seeing(told: list[dict[str, Any]], best: Any, given: argparse.Namespace) -> dict[str, Any]:
    """Frames a second of the encoder. Returns the row with the most frames in a call."""
    rows = []
    for one in told:
        floor = max(one["flops"] / best.flops, one["bytes"] / best.bandwidth)
        rows.append(
            {
                "frames in a call": one["frames"],
                "frames/s, RGB to vector": round(one["frames"] / one["whole_seconds"], 1),
                "frames/s, network alone": round(one["frames"] / one["network_seconds"], 1),
                "floor frames/s": round(one["frames"] / floor, 1),
            }
        )
    report("gpu: frames encoded for search (SigLIP 2 base)", rows, given.json)
    return told[-1]


def _pictures(answers: Any, best: Any, given: argparse.Namespace) -> None:
    """Pictures encoded for the language model, by the tower alone."""
    import torch

    from bench.gpu_floor import fastest, of_prompt

    tower, model = answers.generator.tower, answers.checkpoint.model
    rows = []
    for count in (1, 4, 8):
        prepared = [tower.prepare(p) for p in answers.pictures.take(count)]

        def encode(prepared: Any = prepared) -> None:
            tower.cache.clear()
            with torch.inference_mode():
                tower.features(prepared)

        took = fastest(encode, answers.checkpoint.device, 3)
        began = time.perf_counter()
        for picture in answers.pictures.take(count):
            tower.prepare(picture)
        cut = time.perf_counter() - began
        tokens = sum(p.tokens for p in prepared)
        patches = prepared[0].tokens * answers.checkpoint.image_processor.merge_size**2
        floor = of_prompt(model, 0, count, patches).seconds(best)
        rows.append(
            {
                "pictures": count,
                "picture-tokens/s": round(tokens / took, 1),
                "ms": round(took * 1e3, 2),
                "floor ms": round(floor * 1e3, 2),
                "decode and cut, ms each on a core": round(cut / count * 1e3, 2),
            }
        )
    report("gpu: pictures encoded for answers", rows, given.json)


async def _together(
    perception: Perception, answers: Any, streams: Sequence[int], seconds: float
) -> list[dict[str, Any]]:
    """Lag of perception alone and while answers are written back to back, and their first tokens."""
    rows = []
    for count in streams:
        alone = await perception.round(count, seconds)
        rows.append({"streams": count, "while": "nothing else", **_lag(alone)})
        firsts: list[float] = []
        asking = asyncio.create_task(_ask_on(answers, firsts))
        tokens, began = answers.generator.engine.counts.tokens, time.perf_counter()
        told = await perception.round(count, seconds)
        given = answers.generator.engine.counts.tokens - tokens
        took = time.perf_counter() - began
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        firsts.sort()
        rows.append(
            {
                "streams": count,
                "while": "answering back to back",
                **_lag(told),
                "lag wanted s": LAG_S,
                "answers": len(firsts),
                "first token p50 ms": round(firsts[len(firsts) // 2] * 1e3, 1) if firsts else None,
                "first token wanted ms": FIRST_TOKEN_MS,
                "tokens/s": round(given / took, 1),
            }
        )
    return rows


def _lag(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "frames": f"{told['frames']} of {told['frames_due']}",
        "lag p50 s": round(told["lag_p50"], 3),
        "lag p95 s": round(told["lag_p95"], 3),
    }


async def _ask_on(answers: Any, firsts: list[float]) -> None:
    """One question after another, each with four frames of now and four remembered keyframes that
    were shown before; all of its answer is written."""
    from bench.gpu_answers import LIVE

    remembered = answers.pictures.take(LIVE)
    await answers.first(answers.prompt(remembered, "What was there?"))
    while True:
        shown = (*remembered, *answers.pictures.take(LIVE, live=True))
        prompt = answers.prompt(shown, f"What is here now, number {len(firsts)}?")
        began, first = time.perf_counter(), None
        async for _ in answers.generator.stream(prompt, answers.sizes.answer_tokens):
            first = first or time.perf_counter() - began
        firsts.append(first or time.perf_counter() - began)


def _memory(
    answers: Any, built: float, perception: dict[str, float], given: argparse.Namespace
) -> None:
    from bench.gpu_perception import memory

    weights = sum(p.nbytes for p in answers.checkpoint.model.parameters()) / 1e9
    kept = answers.generator.engine.rows.bytes / 1e9
    mine = memory()
    rows = [
        {
            "deployment": "Reasoning",
            "weights GB": round(weights, 3),
            "keys and values GB": round(kept, 3),
            "most allocated GB": round(mine["allocated"], 2) if mine else None,
            "most reserved GB": round(mine["reserved"], 2) if mine else None,
            "built in s": round(built, 1),
        },
        {
            "deployment": "Perception (picture encoder)",
            "most allocated GB": round(perception["allocated"], 2) if perception else None,
            "most reserved GB": round(perception["reserved"], 2) if perception else None,
        },
    ]
    report("gpu: memory by deployment, CUDA's own context left out", rows, given.json)


def _costs(
    seen: dict[str, Any],
    firsts: list[dict[str, Any]],
    fast: list[dict[str, Any]],
    answers: Any,
    given: argparse.Namespace,
) -> None:
    """What `bench scale --costs` takes, in seconds, from what was measured here."""
    few, many = firsts[0], firsts[-1]
    kept = few["pictures and KV kept ms"] / 1e3
    tokens = few["positions"]
    costs = {
        "encode": seen["whole_seconds"] / seen["frames"],
        "prompt_fixed": kept,
        "prompt_token": max(0.0, few["pictures kept ms"] / 1e3 - kept) / tokens,
        "picture": (many["nothing kept ms"] - many["pictures kept ms"]) / 1e3 / many["pictures"],
        "token": 1 / max(fast[0]["tokens/s"], 1e-9),
    }
    line = {"bench": "gpu: costs", "costs": {name: max(0.0, cost) for name, cost in costs.items()}}
    print(json.dumps(line), flush=True)
