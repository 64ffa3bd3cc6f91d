"""When keyframes are captioned, and what is done with what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from memory.errors import KeyframeTorn, MomentNotFound
from memory.records import Uncaptioned
from reasoning.errors import GenerationFailed
from serve.background import GIVE_WAY, TRIES, in_background
from serve.captioning import NOTHING_NEW, Captioning
from serve.errors import Unavailable

pytestmark = pytest.mark.unit


class Remembered:
    """Moments by number; 1 was forgotten, 2 is torn."""

    def __init__(self, count: int) -> None:
        self.captions: dict[str, str] = {}
        self._count = count

    async def uncaptioned(self, limit: int) -> Sequence[Uncaptioned]:
        every = [Uncaptioned(f"m{n}", f"k{n}") for n in range(self._count)]
        return [one for one in every if one.moment_id not in self.captions][:limit]

    async def keyframe(self, moment_id: str) -> bytes:
        if moment_id == "m1":
            raise MomentNotFound("it was forgotten")
        if moment_id == "m2":
            raise KeyframeTorn("it is torn")
        return moment_id.encode()

    async def caption(self, moment_id: str, keyframe: str, text: str) -> bool:
        self.captions[moment_id] = text
        return True


async def described(encoded: bytes) -> str | None:
    if encoded == b"m3":
        raise GenerationFailed("out of memory")
    return "" if encoded == b"m4" else f"A picture of {encoded.decode()}."


async def test_every_keyframe_that_can_be_is_captioned_once() -> None:
    memory = Remembered(6)
    captioning = Captioning(memory, described, lambda: 0.0)
    rests: list[float] = []
    failures = 0
    while len(rests) < 7:
        try:
            rests.append(await captioning.step())
        except GenerationFailed:  # the model may be down: its picture keeps its turn for a while
            failures += 1
    assert failures == TRIES - 1
    assert rests == [0.0] * 6 + [NOTHING_NEW]
    assert memory.captions == {"m0": "A picture of m0.", "m5": "A picture of m5."}


async def test_it_waits_while_perception_is_behind_or_an_answer_under_way() -> None:
    asked: list[bytes] = []
    lag = 2.0

    async def gives_way(encoded: bytes) -> str | None:
        asked.append(encoded)
        return None

    memory = Remembered(1)
    captioning = Captioning(memory, gives_way, lambda: lag)
    assert await captioning.step() == GIVE_WAY
    assert asked == []
    lag = 0.1
    assert await captioning.step() == GIVE_WAY
    assert await captioning.step() == GIVE_WAY
    assert asked == [b"m0", b"m0"]  # the same again
    assert memory.captions == {}


async def test_a_part_that_is_away_is_asked_again_and_closing_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("serve.background.AWAY", 0.0)
    back = asyncio.Event()
    asked: list[bytes] = []

    async def away(encoded: bytes) -> str | None:
        asked.append(encoded)
        if len(asked) == 3:
            back.set()
        raise Unavailable("Reasoning is not answering")

    end = in_background(Captioning(Remembered(1), away, lambda: 0.0))
    await asyncio.wait_for(back.wait(), 5)
    await end()
    assert set(asked) == {b"m0"}  # no other, and it was not given up
    told = len(asked)
    await asyncio.sleep(0)
    assert len(asked) == told
