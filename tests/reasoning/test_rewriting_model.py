"""How much of what the small model makes of episodes stands in them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memory.records import Quote
from perception.records import Observation
from reasoning import GgufGenerator
from reasoning.evidence import sentences
from reasoning.rewriting import GeneratorRewriter, in_parts, standing, supported

pytestmark = pytest.mark.model

WORKSHOP = """Ruben: The lathe is booked until Thursday, so we cannot turn the table legs before.
Ruben: I ordered forty oak boards from the sawmill in Lenz.
Imke: The varnish has to dry for two days in the heated room.
Imke: My brother drives the boards here on Saturday morning.
Ruben: The customer wants six chairs, and she pays half of it in advance."""
ALLOTMENT = """Sanne: We planted the leeks beside the greenhouse yesterday.
Yusuf: The water tank leaks at the tap, I will put a new washer in.
Sanne: Mrs Okafor gave us a crate of quinces from her tree.
Yusuf: I found a hedgehog under the compost heap, it was asleep.
Sanne: The market on Sunday begins at nine, I bring the jam."""


def quotes(talk: str) -> tuple[Quote, ...]:
    found = []
    for n, line in enumerate(talk.splitlines()):
        speaker, _, text = line.partition(": ")
        seen = Observation("s", "speech", n * 20.0, n * 20.0 + 8, text, speaker=speaker)
        found.append(Quote(seen.id, seen, f"s:{n * 20_000:010d}"))
    return tuple(found)


async def test_a_third_and_more_of_what_the_small_model_writes_of_an_episode_stands(
    generator: GgufGenerator, record_property: Callable[[str, object], None]
) -> None:
    """The figure is recorded; `python -m bench summaries` has it over whole conversations."""
    rewriter = GeneratorRewriter(generator)
    said = stood = 0
    taken: list[str] = []
    for talk in (WORKSHOP, ALLOTMENT):
        parts = [(await rewriter.written(part), part) for part in in_parts(quotes(talk))]
        taken.append(standing(parts))
        for text, part in parts:
            said += len(sentences(text))
            stood += len(
                supported(text, [(q.observation.speaker or "", q.observation.text) for q in part])
            )
    record_property("sentences", said)
    record_property("sentences that stand", stood)
    print(f"{stood} of {said} sentences stand; taken: {taken}")
    assert said / 3 <= stood <= said
    assert any(taken)
