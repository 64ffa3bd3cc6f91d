"""The perception of a GPU profile in a process of its own, as its deployment is: `bench gpu` starts it.

Every stream brings a frame a second, each at its own phase. Frames that wait together are encoded
together, at most eight, one batch at a time, as the deployment does. The lag of a frame is from when
it was due until its vector is there. A line on standard input starts a round of so many seconds; a
line of JSON tells what came of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.gpu_floor import of_encoder
from perception.pictures import SiglipEncoder
from perception.records import Image
from perception.untrained import untrained_encoder

FRAME = (540, 960, 3)
TOGETHER = 8  # frames in one call, and WAIT seconds for company: the deployment's own bounds
WAIT = 0.004


@dataclass(frozen=True, slots=True)
class Round:
    """`streams` at one frame a second for so many seconds. Of each frame its lag, in seconds."""

    streams: int
    seconds: float
    lags: list[float]

    def told(self) -> dict[str, Any]:
        found = np.array(self.lags) if self.lags else np.zeros(1)
        return {
            "streams": self.streams,
            "frames": len(self.lags),
            "frames_due": round(self.streams * self.seconds),
            "lag_p50": float(np.percentile(found, 50)),
            "lag_p95": float(np.percentile(found, 95)),
            "lag_max": float(found.max()),
        }


def frames(count: int) -> list[Image]:
    """Noise of the size that streams are looked at in."""
    random = np.random.default_rng(3)
    return [random.integers(0, 255, FRAME, dtype=np.uint8) for _ in range(count)]


def tiny_encoder() -> SiglipEncoder:
    """The architecture at a size that a CPU runs in a moment."""
    from transformers import SiglipConfig

    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2}
    config = SiglipConfig(
        text_config={
            "vocab_size": 512,
            "bos_token_id": 1,
            "eos_token_id": 2,
            **small,
            **heads,
        },
        vision_config={"image_size": 64, "patch_size": 16, **small, **heads},
    )
    return untrained_encoder(config, device="cpu")


async def play(encoder: SiglipEncoder, streams: int, seconds: float) -> Round:
    """One round."""
    waiting: asyncio.Queue[tuple[float, Image]] = asyncio.Queue()
    shown = frames(min(streams, 16))
    lags: list[float] = []
    began = time.perf_counter() + 0.1

    async def bring(number: int) -> None:
        due = began + number / streams
        while due < began + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            waiting.put_nowait((due, shown[number % len(shown)]))
            due += 1.0

    async def encode() -> None:
        while True:
            batch = [await waiting.get()]
            await asyncio.sleep(WAIT)
            while len(batch) < TOGETHER and not waiting.empty():
                batch.append(waiting.get_nowait())
            await asyncio.to_thread(encoder.encode_images, [image for _, image in batch])
            now = time.perf_counter()
            lags.extend(now - due for due, _ in batch)
            for _ in batch:
                waiting.task_done()

    worker = asyncio.create_task(encode())
    await asyncio.gather(*(bring(number) for number in range(streams)))
    joining = asyncio.create_task(waiting.join())
    await asyncio.wait({worker, joining}, return_when=asyncio.FIRST_COMPLETED)
    if worker.done():  # it goes on for ever, unless the encoder failed
        joining.cancel()
        await worker
    worker.cancel()
    return Round(streams, seconds, lags)


def rates(encoder: SiglipEncoder, sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    """Frames a second at each number of frames in a call, from RGB to vector, and of the network
    alone."""
    import torch

    from bench.gpu_floor import fastest

    device = next(encoder.network.parameters()).device
    side = encoder.network.config.vision_config.image_size
    dtype = next(encoder.network.parameters()).dtype
    told = []
    for size in sizes:
        given = frames(size)
        pixels = torch.randn(size, 3, side, side, device=device, dtype=dtype)

        def network(pixels: Any = pixels) -> None:
            with torch.inference_mode():
                encoder.network.get_image_features(pixel_values=pixels)

        whole = fastest(lambda given=given: encoder.encode_images(given), device, 3)  # type: ignore[misc]  # a default keeps the loop's value
        alone = fastest(network, device, 3)
        work = of_encoder(encoder.network, size)
        told.append(
            {
                "frames": size,
                "whole_seconds": whole,
                "network_seconds": alone,
                "flops": work.flops,
                "bytes": work.bytes,
            }
        )
    return told


def memory() -> dict[str, float]:
    """GB of the GPU that this process has taken; empty on a CPU."""
    import torch

    if not torch.cuda.is_available():
        return {}
    return {
        "allocated": torch.cuda.max_memory_allocated() / 1e9,
        "reserved": torch.cuda.max_memory_reserved() / 1e9,
    }


def main() -> None:
    """`python -m bench.gpu_perception cpu|cuda`: rates first, then a round for each line."""
    device = sys.argv[1]
    tiny = device == "cpu"
    encoder = tiny_encoder() if tiny else untrained_encoder(device=device)
    sizes = (1, 4) if tiny else (1, 8, 32, 64)
    print(json.dumps({"rates": rates(encoder, sizes)}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        done = asyncio.run(play(encoder, asked["streams"], asked["seconds"]))
        print(json.dumps({**done.told(), "memory": memory()}), flush=True)


if __name__ == "__main__":
    main()
