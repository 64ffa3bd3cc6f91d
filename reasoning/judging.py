"""Whether a note answers a question, asked of the language model, where rules over words find nothing.

People ask in other words than they were told in: "how come he isn't allowed behind the wheel?" and
"no driving until the stitches are out". The model reads one note at a time and says yes or no; how
probable its yes is, is what counts. A small one is right about most notes, not all: what it picks is
told as a guess.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from reasoning import composed
from reasoning.errors import GenerationFailed
from reasoning.evidence import Passage, Source, is_instruction, newest
from reasoning.likely import LIGHT, strict
from reasoning.matching import Matcher
from reasoning.planned import Plan
from reasoning.prompt import fenced
from reasoning.retrieval import Retriever, Scope
from reasoning.timeparse import TimeReference
from reasoning.words import words

log = logging.getLogger("lookback.reasoning")

_READ = 2  # notes that are judged, likest first
_DOUBTED = 0.57  # below it what rules took for an answer is only quoted
_SURELY = 0.7  # probability of yes from which a note is taken to answer
# What has to be counted, looked at or summed up is told by no one note.
_BY_NO_NOTE = frozenset({"count", "sight", "view", "summary", "report", "screen"})
_BY_VALUE = frozenset({"person", "number", "time", "code"})
_EXAMPLES = """Does the note answer the question?

note: "Oscar told me the yellow van is being repaired because its brakes failed."
question: Why isn't the van here?
answers it: yes

note: "Oscar told me the yellow van is being repaired because its brakes failed."
question: How much does the repair of the van cost?
answers it: no

note: "Board Meeting / Wednesday 09:15 / Hall Cedar / call 4471"
question: Where do the directors meet?
answers it: yes

note: "We put the spare key under the second flower pot."
question: Who has the first key?
answers it: no

note: "You must ring Paula before you unlock the gate."
question: Who do I call to get in?
answers it: yes

note: "POOL / Mon-Fri 7-21 / Sat 9-18 / Lessons: Irene"
question: What time does the pool close on Sunday?
answers it: no

note: "The small case weighs nine kilos, the trunk twenty."
question: Which is heavier?
answers it: yes

note: "The nurse starts at six, so be there before."
question: What is the nurse's surname?
answers it: no

"""


class Reader(Protocol):
    """A language model that can be asked which of two words a text goes on with."""

    async def odds(self, text: str, one: str, other: str) -> float: ...


class Judge:
    """Asks `reader`; gives up after `patience` seconds, since somebody waits for the answer."""

    def __init__(self, reader: Reader, patience: float) -> None:
        self._reader = reader
        self._patience = patience

    async def warm(self) -> None:
        """Evaluate the examples, which every question put to the model begins with."""
        await self._answers("", "")

    async def pick(self, question: str, sources: Sequence[Source]) -> list[Passage]:
        """Those that seem to answer, each with the probability as its score, likest first; none
        where the model fails or is late."""
        found: list[Passage] = []
        try:
            async with asyncio.timeout(self._patience):
                for source in sources:
                    probability = await self._answers(source.text, question)
                    if probability >= _SURELY:
                        found.append(Passage(source.text, (source,), probability, sure=False))
        except (GenerationFailed, TimeoutError) as error:
            log.warning("notes could not be judged: %s", str(error) or "the model was too slow")
        return sorted(found, key=lambda p: -p.score)

    async def doubts(self, question: str, note: str) -> bool:
        """Does it seem not to answer? Where the model fails or is late, it is not doubted."""
        try:
            async with asyncio.timeout(self._patience):
                return await self._answers(note, question) < _DOUBTED
        except (GenerationFailed, TimeoutError) as error:
            log.warning("a note could not be judged: %s", str(error) or "the model was too slow")
            return False

    async def _answers(self, note: str, question: str) -> float:
        asked = f'note: "{fenced(note)}"\nquestion: {fenced(question)}\nanswers it:'
        return await self._reader.odds(_EXAMPLES + asked, "yes", "no")


async def of_judged(
    when: TimeReference, scope: Scope, retriever: Retriever, matcher: Matcher, judge: Judge
) -> Plan | None:
    """A guess from what the model takes for an answer of what search found likest to the question."""
    asked = matcher.analysis.asked
    if asked in _BY_NO_NOTE:
        return None
    told = [s for s in await retriever.told(when, scope) if _may_answer(matcher, s)]
    found = newest(await judge.pick(when.rest, told[:_READ]), when.history)
    if not found:
        return None
    quoted = Plan(tuple(found), composed.unsure(found))
    if asked in ("moment", "elapsed", "when"):
        return quoted
    return replace(quoted, text=None, guess=True, otherwise=quoted)


async def doubted(plan: Plan, when: TimeReference, matcher: Matcher, judge: Judge) -> Plan:
    """The plan; where its evidence lacks a word of the question and the model does not take it for
    an answer, that evidence quoted: "the lorry is late" does not tell what it carries."""
    if plan.text is not None or plan.pictures or len(plan.evidence) != 1:
        return plan
    evidence = plan.evidence[0]
    there = words(evidence.text)
    lacking = [t for t in matcher.analysis.terms if not matcher.holds(t, there)]
    if all(t.stem in LIGHT for t in lacking):
        return plan
    if not await judge.doubts(when.rest, evidence.text):
        return plan
    return Plan(plan.evidence, composed.unsure(plan.evidence))


def _may_answer(matcher: Matcher, source: Source) -> bool:
    """Has it the names, numbers and days of the question, nothing of its opposite, and, where a
    person, a number or a time is asked for, one?"""
    if is_instruction(source.text):
        return False
    there = words(source.text)
    passage = Passage(source.text, (source,))
    if any(strict(t) and not matcher.holds(t, there) for t in matcher.analysis.terms):
        return False
    if matcher.opposed(passage):
        return False
    return matcher.analysis.asked not in _BY_VALUE or bool(matcher.said(passage))
