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
    """What a sentence corrects. `wrong` is empty where the sentence does not say it. `heard`: only
    if the wrong word was heard shortly before."""

    wrong: str
    right: str
    spelled: bool = False
    heard: bool = False


DAYS = frozenset(
    """monday tuesday wednesday thursday friday saturday sunday january february march april may june
    july august september october november december""".split()
)
_NAME = r"(?:[DO]')?[A-Z][\w-]*\w(?: [A-Z][\w-]*\w)?"
NUMBER = (
    r"\d+(?:[.,:]\d+)*|(?:(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|"
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    r"seventeen|eighteen|nineteen)(?: hundred| thousand)?"
)
_VALUE = rf"(?:{_NAME}|{NUMBER})"
_LEAD = r"(?:^|(?<=[.!?] )|(?<=, ))(?i:no|sorry|wait|actually|oh|well|correction|i mean|and|but|yes|[\s,.!:-])*"
_ITS = (
    r"(?i:that's|that is|that was|it's|it is|it was|this is|i meant|i said|i mean|(?:his|her|their|its|my|the) (?:\w+ )?(?:name )?(?:is|was)|"
    r"(?:he|she|they)(?:'s| is| are) (?:called|named)|call (?:him|her|it|them))(?i: actually| really)?"
)
_PAIRS = (
    re.compile(rf"{_LEAD}{_ITS}\s+(?P<right>{_VALUE}),? (?:and )?not\s+(?P<wrong>{_VALUE})\b"),
    re.compile(rf"{_LEAD}(?i:{_ITS}\s+)?(?i:not)\s+(?P<wrong>{_VALUE})(?:[,.;:]+| [-\u2013\u2014])\s+(?i:but\s+|{_ITS}\s+)?(?P<right>{_VALUE})\s*(?:[.!,]|$)"),
    re.compile(rf"(?:^|(?<=[.!?:] ))(?P<right>{_VALUE}), not (?P<wrong>{_VALUE})[.!]?$"),
    re.compile(rf"\b(?P<right>{NUMBER}),? (?:and )?not (?:at |on |in )?(?P<wrong>{NUMBER})\s*[.!]?$"),
)  # fmt: skip
_SPELLED = re.compile(
    rf"\b(?i:spelled|spelt|spell it)[\s,:]+(?:as |like )?(?:(?P<right>{_NAME})[\s,:]+)?"
    r"(?P<letters>[A-Za-z](?:(?:-|, ?| |\. ?)[A-Za-z]\b)+)"
)
_LETTERS = re.compile(
    rf"\b(?P<right>{_NAME})[\s,:-]+(?P<letters>[A-Za-z](?:(?:-|, ?|\. ?)[A-Za-z]\b)+)"
)
_TITLES = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Prof)\b\.? (?=[A-Z])")
# "The winner is Elin, not Bob" puts no name right, unless the two sound alike.
_OF_SOMETHING = re.compile(r"\b(?:his|her|their|its|my|the) (?!name\b)\w+ (?:is|was)\b", re.I)
_SAID = re.compile(
    rf"{_LEAD}(?<!\w)(?i:no|sorry|wait)[,.!]?\s+(?i:i said|i meant|it's|it is|that's|make that)\s+"
    rf"(?P<right>{_VALUE})\s*[.!]?$"
)


def taken_back(text: str) -> TakenBack | None:
    """What the text corrects, if it does."""
    text = _TITLES.sub("", text.replace("’", "'").strip())
    spelled = _spelled(text)
    if spelled is not None:
        return TakenBack("", spelled, spelled=True) if len(spelled) > 1 else None
    for pattern in _PAIRS:
        match = pattern.search(text)
        if match is not None and match["wrong"].lower() != match["right"].lower():
            right, wrong = match["right"], match["wrong"]
            named = right[0].isupper(), wrong[0].isupper()
            bare = named[0] and match.start("right") == match.start()
            if named[0] != named[1] or (bare and len(right.split()) != len(wrong.split())):
                continue  # "Ask Elin, not Helen" asks for Elin
            if not named[0] or alike(right, wrong) or not _OF_SOMETHING.search(match.group()):
                return TakenBack(wrong, right)
    match = _SAID.search(text)
    return None if match is None else TakenBack("", match["right"])


def _spelled(text: str) -> str | None:
    """The name whose letters the text gives one by one: where it says so, or beside the name."""
    found = _SPELLED.search(text) or _LETTERS.search(text)
    if found is None:
        return None
    letters = "".join(re.findall(r"[A-Za-z]", found["letters"])).capitalize()
    said_so = found.re is _SPELLED or (found["right"] or "").capitalize() == letters
    return letters if said_so else None


def meant(correction: TakenBack, before: Sequence[str]) -> tuple[int, str] | None:
    """Which of the texts said before, oldest first, was meant, and the word of it that was wrong.

    A number stands for the last number; a name for the last name that sounds like it."""
    named = correction.right[0].isupper()
    pattern = re.compile(_NAME if named else rf"\b(?:{NUMBER})\b", 0 if named else re.I)
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
    return correction.right[0].isupper() and correction.right.lower() not in DAYS


def alike(one: str, other: str, least: float = ALIKE) -> bool:
    """May one name have been heard as the other?"""
    return likeness(one, other) >= least


def likeness(one: str, other: str) -> float:
    """The share of letters, in order, that both have: 0 to 1."""
    return SequenceMatcher(None, one.casefold(), other.casefold()).ratio()


def holds(text: str, name: str) -> bool:
    """Is the name among the words of the text, whole?"""
    there, wanted = words(text), words(name)
    return any(there[at : at + len(wanted)] == wanted for at in range(len(there)))
