"""What the tests of the long-term tier write with: talk about one topic after another."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace

from memory.store import Store
from perception.records import Moment, Observation, Tag
from tests.memory.storing import stream

TOPICS = (
    "harbour crane container ship anchor captain pilot buoy tide mooring".split(),
    "orchard pruning blossom ladder cider beetle graft crate frost picker".split(),
    "lathe chuck spindle coolant bearing torque gauge welding rivet foundry".split(),
    "violin rehearsal encore conductor score tempo cello balcony ticket overture".split(),
)


def talk(
    begin: float,
    seconds: float,
    topic: int,
    *,
    stream_id: str = "cam",
    every: float = 6.0,
    pictures: bool = False,
    seed: int = 0,
) -> list[Moment]:
    """Moments of one topic, each with an utterance and what was seen meanwhile."""
    rng = random.Random(f"{topic} {begin} {seed}")
    words = TOPICS[topic]
    moments = []
    at = begin
    while at < begin + seconds:
        text = f"The {' '.join(rng.sample(words, 5))} now"
        seen = ", ".join(words[:2])
        tags = tuple(Tag(word, 0.5) for word in words[:2])
        moments.append(
            Moment(
                stream_id,
                at,
                at + every - 0.5,
                (
                    Observation(stream_id, "speech", at, at + 3.0, text, speaker=f"S{topic}"),
                    Observation(stream_id, "vision", at, at + every - 0.5, seen, tags=tags),
                ),
                digest_of(at) if pictures else None,
            )
        )
        at += every
    return moments


def said_in(moment: Moment, text: str) -> Moment:
    """The moment with something else said in it."""
    spoken = replace(moment.observations[0], text=text)
    return replace(moment, observations=(spoken, *moment.observations[1:]))


def digest_of(at: float) -> str:
    return hashlib.sha256(content_of(at)).hexdigest()


def content_of(at: float) -> bytes:
    """Bytes that start like a picture's: 4 kB."""
    return b"\xff\xd8\xff" + random.Random(f"picture {at}").randbytes(4096)


def remember(store: Store, moments: Sequence[Moment], batch: int = 40) -> None:
    for first in range(0, len(moments), batch):
        group = moments[first : first + batch]
        shown = {m.keyframe: content_of(m.start) for m in group if m.keyframe}
        store.remember(stream(group[0].stream_id), group, shown)
