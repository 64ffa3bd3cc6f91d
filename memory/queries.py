"""What a query asks for, by rules: its content words, who it names, the dates it gives.

A name of a speaker says whose turn to look for, not what was said in it; left in the text it draws
the vector towards the turns that address that person, which are the other speaker's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from memory.words import FUNCTION_WORDS, stem, words

TERMS_WEIGHED = 64  # distinct words of a query that are looked up; a question has about six
CHARACTERS_READ = 4096

_MONTHS = (
    "january february march april may june july august september october november december"
).split()
_MONTH = "|".join(_MONTHS)
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_WRITTEN = re.compile(
    rf"(?:\b{_DAY}\s+(?:of\s+)?)?\b({_MONTH})\b(?:\s+{_DAY}\b)?(?:,?\s*\b(\d{{4}})\b)?"
)


@dataclass(frozen=True, slots=True)
class DateMention:
    """A month, or a day of one; without a year, of any year."""

    month: int
    day: int | None = None
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a query asks for."""

    terms: tuple[str, ...]  # distinct stems, names of speakers left out
    speakers: frozenset[int]  # codes of the speakers it names
    dates: tuple[DateMention, ...]
    meaning: str  # the text to embed: names of speakers left out


def analyse(text: str, names: Mapping[str, frozenset[int]]) -> Analysis:
    """`names` maps each word of a known speaker's name, folded, to the codes of those speakers."""
    text = text[:CHARACTERS_READ]
    said = words(text)
    named = [word for word in said if word in names]
    content = [stem(w) for w in said if w not in FUNCTION_WORDS and w not in names]
    terms = tuple(dict.fromkeys(content))[:TERMS_WEIGHED]
    return Analysis(
        terms=terms or tuple(dict.fromkeys(map(stem, said)))[:TERMS_WEIGHED],
        speakers=frozenset().union(*(names[word] for word in named)),
        dates=dates(text),
        meaning=_without(text, named) if terms else text,
    )


def name_words(name: str) -> list[str]:
    """The words by which a speaker can be named."""
    return [w for w in words(name) if len(w) > 2 and w not in FUNCTION_WORDS and not w.isdigit()]


def dates(text: str) -> tuple[DateMention, ...]:
    """The dates the text writes out ("7 July, 2023", "May 23", "in June 2023", "2023-07-07")."""
    folded = text.casefold()
    found = [DateMention(int(m), int(d), int(y)) for y, m, d in _ISO.findall(folded)]
    for match in _WRITTEN.finditer(folded):
        before, month, after, year = match.groups()
        day = before or after
        is_verb = month in ("may", "march") and not (day or year)
        if is_verb and not re.search(
            r"\b(in|since|of|by|during|last|this)\s$", folded[: match.start()]
        ):
            continue
        found.append(
            DateMention(
                _MONTHS.index(month) + 1, int(day) if day else None, int(year) if year else None
            )
        )
    return tuple(mention for mention in dict.fromkeys(found) if _exists(mention))


def _exists(mention: DateMention) -> bool:
    try:
        date(mention.year or 2000, mention.month, mention.day or 1)
    except ValueError:
        return False
    return True


def _without(text: str, named: list[str]) -> str:
    if not named:
        return text
    alternatives = "|".join(re.escape(word) for word in dict.fromkeys(named))
    bare = re.sub(rf"\b(?:{alternatives})\b(?:['’]s\b)?", "", text, flags=re.IGNORECASE)
    return re.sub(r"\s+", " ", bare).strip()
