"""Seeing, answering, and both at once on one GPU, at full size, without any network.

    python -m bench gpu [--size 8b] [--streams 8 --streams 32] [--seconds 20] [--minutes 9] [--json]
    python -m bench gpu --dry-run        all of it on a CPU at tiny sizes: tests the bench, not speed

The real architectures are built with random weights on the device, in bf16: how fast they are does not
depend on what the weights are. Perception runs in a process of its own, as it does when deployed. The
control is the library's own `generate` on the last four frames. The floor is what the device's own
arithmetic and bandwidth, measured in the same run, allow at best.

Each row is a line of JSON on standard output as soon as it is measured, tables for people go to
standard error. A part that fails says why, and the others go on; the exit status is then 1. Of packages
it needs torch, transformers with what that brings, numpy and pillow.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from bench.gpu_parts import Parts, Row, Rows

if TYPE_CHECKING:
    from bench.gpu_answers import Answers
    from bench.gpu_floor import Peak

NEEDED = ("torch", "transformers", "tokenizers", "numpy", "PIL", "rich")


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
    parser.add_argument(
        "--minutes", type=float, default=9.0, help="what is not measured by then is left out"
    )
    parser.add_argument("--dry-run", action="store_true", help="tiny, on the CPU")
    parser.add_argument("--json", action="store_true", help="no tables for people")
    given = parser.parse_args(arguments)
    if lacking := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        parser.error(f"not installed here: {', '.join(lacking)}")
    import torch

    if not given.dry_run and not torch.cuda.is_available():
        parser.error("torch sees no CUDA GPU here; --dry-run runs all of it tiny on the CPU")
    # Child processes and tokenizers are quiet: standard output is for figures.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        for name in ("bench.gpu_together", "bench.random_models"):
            importlib.import_module(name)
    except ImportError as error:
        version = importlib.metadata.version("transformers")
        parser.error(f"it does not load beside transformers {version}: {error}")
    failed = asyncio.run(Bench(given).run())
    if failed:
        print(f"not measured, or not to the end: {', '.join(failed)}", file=sys.stderr)
        sys.exit(1)


class Bench:
    """One run of it."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._device = "cpu" if given.dry_run else "cuda"
        self._peak: Peak | None = None
        self._made: Answers | None = None

    @property
    def _answers(self) -> Answers:
        if self._made is None:
            raise RuntimeError("the model was not built")
        return self._made

    async def run(self) -> list[str]:
        """Every part; the titles of those that failed."""
        from bench.gpu_answers import control, pictures, speeds
        from bench.gpu_first import first_tokens
        from bench.gpu_together import Perception, memory_taken, seen, together

        dry, parts = self._given.dry_run, Parts(self._given.json, 60 * self._given.minutes)
        told: list[Row] = []
        streams = self._given.streams or ([4] if dry else [8, 32])
        seconds = min(self._given.seconds, 2.0) if dry else self._given.seconds
        await parts.run("device", self._about())
        perception = Perception(self._device)
        try:
            title = "frames encoded for search (SigLIP 2 base)"
            await parts.run(title, seen(perception, self._peak, told))
            await parts.run("model", self._built())
            firsts = await parts.run("first token", self._of(first_tokens))
            rows = self._beside(lambda a: together(perception, a, streams, seconds))
            await parts.run("perception while answering", rows)
            at_once = (1, 4, 8)
            fast = await parts.run(
                "tokens a second", self._beside(lambda a: speeds(a, at_once, self._peak))
            )
            await parts.run("pictures encoded for answers", self._of(pictures))
            await parts.run("control", self._of(control))
            rows = self._beside(lambda a: memory_taken(a, perception.memory))
            await parts.run("memory by deployment, without CUDA's own", rows)
            await parts.run("costs", _costs(told, firsts, fast))
        finally:
            if self._made is not None:
                self._made.generator.close()
            perception.close()
        return parts.failed

    def _of(self, part: Any) -> Rows:
        """A part that takes the answers and the device's peak."""
        return self._beside(lambda answers: part(answers, self._peak))

    async def _beside(self, part: Any) -> Rows:
        """A part that takes the answers. Raises RuntimeError where there is no model to give any."""
        async with aclosing(part(self._answers)) as rows:
            async for row in rows:
                yield row

    async def _about(self) -> Rows:
        import torch
        import transformers

        from bench.gpu_floor import peak
        from reasoning.checkpoint import ATTENTION

        gpu = self._device == "cuda"
        row: Row = {
            "device": torch.cuda.get_device_name(0) if gpu else "CPU (dry run: no speeds)",
            "model": f"Qwen3-VL-{self._given.size.upper()}" if gpu else "tiny Qwen3-VL",
            "attention": ATTENTION,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
        }
        if gpu:
            free, total = torch.cuda.mem_get_info()
            row |= {"GB free": round(free / 1e9, 1), "GB": round(total / 1e9, 1)}
        yield row
        self._peak = peak(torch.device(self._device))
        yield {
            "TFLOP/s measured": round(self._peak.flops / 1e12, 2),
            "GB/s measured": round(self._peak.bandwidth / 1e9, 1),
        }

    async def _built(self) -> Rows:
        """The model, on its device from the start, and its keys and values."""
        from bench.gpu_answers import Answers, Sizes
        from bench.random_models import checkpoint

        if self._given.dry_run:
            sizes = Sizes((320, 200), 64, (4, 8, 16), 200, 8, 8, 1)
        else:
            sizes = Sizes((960, 540), 512, (4, 8, 16), 1000, 8, 128, self._given.tries)
        began = time.perf_counter()
        model = checkpoint("tiny" if self._given.dry_run else self._given.size, self._device)
        built = time.perf_counter() - began
        self._made = Answers(model, sizes)
        began = time.perf_counter()
        await self._made.generator.warm()
        weights = list(model.model.parameters())
        yield {
            "model": model.name,
            "weights": sum(p.numel() for p in weights),
            "in": str(weights[0].dtype).removeprefix("torch."),
            "built in s": round(built, 1),
            "warm after s": round(time.perf_counter() - began, 1),
        }


async def _costs(told: list[Row], firsts: list[Row], fast: list[Row]) -> Rows:
    """What `bench scale --costs` takes, in seconds, from what was measured here."""
    if not (told and fast):
        raise RuntimeError("what they are reckoned from was not measured")
    by_kept = {(row["pictures"], row["kept"]): row for row in firsts}
    few, many = min(count for count, _ in by_kept), max(count for count, _ in by_kept)
    kept = by_kept[few, "all pictures and their KV"]["p50 ms"] / 1e3
    read = by_kept[few, "all pictures"]
    new = by_kept[many, "nothing"]["p50 ms"] - by_kept[many, "all pictures"]["p50 ms"]
    costs = {
        "encode": told[-1]["whole_seconds"] / told[-1]["frames"],
        "prompt_fixed": kept,
        "prompt_token": (read["p50 ms"] / 1e3 - kept) / read["positions computed"],
        "picture": new / 1e3 / many,
        "token": 1 / max(fast[0]["tokens/s"], 1e-9),
    }
    yield {"costs": {name: max(0.0, cost) for name, cost in costs.items()}}
