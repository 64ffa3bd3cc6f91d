"""Of passages that could all answer, those that speak of what is asked, and not only of the same
thing: "which platform" by a line that tells a platform, "who repaired it" by one that tells a repair.

Whether a newer passage about something else takes the place of an older one is then not asked.
One that tells a change may: "they have swapped" says nothing of what was there before in its words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from reasoning.analysis import Term
from reasoning.evidence import Passage
from reasoning.matching import Matcher
from reasoning.words import stem, words

# What people say where something is not as it was.
CHANGED = re.compile(
    r"\b(?:now|instead|actually|any ?more|no longer|after all|from now on|correction|scratch that|sorry|"
    r"i was wrong|not any|rather|changed?|chang(?:es|ing)|swap(?:s|ped)?|switch(?:ed)?|mov(?:e|ed|es|ing)|"
    r"reschedul\w+|postponed|pushed|slipped|dropp?(?:ed)?|rais(?:e|ed)|lower(?:ed)?|turned|make (?:that|it)|let's|hang on|(?:up|down|back) to|again|cancel\w+|replac\w+|tak(?:e|es|en|ing) over|took over|(?:is|are|'s|'re) back|new)\b",
    re.I,
)
# Places, times and amounts stay what they are whatever verb they were told with.
_BY_VERB = frozenset({"thing", "person", "reason"})
_EMPTY = frozenset("be do have go get make happen call".split())
# Who something is with now is told by who it went to, and a small model takes the giver for him.
_HAS = re.compile(r"^who(?:'s| is| has|'s got| has got)\b[^?]*\b(?:has|have|got|holding|with)\b|^who has\b", re.I)  # fmt: skip
_GIVEN = re.compile(
    r"\b(?:g[ai]ve[ns]?|hand(?:ed|s)?|pass(?:ed|es)?|lent|lends?|return(?:ed|s)?|brought|sent|took|taken)\b"
    r"[^.!?]*\b(?:to|back|from)\b",
    re.I,
)


def pertinent(found: Sequence[Passage], matcher: Matcher) -> list[Passage]:
    """`found`, without those that lack what others have: the noun after "which", the verb."""
    analysis = matcher.analysis
    left = list(found)
    if analysis.cue:
        left = _those(left, lambda p: _says(p, str(analysis.cue)))
    verbs = [t for t in analysis.terms if t.role == "verb" and t.stem not in _EMPTY]
    if analysis.asked in _BY_VERB and verbs:
        left = _those(left, lambda p: _tells(p, verbs, matcher))
    return left


def changed_hands(question: str, passage: Passage) -> bool:
    """Is it asked who has something, and told who gave it to whom?"""
    return _HAS.search(question) is not None and _GIVEN.search(passage.text) is not None


def _those(found: list[Passage], fits: Callable[[Passage], bool]) -> list[Passage]:
    """Those that fit, and after the first of these those that tell a change; all where none fits."""
    fitting = [p for p in found if fits(p)]
    if not fitting:
        return found
    since = min(p.at for p in fitting)
    return [p for p in found if p in fitting or (p.at > since and CHANGED.search(p.text))]


def _says(passage: Passage, noun: str) -> bool:
    return any(stem(w.lower) == stem(noun) for w in words(passage.text))


def _tells(passage: Passage, verbs: Sequence[Term], matcher: Matcher) -> bool:
    there = words(passage.text)
    return any(matcher.holds(t, there) for t in verbs)
