"""Which word of a question is its verb, told by where it stands.

A list of verbs is never complete: after "do", "will" and their like the subject comes first and the
verb right behind it, whatever verb it is.
"""

from __future__ import annotations

import re

from reasoning.words import STOP, VERBS, Word, stem, words

_DO = re.compile(
    r"\b(?:do|does|did|don't|doesn't|didn't|will|won't|would|can|could|should|shall|must|might)\s+"
    r"(?P<rest>[^?!,;]*)",
    re.I,
)
_PRONOUNS = frozenset(
    "i you he she it we they this that these those someone somebody anyone anybody everyone "
    "everybody people".split()
)
_DETERMINERS = frozenset("the a an my your his her its our their this that these those".split())
_TITLES = frozenset("mr mrs ms dr miss professor".split())
_BETWEEN = frozenset("ever also just really still always first usually normally actually".split())


def verb_of(question: str) -> str:
    """The verb that goes with "do" or "will", in lower case; empty where there is none or no telling."""
    match = _DO.search(question)
    if match is None:
        return ""
    rest = match["rest"]
    listed = words(rest)
    if not listed:
        return ""
    if listed[0].lower in _PRONOUNS and not _determines(listed):
        return _first_verb(listed[1:])
    return _behind_name(rest, listed) if _named(listed[0]) else _behind_nouns(listed)


def _determines(listed: list[Word]) -> bool:
    """Does it go with a noun, as in "did that box arrive"?"""
    if listed[0].lower not in _DETERMINERS or len(listed) < 3:
        return False
    return listed[1].lower not in STOP and listed[2].lower not in STOP


def _named(word: Word) -> bool:
    return word.capital and word.lower not in _DETERMINERS


def _first_verb(listed: list[Word]) -> str:
    for word in listed:
        if word.lower not in _BETWEEN and not word.lower.endswith("ly"):
            return "" if word.lower in STOP else word.lower
    return ""


def _behind_name(rest: str, listed: list[Word]) -> str:
    """What follows "Ada", "Dr. Ada Lund" or "Ada and Bo"; of "Ada's kite" what follows the kite."""
    for n, word in enumerate(listed):
        if rest[word.start : word.end].endswith("'s"):
            return _behind_nouns(listed[n + 1 :])
        if not (word.capital or word.lower == "and" or word.lower in _TITLES):
            return _first_verb(listed[n:])
    return ""


def _behind_nouns(listed: list[Word]) -> str:
    """The last of the words up to a preposition or the end, where they are at least two."""
    run: list[Word] = []
    for word in listed[1:] if listed and listed[0].lower in _DETERMINERS else listed:
        if word.lower in STOP or (run and word.capital):
            break
        if not word.lower[:1].isdigit():
            run.append(word)
    if len(run) < 2 or any(stem(w.lower) in VERBS for w in run[1:]):
        return ""
    return run[-1].lower
