"""Questions about a whole span of time: what happened, what was talked about, summarise the day.

A short span is answered from its moments. A long one is answered from episodes: of each the quote
that says most, or a sentence of a model's summary with the quotes that it stands in; and of the last
minutes, which no episode holds yet, what was said there. Code puts the answer together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from memory.records import Episode, Quote
from reasoning import composed
from reasoning.evidence import Passage, Source
from reasoning.planned import Plan
from reasoning.retrieval import Retriever, Scope
from reasoning.rewriting import supported
from reasoning.timeparse import TimeReference

LONG = 900.0  # seconds; a shorter span is told from its moments
TOLD = 6  # quotes in an answer
COARSE = 12  # more episodes than this, and the level above tells it better
LEVELS = (1, 2, 3)
_FEW = 2  # words

Span = Literal["summary", "report"]

_OF = r"(?:day|morning|afternoon|evening|night|hour|meeting|session|stream|recording|conversation)"
_TALKED = r"(?:talk(?:ed|ing)?(?: about)?|discuss(?:ed|ing)?|sp(?:eak|oken|eaking) about)"
_TELL = r"(?:summari[sz]e|sum up|recap)"
_ASKS = re.compile(
    r"^(?:and |so |please |well,? )*(?:(?:can|could|would|will) you (?:please )?)?"
    r"(?:(?:give|tell|show) me |let me have |i(?:'d| would) like |i want )?"
    rf"(?:(?P<report>(?:{_TELL} )?(?:what (?:all |else )?(?:did|have|were|had) (?:we|they|people|you all) "
    rf"(?:been )?(?:all )?{_TALKED}|"
    r"what (?:was|were|has been|have been|is being) (?:all )?(?:talked about|discussed|said|spoken about))|"
    rf"{_TELL} (?:what|everything|all)(?: that)? (?:you(?:'ve| have)? heard|(?:we|they|people)(?:'ve| have| had)? "
    r"(?:said|discussed|talked about)))|"
    rf"(?P<summary>{_TELL}(?: (?:everything|it|this|that|what(?: has)? happened|what(?:'s| has| was) (?:been )?going on))?|"
    r"(?:an? |the )?(?:quick |short |brief )?"
    r"(?:summary|recap|overview)|what (?:all |else )?(?:happened|has happened|went on|was going on|"
    r"happened here|did (?:i|we) miss|have (?:i|we) missed)|"
    r"what(?: has|'s| have) (?:been (?:going on|happening)|happened)))"
    # Possessive, and each word in one alternative alone: it is read once, however long the question.
    rf"(?: (?:so far|please|here|for me|all|today|while i was (?:away|gone|out)|about|"
    rf"(?:(?:of|in|during|for) )?(?:the|this|my|our) (?:whole )?{_OF}|of(?! (?:the|this|my|our)\b)))*+"
    r"\s*[?.!]*$",
    re.I,
)


def asked(text: str) -> Span | None:
    """Does the question, without the words that say when, ask for a span and nothing in it?"""
    match = _ASKS.match(" ".join(text.split()))
    if match is None:
        return None
    return "summary" if match["summary"] else "report"


async def of_long(
    span: Span, when: TimeReference, scope: Scope, retriever: Retriever
) -> Plan | None:
    """What a long span held, from its episodes; None where it is short, or has none."""
    low, high = retriever.extent(when, scope)
    if high - low < LONG:
        return None
    episodes: list[Episode] = []
    for level in LEVELS:
        found = await retriever.episodes(when, scope, level)
        if level > 1 and len(found) < 2:
            break
        episodes = found
        if len(episodes) <= COARSE:
            break
    if len(episodes) < 2 and not any(episode.alone for episode in episodes):
        return None
    retold, sources = _told(episodes, span, retriever)
    sources += await _tail(episodes, span, when, scope, retriever)
    passages = sorted((*retold, *(Passage(s.text, (s,)) for s in sources)), key=_when)
    if not passages:
        return None
    text = " ".join(composed.retold(p) if p in retold else composed.quote(p) for p in passages)
    return Plan(tuple(passages), text, own_words=bool(retold))


def _told(
    episodes: Sequence[Episode], span: Span, retriever: Retriever
) -> tuple[list[Passage], list[Source]]:
    """Over the whole span, what a model wrote of episodes, and the best quotes of the others."""
    if len(episodes) > TOLD:
        last = len(episodes) - 1
        chosen = [episodes[round(n * last / (TOLD - 1))] for n in range(TOLD)]
    else:
        chosen = list(episodes)
    each = max(1, TOLD // len(chosen))
    retold: list[Passage] = []
    quoted: list[Source] = []
    for episode in chosen:
        own = _retold(episode, span, retriever)[:each]
        retold += own
        if not own:
            quoted += [retriever.quoted(quote, episode) for quote in _best(episode, span)[:each]]
    return retold, quoted


def _retold(episode: Episode, span: Span, retriever: Retriever) -> list[Passage]:
    """The sentences that a model wrote of it, each over the quotes that it stands in; of a talk only
    what stands in what was said."""
    if episode.rewritten is None:
        return []
    sources = [retriever.quoted(quote, episode) for quote in episode.quotes]
    quotes = [(s.observation.speaker or "", s.text) for s in sources]
    found = [
        Passage(sentence, tuple(sorted((sources[n] for n in at), key=_at)))
        for sentence, at in supported(episode.rewritten, quotes)
    ]
    kinds = ("speech",) if span == "report" else ("speech", "screen_text", "vision", "sound")
    return [p for p in found if all(s.observation.kind in kinds for s in p.sources)]


def _best(episode: Episode, span: Span) -> list[Quote]:
    """What was said before what was shown before what was seen; only what was said, of a talk."""
    kinds = ("speech",) if span == "report" else ("speech", "screen_text", "vision")
    quotes = [q for kind in kinds for q in episode.quotes if q.observation.kind == kind]
    return sorted(quotes, key=_says_little)


def _says_little(quote: Quote) -> bool:
    """What is said in two words, "Um, okay", tells nothing of an hour."""
    return quote.observation.kind == "speech" and len(quote.observation.text.split()) <= _FEW


async def _tail(
    episodes: Sequence[Episode], span: Span, when: TimeReference, scope: Scope, retriever: Retriever
) -> list[Source]:
    """The last thing said after the last episode, where the span reaches beyond it."""
    if scope.stream is None:
        return []
    own = [episode.end for episode in episodes if episode.stream_id == scope.stream.id]
    _, high = retriever.extent(when, scope)
    if not own or max(own) >= high:
        return []
    rest = await retriever.between(TimeReference(when.rest, start=max(own), end=high), scope)
    said = [s for s in rest if s.observation.kind == "speech" and s.observation.start >= max(own)]
    return said[-1:]


def _when(passage: Passage) -> tuple[float, float]:
    return _at(passage.sources[0])


def _at(source: Source) -> tuple[float, float]:
    return source.at.timestamp(), source.observation.start
