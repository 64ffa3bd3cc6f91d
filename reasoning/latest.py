"""What came first or last: "what is the last thing you heard?". Told by code, with its time."""

from __future__ import annotations

import re

from memory.records import Kind
from reasoning import composed
from reasoning.evidence import Passage, Source
from reasoning.planned import Plan, abstain
from reasoning.retrieval import Retriever, Scope
from reasoning.timeparse import TimeReference

_KIND_OF: dict[str, Kind] = {
    "heard": "speech",
    "said": "speech",
    "saw": "vision",
    "seen": "vision",
    "noticed": "vision",
    "read": "screen_text",
    "shown": "screen_text",
}
_VERB = "|".join(_KIND_OF)
# Not "the last thing I said": whose voice it was is known only where the sender says so.
_ASKS = re.compile(
    r"^(?:and )?what(?:'s| is| was) the (?:very )?(?P<which>first|last|latest|most recent) (?P<noun>thing|sentence|picture|text)"
    r"(?: that)? (?:you(?:'ve| have)? (?P<verb>heard|saw|seen|noticed|read)|"
    rf"(?:(?:was|were) )?(?P<passive>{_VERB}))\s*[?.!]*$",
    re.I,
)
_FEW = 2  # words; what is said in so few is told only where nothing else was said


def asked(text: str) -> re.Match[str] | None:
    """Is that the question?"""
    return _ASKS.match(text)


async def of_latest(
    match: re.Match[str], when: TimeReference, scope: Scope, retriever: Retriever
) -> Plan:
    """The first or the last thing of the kind that is asked for."""
    verb = (match["verb"] or match["passive"]).lower()
    kind = "screen_text" if match["noun"].lower() == "text" else _KIND_OF[verb]
    there = [s for s in await retriever.between(when, scope) if s.observation.kind == kind]
    told = [s for s in there if _tells(s)] or there
    if not told:
        return abstain()
    at = min if match["which"].lower() == "first" else max
    source = at(told, key=lambda s: s.observation.start)
    passage = Passage(source.text, (source,))
    return Plan((passage,), composed.quote(passage))


def _tells(source: Source) -> bool:
    seen = source.observation
    if seen.kind == "vision":
        return bool(composed.labels(seen.text))
    return seen.kind != "speech" or len(seen.text.split()) > _FEW
