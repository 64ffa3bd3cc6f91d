"""What an episode says of its moments: the best quotes and pictures, and a text made of them.

Extractive: nothing stands in it that was not seen or heard. Quotes are chosen one by one for being
central to the episode, unlike those already chosen (maximal marginal relevance, Carbonell and
Goldstein 1998), and specific: names and numbers are what is asked for later.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from memory.records import Quote
from memory.salience import specifics
from perception.records import Kind

Floats = npt.NDArray[np.float32]

# Quotes that an episode of the lowest level keeps, of each kind; the others keep as many in all.
KEPT: dict[Kind, int] = {"speech": 12, "screen_text": 6, "vision": 4, "sound": 2}
QUOTE_CHARACTERS = 400
KEYFRAMES = 3
CENTRAL, NOVEL = 0.4, 0.6  # beside `specifics`, which gives at most 1

_TOLD: dict[Kind, int] = {"speech": 4, "screen_text": 2}  # quotes that make the text
_TOLD_CHARACTERS = 160
_LABELS = 6
_COUNTED = re.compile(r"^(\d+ )?(faces?|people|person)\b.*$")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An observation that may be quoted, and its vector (float32 [384], unit length)."""

    quote: Quote
    vector: Floats


def best(candidates: Sequence[Candidate]) -> tuple[Quote, ...]:
    """The quotes to keep, best first, some of each kind."""
    chosen: list[tuple[float, Quote]] = []
    for kind, limit in KEPT.items():
        own = _distinct(c for c in candidates if c.quote.observation.kind == kind)
        chosen += _marginal(own, limit)
    chosen.sort(key=lambda pair: (-pair[0], pair[1].observation.start, pair[1].id))
    return tuple(shortened(quote) for _, quote in chosen)


def merged(children: Sequence[Sequence[Quote]]) -> tuple[Quote, ...]:
    """The best of each child's quotes in turn, as many as one child may keep."""
    limit = sum(KEPT.values())
    found: dict[str, Quote] = {}
    for rank in range(max(map(len, children), default=0)):
        for quotes in children:
            if rank < len(quotes) and len(found) < limit:
                found.setdefault(quotes[rank].id, quotes[rank])
    return tuple(found.values())


def pictures(seen: Sequence[tuple[str, Floats | None]]) -> tuple[str, ...]:
    """The keyframes to keep of a row of them, best first: the most central one, then what is most
    unlike those chosen. `seen`: digest and vector (float32 [384], or None: not known) in time."""
    known = {digest: vector for digest, vector in seen if vector is not None}
    if not known:
        digests = list(dict.fromkeys(digest for digest, _ in seen))
        step = max(1, len(digests) // KEYFRAMES)
        return tuple(digests[step // 2 :: step][:KEYFRAMES])
    digests, vectors = list(known), np.stack(list(known.values()))
    order = [int(np.argmax(vectors @ vectors.mean(axis=0)))]
    while len(order) < min(KEYFRAMES, len(digests)):
        nearest = (vectors @ vectors[order].T).max(axis=1)
        nearest[order] = np.inf
        order.append(int(np.argmin(nearest)))
    return tuple(digests[at] for at in order)


def text_of(quotes: Sequence[Quote], labels: Iterable[str]) -> str:
    """The summary: what was said, read, heard and seen, in order of time within each."""
    parts = []
    said = _first(quotes, "speech")
    if said:
        parts.append(" ".join(_said(quote) for quote in said))
    shown = _first(quotes, "screen_text")
    if shown:
        lines = "; ".join(cut(q.observation.text) for q in shown)
        parts.append(f"On screen: {lines}.")
    seen = [label for label, _ in Counter(labels).most_common(_LABELS)]
    if seen:
        parts.append(f"Seen: {', '.join(seen)}.")
    heard = dict.fromkeys(q.observation.text for q in quotes if q.observation.kind == "sound")
    if heard:
        parts.append(f"Heard: {', '.join(heard)}.")
    return "\n".join(parts)


def labels_of(text: str) -> list[str]:
    """What a picture was tagged with, its people not counted in."""
    parts = (part.strip() for part in re.split(r"[,;\n]", text))
    return [part for part in parts if part and not _COUNTED.match(part)]


def shortened(quote: Quote) -> Quote:
    """A quote of bounded length."""
    seen = quote.observation
    if len(seen.text) <= QUOTE_CHARACTERS:
        return quote
    return replace(quote, observation=replace(seen, text=seen.text[: QUOTE_CHARACTERS - 1] + "…"))


def _marginal(candidates: list[Candidate], limit: int) -> list[tuple[float, Quote]]:
    if not candidates:
        return []
    vectors = np.stack([c.vector for c in candidates])
    mean = vectors.mean(axis=0)
    central = vectors @ (mean / (np.linalg.norm(mean) or 1.0))
    worth = CENTRAL * central + [specifics(c.quote.observation.text) for c in candidates]
    nearest = np.zeros(len(candidates), np.float32)
    chosen: list[tuple[float, Quote]] = []
    left = list(range(len(candidates)))
    while left and len(chosen) < limit:
        score = worth + NOVEL * (1.0 - nearest)
        at = max(left, key=lambda n: (float(score[n]), -n))
        left.remove(at)
        chosen.append((float(score[at]), candidates[at].quote))
        nearest = np.maximum(nearest, vectors @ vectors[at])
    return chosen


def _distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each text once, the first time it came."""
    found: dict[str, Candidate] = {}
    for candidate in candidates:
        found.setdefault(candidate.quote.observation.text.casefold(), candidate)
    return list(found.values())


def _first(quotes: Sequence[Quote], kind: Kind) -> list[Quote]:
    of_kind = [quote for quote in quotes if quote.observation.kind == kind]
    telling = [quote for quote in of_kind if kind != "speech" or _tells(quote)] or of_kind
    return sorted(telling[: _TOLD[kind]], key=lambda quote: quote.observation.start)


def _tells(quote: Quote) -> bool:
    """What is said in two words, "Um, okay", is told only where nothing else was said."""
    return len(quote.observation.text.split()) > 2


def _said(quote: Quote) -> str:
    seen = quote.observation
    text = f'"{cut(seen.text)}"'
    return f"{seen.speaker}: {text}" if seen.speaker else text


def cut(text: str) -> str:
    """As much of a quote as a summary tells."""
    text = " / ".join(text.split("\n")).rstrip(" .")
    return text if len(text) <= _TOLD_CHARACTERS else text[: _TOLD_CHARACTERS - 1] + "…"
