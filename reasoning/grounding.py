"""Does a sentence of a retelling stand in what it retells?

Stricter than `verify.py`, which lets an answer use words of its own: nobody asked for this text, so
what is doubtful is left out. A sentence stands in one sentence that was said or shown, or in two of
them, where these hold all its words but those that mean nothing by themselves, are told of whom it
names, and where it neither drops nor adds a "not" or an "if", and gives names and numbers in
their order. It is a check on words: what is put together of the right ones can still mislead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from reasoning.evidence import sentences
from reasoning.values import proper_names
from reasoning.verify import figures
from reasoning.words import NUMBER_WORDS, STOP, spaced, stem, words

SHORTEST = 4  # words; less says nothing by itself
# What tells that something was told or shown: all of memory was.
_TELLING = frozenset("say tell mention talk speak discuss explain describe show read".split())
_TOLD_OF = frozenset(stem(w) for w in "speaker screen conversation".split())
# Words that answers need not have in common with their evidence, and that say something here.
_MATTER = frozenset(
    "all both every each only most more many much again still before after until during while "
    "off up down out under over above below first last next own".split()
)
_GOING = frozenset("go goes going gone went gonna".split())
_GETTING = frozenset("get gets getting got gotten".split())
_NOT = re.compile(
    r"\b(?:not|no|never|none|nothing|nobody|neither|nor|without|cannot|\w+n't)\b", re.I
)
_OPEN = re.compile(
    r"\b(?:if|unless|maybe|perhaps|may|might|could|would|should|probably|hopes?|hoped|wants?|wanted|"
    r"thinks?|thought|guess|instead|almost|nearly|planned|plans?|have to|has to|had to|needs?|needed|can|"
    r"try|tries|tried|trying|going to|supposed|stop|stopped|forgot|forget)\b",
    re.I,
)
_WILL = re.compile(r"\b(?:will|shall|won't|gonna|going to|\w+'ll)\b", re.I)
_SAYS = re.compile(
    r"\b(?P<who>[A-Z][\w'-]*)\s+(?:\w+ly\s+|also\s+|then\s+|had\s+|has\s+)?"
    r"(?:says?|said|tells?|told|mentions?|mentioned|explains?|explained|describes?|described|"
    r"talks?|talked|speaks?|spoke|discuss(?:es|ed)?|asks?|asked|show(?:s|ed)?)\b"
)
_OWN = re.compile(r"\b(?:I|I'm|I've|I'll|I'd|me|my|mine|we|we're|we've|we'll|us|our|ours)\b", re.I)
_YOURS = re.compile(r"\b(?:you|you're|you've|you'll|your|yours|ya)\b", re.I)
_OWNED = re.compile(r"\b(?:his|her|hers|their|theirs|its)\b", re.I)
_HIM = re.compile(r"\b(?:him|them|himself|themselves|he|she|they)\b", re.I)
_QUOTED = re.compile(r"[\[\]{}<>…\"]")


@dataclass(frozen=True, slots=True)
class Stated:
    """One sentence that was said or shown, without whom it speaks to; by whom, and of which quote."""

    text: str
    speaker: str
    quote: int
    stems: frozenset[str]
    figures: frozenset[str]
    names: frozenset[str]  # of who spoke, and of who is spoken of


def stated(quotes: Sequence[tuple[str, str]]) -> list[Stated]:
    """The sentences of quotes, given as who said it (or "") and what was said or shown."""
    known = {word.lower for speaker, _ in quotes for word in words(speaker)}
    found = []
    for at, (speaker, text) in enumerate(quotes):
        lines = [line for line in spaced(text).splitlines() if line.strip()]
        parts = [one for line in lines for one in sentences(line)]
        if len(lines) > 1:
            parts.append(" / ".join(lines))
        found += [_stated(_unaddressed(part, known), speaker, at) for part in parts]
    return found


def stands_in(sentence: str, given: Sequence[Stated]) -> tuple[int, ...] | None:
    """The quotes, one or two, that the sentence stands in; None: in no one or two."""
    said = _stated(sentence, "", -1)
    named = frozenset().union(*(one.names for one in given))
    said = replace(said, names=said.names & named)  # what opens a sentence has a capital, too
    wanted = frozenset(
        s for s in map(_root, _content(sentence)) if s not in _TELLING and s not in _TOLD_OF
    )
    told = len(wanted - {stem(name) for name in said.names}) + len(said.figures)
    if told < 2 or len(words(sentence)) < SHORTEST:
        return None  # it names somebody, and says next to nothing
    unclear = _OWN.search(sentence) or _YOURS.search(sentence)
    if _QUOTED.search(sentence) or unclear or (_HIM.search(sentence) and len(said.names) < 2):
        return None  # who "I" or "him" is, a reader of this would not know
    near = [one for one in given if wanted & one.stems or said.figures & one.figures]
    groups: list[tuple[Stated, ...]] = [*((one,) for one in near), *combinations(near, 2)]
    for group in groups:
        if _holds(said, wanted, group):
            return tuple(sorted({one.quote for one in group}))
    return None


def _holds(said: Stated, wanted: frozenset[str], group: Sequence[Stated]) -> bool:
    if not wanted <= frozenset().union(*(one.stems for one in group)):
        return False
    if not said.figures <= frozenset().union(*(one.figures for one in group)):
        return False
    texts = [one.text for one in group]
    if any(bool(p.search(said.text)) != any(map(p.search, texts)) for p in (_NOT, _OPEN)):
        return False
    if _WILL.search(said.text) and not any(map(_WILL.search, texts)):
        return False
    if any(t.rstrip().endswith("?") or (_YOURS.search(t) and not _OWN.search(t)) for t in texts):
        return False  # asked, wished or ordered: nothing that was so
    if _OWNED.search(said.text) and not any(_OWNED.search(t) or _OWN.search(t) for t in texts):
        return False
    return (
        all(_told_of(said, one) for one in group)
        and _told_by(said, group)
        and _ordered(said, group)
    )


def _told_of(said: Stated, one: Stated) -> bool:
    """It is told of somebody whom the sentence names; what "I" did, of who said so."""
    if not said.names:
        return True
    if not said.names & one.names:
        return False
    speaker = {word.lower for word in words(one.speaker)}
    first = min(said.names, key=lambda name: said.text.lower().index(name))
    return not (_OWN.search(one.text) and speaker) or first in speaker or len(said.names) > 1


def _told_by(said: Stated, group: Sequence[Stated]) -> bool:
    """Whoever is said to have said something did, or was said to have."""
    for match in _SAYS.finditer(said.text):
        who = match["who"].lower()
        if who in STOP or stem(who) in _TOLD_OF:
            continue
        by = any(who in (w.lower for w in words(one.speaker)) for one in group)
        if not by and not any(
            match["who"] == m["who"] for o in group for m in _SAYS.finditer(o.text)
        ):
            return False
    return True


def _ordered(said: Stated, group: Sequence[Stated]) -> bool:
    """Names and numbers come as they came in what was said: who did what to whom is their order."""
    here = [stem(w.lower) for w in words(said.text)]
    marks = [stem(name) for name in sorted(said.names)] + sorted(said.figures)
    for one in group:
        there = [stem(w.lower) for w in words(f"{one.speaker} {one.text}")]
        common = [m for m in marks if here.count(m) == 1 and there.count(m) == 1]
        if sorted(common, key=here.index) != sorted(common, key=there.index):
            return False
    return True


def _stated(text: str, speaker: str, quote: int) -> Stated:
    whole = f"{speaker}: {text}" if speaker else text
    names = {name.lower() for name in proper_names(text)} | {w.lower for w in words(speaker)}
    stems = frozenset(_root(w.lower) for w in words(whole))
    return Stated(text, speaker, quote, stems, frozenset(figures(whole)), frozenset(names))


def _unaddressed(text: str, speakers: set[str]) -> str:
    """Without the names of those it speaks to ("Thanks, Ida!", "Ida, look"): it is not about them."""
    short = "|".join(sorted({re.escape(name[:3]) for name in speakers if len(name) >= 3}))
    if not short:
        return text
    called = rf"(?:^|(?<=[,!?.;] )|(?<=\b[Tt]hanks )|(?<=\b[Hh]ey )|(?<=\b[Hh]i )|(?<=\b[Bb]ye ))(?:{short})\w*(?=[,!?.…]|$)"
    return re.sub(called, "", text, flags=re.I)


def _content(sentence: str) -> list[str]:
    """The words that say something, in lower case; numbers are compared apart."""
    return [
        w.lower
        for w in words(sentence)
        if (w.lower not in STOP or _says_something(w.lower))
        and w.lower not in NUMBER_WORDS
        and not w.lower[:1].isdigit()
    ]


def _says_something(low: str) -> bool:
    return low in _MATTER or low in _GOING or low in _GETTING


def _root(low: str) -> str:
    """The stem; of the verbs that say that somebody goes or gets, one for all their forms."""
    return "go" if low in _GOING else "get" if low in _GETTING else stem(low)
