"""What a speaker takes back: "that's Anna, not Hannah", "it's spelled Wyn, W-Y-N", "no, I said fifteen".

Found by rules in what was said. What was heard stays as it was; what is shown and searched follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from memory.words import FUNCTION_WORDS, words

BACK = 120.0  # seconds within which what is taken back was said
ALIKE = 0.4  # share of letters in order that a misheard name and the right one have in common


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What a sentence corrects. `wrong` is empty where the sentence does not say it."""

    wrong: str
    right: str
    spelled: bool = False


_NAME = r"(?:[DO]')?[A-Z][\w-]*\w(?: [A-Z][\w-]*\w)?"
_NUMBER = (
    r"\d+(?:[.,:]\d+)*|(?:(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|"
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    r"seventeen|eighteen|nineteen)(?: hundred| thousand)?"
)
_VALUE = rf"(?:{_NAME}|{_NUMBER})"
_LEAD = r"(?:^|(?<=[.!?] )|(?<=, ))(?i:no|sorry|wait|actually|oh|well|correction|i mean|and|but|yes|[\s,.!-])*"
_ITS = r"(?i:that's|that is|that was|it's|it is|it was|this is|i meant|i said|i mean|(?:his|her|their|its|my|the) (?:\w+ )?(?:name )?(?:is|was))"
_PAIRS = (
    re.compile(rf"{_LEAD}{_ITS}\s+(?P<right>{_VALUE}),? (?:and )?not\s+(?P<wrong>{_VALUE})\b"),
    re.compile(rf"{_LEAD}(?i:{_ITS}\s+)?(?i:not)\s+(?P<wrong>{_VALUE})[,.;:]+\s+(?i:but\s+|{_ITS}\s+)?(?P<right>{_VALUE})\s*(?:[.!,]|$)"),
    re.compile(rf"^(?P<right>{_VALUE}), not (?P<wrong>{_VALUE})[.!]?$"),
)  # fmt: skip
_SPELLED = re.compile(
    rf"\b(?i:spelled|spelt|spell it)[\s,:]+(?:as |like )?(?:(?P<right>{_NAME})[\s,:]+)?"
    r"(?P<letters>[A-Za-z](?:(?:-|, ?| |\. ?)[A-Za-z]\b)+)"
)
_SAID = re.compile(
    rf"{_LEAD}(?<!\w)(?i:no|sorry|wait)[,.!]?\s+(?i:i said|i meant|it's|it is|that's|make that)\s+"
    rf"(?P<right>{_VALUE})\s*[.!]?$"
)


def taken_back(text: str) -> TakenBack | None:
    """What the text corrects, if it does."""
    text = text.replace("’", "'").strip()
    spelled = _SPELLED.search(text)
    if spelled is not None:
        letters = "".join(re.findall(r"[A-Za-z]", spelled["letters"])).capitalize()
        return TakenBack("", letters, spelled=True) if len(letters) > 1 else None
    for pattern in _PAIRS:
        match = pattern.search(text)
        if match is not None and match["wrong"].lower() != match["right"].lower():
            named = match["right"][0].isupper(), match["wrong"][0].isupper()
            if named[0] == named[1]:
                return TakenBack(match["wrong"], match["right"])
    match = _SAID.search(text)
    return None if match is None else TakenBack("", match["right"])


def meant(correction: TakenBack, before: Sequence[str]) -> tuple[int, str] | None:
    """Which of the texts said before, oldest first, was meant, and the word of it that was wrong.

    A number stands for the last number; a name for the last name that sounds like it."""
    named = correction.right[0].isupper()
    pattern = re.compile(_NAME if named else rf"\b(?:{_NUMBER})\b", 0 if named else re.I)
    for at in range(len(before) - 1, -1, -1):
        for match in reversed(list(pattern.finditer(before[at]))):
            for word in reversed(match.group().split()) if named else [match.group()]:
                folded = word.lower()
                if folded == correction.right.lower() or folded in FUNCTION_WORDS:
                    continue
                if not named or alike(word, correction.right):
                    return at, word
    return None


def lasting(correction: TakenBack) -> bool:
    """Is it about a name, which is wrong wherever it was heard? A number or a day is wrong once."""
    return correction.right[0].isupper() and correction.right.lower() not in _DAYS


_DAYS = frozenset(
    """monday tuesday wednesday thursday friday saturday sunday january february march april may june
    july august september october november december""".split()
)


def alike(one: str, other: str) -> bool:
    """May one name have been heard as the other?"""
    return SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= ALIKE


def holds(text: str, name: str) -> bool:
    """Is the name among the words of the text, whole?"""
    there, wanted = words(text), words(name)
    return any(there[at : at + len(wanted)] == wanted for at in range(len(there)))
