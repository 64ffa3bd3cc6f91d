"""A made-up day for `bench memory`: one hour of stream material, looped, with planted lines in it.

The hour has scenes of some minutes, talk about one topic after another in which people are named,
slides that stay on screen and are read again, and a picture for every moment.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from bench.plants import Plant
from perception.records import Moment, Observation, Stream, Tag

HOUR = 3600.0
EVERY = 7.5  # seconds between two moments, each with its keyframe
STREAM = Stream("day", datetime(2030, 1, 7, 6, 0, tzinfo=UTC), "made")
BATCH = 300.0  # seconds of stream remembered at once

_TOPICS = {
    "kiln glaze clay wheel bowl firing studio pottery": "the kiln the glaze a bowl the wheel the clay",
    "rowing boat oar race river crew regatta": "the boat the oars the crew the race the river",
    "bakery oven dough loaf flour yeast bread": "the oven the dough the loaves the flour the yeast",
    "archive ledger shelf manuscript catalogue letter": "the archive the shelves a letter the index the folios",
    "bee hive honey frame swarm smoker meadow": "the hive the honey the frames the swarm the smoker",
    "rehearsal choir tenor score chapel organ": "the choir the tenors the score the chapel the organ",
    "greenhouse seedling pot compost tomato watering": "the seedlings the pots the compost the beds the hose",
    "workshop lathe chisel bench oak varnish": "the lathe the chisel the bench the oak the varnish",
}
_SAYINGS = (
    "I think we should look at {a} again before {b} is done",
    "{a} was better last time, but {b} needs more work",
    "can somebody help me with {a} and then with {b}",
    "we moved {a} a little so that {b} fits beside it",
    "nobody has checked {b} since we started on {a}",
    "well, {a} takes longer than anybody expected",
    "let us finish {b} first and leave {a} for later",
    "there is nothing wrong with {a}, it only looks that way",
    "{name} told me that {a} comes before {b}",
    "I thought {name} had taken care of {a}",
    "ask {name} about {b}, {name} knows more than I do",
)
_LABELS = (
    "desk lamp chair window bookcase mug keyboard monitor plant curtain table vase clock radio "
    "basket bucket apron ladder bench barrel crate stove sink jar scarf bicycle door cushion"
).split()


class Day:
    """The stream: `batches` gives moments and keyframes in order, the same for one seed. `names`
    are spoken of in it."""

    def __init__(
        self, hours: float, planted: Sequence[Plant], names: Sequence[str], seed: int
    ) -> None:
        self.seconds = hours * HOUR
        self.planted = sorted(planted, key=lambda plant: -plant.distance)
        self._rng = random.Random(seed)
        self._names = list(names)
        self._loop = self._hour()
        self._pictures = _pictures(len(self._loop), seed)

    def batches(self) -> Iterator[tuple[list[Moment], dict[str, bytes]]]:
        """Five minutes of stream at a time."""
        left = list(self.planted)
        count = int(self.seconds / EVERY)
        moments: list[Moment] = []
        shown: dict[str, bytes] = {}
        for n in range(count):
            at = n * EVERY
            observations = [_moved(o, at) for o in self._loop[n % len(self._loop)]]
            while left and self.seconds - left[0].distance <= at + EVERY:
                plant = left.pop(0)
                spoken = Observation(
                    STREAM.id, plant.kind, at + 1.0, at + 5.0, plant.text, plant.speaker, plant.ref
                )
                observations.append(spoken)
            # The same view an hour later is another file.
            content = self._pictures[n % len(self._pictures)] + n.to_bytes(8, "big")
            digest = sha256(content).hexdigest()
            shown[digest] = content
            moments.append(Moment(STREAM.id, at, at + EVERY, tuple(observations), digest))
            if (n + 1) * EVERY % BATCH == 0 or n == count - 1:
                yield moments, shown
                moments, shown = [], {}

    def _hour(self) -> list[list[Observation]]:
        rng = self._rng
        moments: list[list[Observation]] = []
        topic, until, labels, slide, slide_until = "", 0.0, [""], "", 0.0
        for n in range(int(HOUR / EVERY)):
            at = n * EVERY
            if at >= until:
                topic, until = rng.choice(list(_TOPICS)), at + rng.uniform(120, 480)
                labels = rng.sample(_LABELS, 4)
            if at >= slide_until:
                words = topic.split()
                slide = f"{' '.join(rng.sample(words, 3)).title()}\n{rng.choice(words)} {n}"
                slide_until = at + rng.uniform(90, 300)
            seen = rng.sample(labels, 3)
            tags = tuple(Tag(label, round(rng.uniform(0.1, 0.6), 2)) for label in seen)
            held = [Observation(STREAM.id, "vision", 0, EVERY, ", ".join(seen), tags=tags)]
            if rng.random() < 0.65:
                parts = _TOPICS[topic].replace(" the ", "|the ").replace(" a ", "|a ").split("|")
                a, b = rng.sample(parts, 2)
                text = rng.choice(_SAYINGS).format(a=a, b=b, name=rng.choice(self._names))
                speaker = rng.choice(("Ada", "Bo", None))
                held.append(Observation(STREAM.id, "speech", 1.0, 4.5, text, speaker))
            if n % 8 == 0:
                held.append(Observation(STREAM.id, "screen_text", 0.5, 6.5, slide))
            moments.append(held)
        return moments


def _moved(seen: Observation, by: float) -> Observation:
    return replace(seen, start=seen.start + by, end=seen.end + by)


def _pictures(count: int, seed: int) -> list[bytes]:
    """WebP of 15 to 40 kB, 640 x 360: views that stay for a while, in which something moves."""
    rng = np.random.default_rng(seed)
    made = []
    view = _view(rng)
    for n in range(count):
        if n % 24 == 0:
            view = _view(rng)
        noisy = view.astype(np.int16) + rng.integers(-7, 8, view.shape, dtype=np.int16)
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
        drawn = ImageDraw.Draw(picture)
        for _ in range(int(rng.integers(1, 5))):
            x, y = int(rng.integers(0, 560)), int(rng.integers(0, 280))
            size = int(rng.integers(40, 160))
            drawn.ellipse((x, y, x + size, y + size), fill=tuple(map(int, rng.integers(0, 255, 3))))
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=int(rng.integers(55, 80)), method=0)
        made.append(buffer.getvalue())
    return made


def _view(rng: np.random.Generator) -> npt.NDArray[Any]:
    coarse = Image.fromarray(rng.integers(0, 255, (12, 20, 3), dtype=np.uint8))
    fine = Image.fromarray(rng.integers(0, 255, (90, 160, 3), dtype=np.uint8))
    size = (640, 360)
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32)
    detail = np.asarray(fine.resize(size, Image.Resampling.BICUBIC), np.float32)
    mixed: npt.NDArray[Any] = (0.75 * smooth + 0.25 * detail).astype(np.uint8)
    return mixed
