"""What is told of the opposite does not answer: "it opens at ten", where it is asked when it closes."""

from __future__ import annotations

import re
from functools import lru_cache

from reasoning.words import stem, words

_PAIRS = tuple(
    (frozenset(stem(w) for w in one.split()), frozenset(stem(w) for w in other.split()))
    for one, other in (
        ("open unlock", "close shut lock"),
        ("start begin commence", "end finish stop close"),
        ("arrive land", "leave leaves depart"),
        ("send post ship", "arrive receive"),
        ("buy purchase", "sell"),
        ("rise raise increase", "fall lower decrease sink"),
        ("load pack", "unload unpack"),
        ("enter", "exit leave leaves"),
        ("accept", "refuse reject decline"),
        ("borrow lend", "return"),
        ("like love", "dislike hate"),
        ("hire employ", "fire"),
        ("plant sow", "harvest"),
        ("push", "pull"),
        ("add", "remove"),
        ("minimum", "maximum"),
        ("cheap", "expensive"),
        ("upper", "lower"),
        ("front", "back rear"),
    )
)
# Who takes part on the other side is told by it all the same: "she sold it to Bert".
_OTHER_SIDE = re.compile(r"\b(?:to|from) (?-i:[A-Z]|the |a |an |his |her |my |our |their )", re.I)
_TRADED = frozenset({"buy", "purchase", "sell"})
_SWITCHED = re.compile(
    r"\b(?:turn|switch|put|log|sign|clock|check|mov|go|went)\w*(?: [\w']+){0,3}? (?P<way>on|off|in|out|up|down)\b",
    re.I,
)
_WHICH = re.compile(
    r"\b(?P<which>first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last) (?P<thing>[a-z]+)\b", re.I
)  # fmt: skip
_WAYS = {"on": "off", "off": "on", "in": "out", "out": "in", "up": "down", "down": "up"}
# "It won't open" tells of its being closed.
_DENIED = re.compile(r"\b(?:not|never|no|nobody|unless|until|till|instead of)\b|n't\b", re.I)


def opposed(question: str, text: str) -> bool:
    """Does the text tell of the opposite of what is asked, and not of that itself?"""
    if _DENIED.search(question) or _DENIED.search(text):
        return False
    if _counted_otherwise(question, text):
        return True
    asked, told = _ways(question), _ways(text)
    if asked and told and not asked & told and {_WAYS[way] for way in asked} & told:
        return True
    wanted, there = _stems(question), _stems(text)
    for pair in _PAIRS:
        for side, other in (pair, pair[::-1]):
            if wanted & side and not wanted & other and there & other and not there & side:
                return not (other & _TRADED and _OTHER_SIDE.search(text))
    return False


def _counted_otherwise(question: str, text: str) -> bool:
    """Is it told of the first week, where it is asked of the second?"""
    told = [(m["which"].lower(), stem(m["thing"].lower())) for m in _WHICH.finditer(text)]
    for match in _WHICH.finditer(question):
        which, thing = match["which"].lower(), stem(match["thing"].lower())
        others = {w for w, t in told if t == thing}
        if others and which not in others:
            return True
    return False


def kept(question: str, text: str) -> str:
    """A screen's text without the lines below its first that tell of the opposite."""
    first, *lines = text.split("\n")
    return "\n".join([first, *(line for line in lines if not opposed(question, line))])


def _ways(text: str) -> set[str]:
    return {match["way"].lower() for match in _SWITCHED.finditer(text)}


@lru_cache(maxsize=1024)
def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(w.lower) for w in words(text))
