"""What an episode's quotes tell, in a few sentences by the model that answers, while nobody waits.

The model is shown the quotes as it is shown memories for an answer, by the same beginning, so that
its keys and values are there for the next question; a few quotes at a time, for small models tell
little of many. They also make things up: of what is written of each few quotes, one sentence is taken
that stands in them, and nothing at all where too few do.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Protocol

from memory.records import Kind, Quote
from reasoning.evidence import is_instruction, sentences
from reasoning.generator import Generator
from reasoning.grounding import stands_in, stated
from reasoning.prompt import Prompt, memory_line
from reasoning.verify import unknowing
from reasoning.words import words

ASKED = "What was talked about?"
# A model that goes on from text follows an example.
EXAMPLE = """heard Nora: "I have painted the shed green."
heard: "The goats broke the fence on Tuesday, so I have to mend it."
heard Nora: "I will bring the ladder when the rain stops."
Q: What was talked about?
A: Nora has painted the shed green. The goats broke the fence on Tuesday, so someone has to mend it. Nora will bring the ladder when the rain stops.

"""
TOKENS = 60  # of what is written of a few quotes
PARTS = 3
GIVEN: dict[Kind, int] = {"speech": 9, "screen_text": 3, "vision": 2}  # quotes put before it
FEWEST = 2  # sentences, of as many quotes: less tells less than the extract
_OPENS = frozenset("it its he she they this that these those his her their".split())


class Rewriter(Protocol):
    """Cancelling ends generation at once."""

    async def rewrite(self, quotes: Sequence[Quote]) -> str:
        """A few sentences that tell what the quotes do; empty where it came to nothing that stands.
        Raises GenerationFailed."""
        ...


class GeneratorRewriter:
    """A generator that is shown quotes."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    async def rewrite(self, quotes: Sequence[Quote]) -> str:
        parts = in_parts(quotes)
        if sum(map(len, parts)) < FEWEST:
            return ""
        return standing([(await self.written(part), part) for part in parts])

    async def written(self, part: Sequence[Quote]) -> str:
        """What the model says of a few quotes, whatever it is."""
        prompt = Prompt(tuple(map(_line, part)), ASKED, example=EXAMPLE)
        said = ""
        async with aclosing(self._generator.stream(prompt, TOKENS)) as pieces:
            async for piece in pieces:
                said += piece
        return " ".join(said.split())


class QuotingRewriter:
    """The fake: says again what was said first and last."""

    async def rewrite(self, quotes: Sequence[Quote]) -> str:
        told = sorted(quotes, key=lambda quote: quote.observation.start)
        return " ".join(quote.observation.text for quote in told[:: max(1, len(told) - 1)])


def in_parts(quotes: Sequence[Quote]) -> list[list[Quote]]:
    """Of quotes, best first, those that a model is shown, in order of time, a few together. What
    tells its reader what to say is not shown."""
    left = dict(GIVEN)
    chosen: list[Quote] = []
    for quote in quotes:
        seen = quote.observation
        if left.get(seen.kind, 0) and not is_instruction(seen.text):
            left[seen.kind] -= 1
            chosen.append(quote)
    chosen.sort(key=lambda quote: (quote.observation.start, quote.id))
    few = max(1, -(-len(chosen) // PARTS))
    return [chosen[first : first + few] for first in range(0, len(chosen), few)]


def standing(written: Sequence[tuple[str, Sequence[Quote]]]) -> str:
    """The text made of what was written of each few quotes: its longest sentence that stands in
    them. Empty where these are too few to tell more than an extract would."""
    kept: list[str] = []
    for said, part in written:
        pairs = [(q.observation.speaker or "", q.observation.text) for q in part]
        found = [sentence for sentence, _ in supported(said, pairs) if sentence not in kept]
        found = [sentence for sentence in found if _opening(sentence) not in _OPENS]
        if found:
            kept.append(max(found, key=len))
    return " ".join(kept) if len(kept) >= FEWEST else ""


def supported(text: str, quotes: Sequence[tuple[str, str]]) -> list[tuple[str, tuple[int, ...]]]:
    """The sentences that stand in the quotes (who said it, or "", and what), and in which of them, by
    their place."""
    given = stated(quotes)
    found: dict[str, tuple[int, ...]] = {}
    for sentence in sentences(" ".join(text.split())):
        whole = sentence[-1:] in ".!" and not unknowing(sentence)
        sources = stands_in(sentence, given) if whole else None
        if sources is not None:
            found.setdefault(sentence, sources)
    return list(found.items())


def _opening(sentence: str) -> str:
    """Its first word, without what is run together with it ("she's")."""
    return words(sentence)[0].lower.partition("'")[0]


def _line(quote: Quote) -> str:
    seen = quote.observation
    return memory_line(seen.kind, seen.text, seen.speaker)
