"""The kinds of thing a question asks for, and where a text holds one."""

from __future__ import annotations

import re
from typing import Literal

from reasoning.words import (
    COLOURS,
    MONTHS,
    NUMBER_WORDS,
    STOP,
    VERBS,
    WEEKDAYS,
    amount,
    stem,
    words,
)

Asked = Literal[
    "place", "person", "day", "time", "when", "number", "code", "money", "colour", "thing", "reason",
    "report", "yesno", "sight", "view", "moment", "elapsed", "count", "present", "screen", "summary", "open",
]  # fmt: skip

_NUMBERS = "|".join(NUMBER_WORDS)
_HOURS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_ORDINAL = (
    r"(?:(?:twenty|thirty)[ -])?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|"
    r"(?:ten|eleven|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen)th|twelfth|twentieth|thirtieth"
).join(("(?:", ")"))
_TIME = re.compile(
    rf"\b\d{{1,2}}[:.]\d{{2}}\b(?:\s?[ap]\.?m\b\.?)?|\b\d{{1,2}}\s?(?:[ap]\.?m\b|o'clock)|"
    rf"\b(?:half|quarter|ten|twenty|five|twenty-five) (?:past|to) (?:\d{{1,2}}|{_HOURS})\b|"
    rf"\b(?:\d{{1,2}}|[a-z]+(?:[ -][a-z]+)?)(?: minutes?)? (?:past|to) (?:\d{{1,2}}|{_HOURS})\b(?! [a-z]+s\b)|"
    rf"\b(?:at|by|until|till|from|to|before|after|around|about) (?:\d{{1,2}}|{_HOURS})(?: (?:thirty|fifteen|forty-five|"
    rf"o'clock))?(?= (?:sharp|in the|on|every|each|today|tomorrow|tonight|this)\b|\s*[.,!?/\"]|\s*$)|"
    rf"\b(?:at|by|until|till|from|to|before|after|around|about|for) (?:{_HOURS}) (?:oh five|ten|fifteen|"
    r"(?:twenty|thirty|forty|fifty)(?:[ -]five)?)\b(?! (?:\w+s|hundred|thousand|percent|per)\b)|"
    rf"\b(?:{_HOURS}) (?:o'clock|thirty|fifteen|forty-five|[ap]\.?m\b)|"
    r"\b(?:noon|midday|midnight)\b|\b(?:[01]\d|2[0-3])[0-5]\d hours\b",
    re.I,
)
_DATE = re.compile(
    rf"\b(?:{'|'.join(WEEKDAYS)})s?\b|\b(?:today|tomorrow|tonight|yesterday|(?:this|next|last|the(?= weekend)|(?:by|at|before|until|after|over) the) "
    rf"(?:week(?:end)?|month|year|spring|summer|autumn|winter|night|holidays)\b|\b(?:the )?end of (?:the |next |this )?(?:week|month|year|term|day)|"
    rf"(?:at|by|before|until|till|after|over) (?:Christmas|Easter|New Year))\b|"
    rf"\b(?:the )?\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{'|'.join(MONTHS)})\b|\b(?:{'|'.join(m for m in MONTHS if m not in ('may', 'march'))})\b|"
    rf"\b(?:May|March)(?= \d)|\b(?:in|of|on|this|next|last|until|since) (?:May|March)\b|"
    rf"\b(?:the )\d{{1,2}}(?:st|nd|rd|th)\b|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}\b|\b\d{{4}}-\d{{2}}-\d{{2}}\b|"
    r"\b(?:the )(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|twelfth|fifteenth|twentieth)(?= of)|"
    rf"\b(?:on|by|until|till|before|after|from|since) the {_ORDINAL}(?=\s*[.,;:!?]|\s*$| (?:and|at|not|but|or|for|instead)\b)|"
    rf"\b(?:the )?{_ORDINAL} of (?:{'|'.join(MONTHS)})\b|"
    r"\bin (?:\d+|a|two|three|four|five|six) (?:days?|weeks?|months?)\b",
    re.I,
)
_NUMBER = re.compile(rf"\b\d[\d,.\-]*\d\b|\b\d+\b|\b(?:{_NUMBERS})\b", re.I)
_MONEY = re.compile(
    rf"[$€£¥]\s?\d[\d.,]*|\b\d[\d.,]*\s?(?:[$€£¥]|(?:dollar|euro|pound|cent|penny|pence|buck|franc|yen|quid|rupee|krona|usd|eur|gbp)s?\b)|"
    rf"\b(?:{_NUMBERS})(?:[ -](?:and |{_NUMBERS}))* (?:dollar|euro|pound|cent|buck|franc|quid|pence|yen|rupee)s?\b|"
    r"\b(?:for free|free of charge|nothing)\b|\b(?:price|cost|costs|fee|total|budget|rent)[: ]+(?:was |is |of )?\d[\d.,]*|\b\d+[.,]\d{2}\b",
    re.I,
)
_COLOUR = re.compile(
    rf"\b(?:(?:light|dark|bright|pale|deep) )?(?:{'|'.join(sorted(COLOURS))})\b", re.I
)
_PLACE = re.compile(
    r"\b(?:in|inside|on|under|underneath|beneath|behind|at|near|beside|by|above|below|between|against|within|round|underneath|among|along|beyond|past|"
    r"next to|in front of|on top of|close to|opposite|to|into|onto|from|over|around|across from|outside|through) "
    r"(?:(?:the|a|an|my|your|his|her|our|their|its|this|that|one of|some) )?(?P<what>(?!(?:to|in|into|on|onto|at|from|under|behind|beside|near)\b)[A-Za-z0-9'-]+(?: [A-Za-z0-9'-]+)?)|"
    r"\b(?P<named>(?i:Room|Hall|Building|Floor|Level|Gate|Platform|Street|House|Lab|Studio|Office|Aisle|Bay|Terminal|Desk|Suite) [A-Z0-9][A-Za-z0-9-]*)|"
    r"\b(?:is|are|was|were) (?:now )?with (?P<holder>[A-Z][\w'-]+)|"
    r"\b(?P<home>home|upstairs|downstairs|outside|next door|abroad|online|here)\b|"
    r"\b(?i:location|venue|place|where|room|address|point|site)\s*[:\-] *(?P<label>\S[^\n/]*)|"
    r"\b(?P<venue>(?:[A-Z][\w'-]+ )*(?i:caf[eé]|restaurant|hotel|lodge|park|library|school|cent(?:re|er)|hall|room|street|station|church|"
    r"museum|theatre|theater|bar|pub|stadium|avenue|square|arena|gallery|auditorium|gym|clinic|hospital|college|campus|canteen|kitchen)\b(?: [A-Z0-9][\w'-]*)*)",
)
_REASON = re.compile(
    r"\b(?:because|since|so that|in order to|due to|as (?:it|he|she|they|we|i|the)|thanks to|"
    r"so (?:we|i|he|she|they|it|you|the|my|our|his|her)|so [A-Z][a-z]+|that's why|in case|or else|otherwise|owing to|on account of|to (?:avoid|get|make|help|let|buy|pick|see|visit|save|keep|fix|meet)|"
    r"for (?:the|a|an|his|her|their|my|our) \w+|caused by|reason)\b",
    re.I,
)
_TIMEY = frozenset(
    "morning afternoon evening night week month year day hour minute moment time spring summer "
    "autumn winter way fact case general advance total noon midnight while second".split()
)
_TITLES = frozenset(
    "project room hall building floor level gate platform system notice street door code contact team "
    "meeting training launch party review workshop agenda today welcome title page chapter office lab "
    "studio product safety garden budget location venue time date day please actually by the lookback "
    "monday january mr mrs ms dr okay oh yes no well so hey english sorry thanks thank hello hi".split()
)
_LABEL = re.compile(r"(?:^|[\n/|,;])\s*[\w' -]{2,30}:\s*(?P<name>[A-Z][\w'.-]+(?: [A-Z][\w'.-]+)*)")
_BY = re.compile(
    r"\b(?:by|with|from|for|Dr\.?|Mr\.?|Mrs\.?|Ms\.?|Professor|Prof\.?|speaker|host|contact|manager|lead|ask|call)\s+(?P<name>[A-Z][\w'-]+(?: [A-Z][\w'-]+)*)"
)

_ADDRESSED = re.compile(r"^(?:(?:Mr|Mrs|Ms|Miss|Dr|Prof|Professor)\.? )+")
_ENDING = re.compile(r"(?:^| )[a-z]+ (?P<name>[A-Z][a-zß-ÿ'-]+(?: [A-Z][\w'-]+)*)$")
# A name after these is one in lower case too.
_CALLED = re.compile(
    r"(?:\b(?:is|are|was|were|it|him|her|them)|'s|'re) (?:called|named) (?P<name>[\w-]+)", re.I
)
_IN = re.compile(r"\b(?:in|near|around|across|via) (?P<where>[A-Z][\w'-]+)")
_PERSON = re.compile(
    r"\b(?:(?i:the|a|an|my|your|his|her|our|their)|[A-Z][\w-]+'s) (?:[a-z]+ )?(?P<who>"
    r"(?:grand)?(?:mother|father|parents|ma|pa|son|daughter|child|children)|sisters?|brothers?|aunt|uncle|cousins?|nephews?|nieces?|"
    r"mum|mom|dad|granny|grandma|grandpa|gran|husband|wife|partner|boyfriend|girlfriend|twins?|baby|kids?|"
    r"neighbou?rs?|friends?|colleagues?|boss|manager|landlord|landlady|tenants?|flatmate|guests?|customers?|visitors?|"
    r"doctor|nurse|dentist|vet|surgeon|pharmacist|teacher|tutor|pupils?|students?|coach|captain|skipper|pilot|driver|"
    r"plumber|electrician|carpenter|painter|gardener|cleaner|caretaker|janitor|technician|engineer|mechanic|builder|"
    r"courier|postman|postwoman|waiter|waitress|chef|cook|baker|butcher|farmer|lawyer|accountant|secretary|receptionist|"
    r"assistant|intern|apprentice|trainee|librarian|inspector|guard|policeman|policewoman|police|fireman|soldier|"
    r"priest|vicar|judge|mayor|king|queen|singer|drummer|pianist|guitarist|conductor|director|author|photographer|"
    r"babysitter|man|woman|men|women|lady|gentleman|boy|girl)\b(?!'s)"
)


def values(asked: Asked, text: str, *, screen: bool = False) -> list[str]:
    """What of the asked kind the text holds, as written. Empty for kinds without a form."""
    found = _FINDERS.get(asked)
    if asked == "person":
        return _people(text, screen)
    return found(text) if found else []


def has_form(asked: Asked) -> bool:
    """Kinds whose values have a recognisable form."""
    return asked in _FINDERS or asked == "person"


def times(text: str) -> list[str]:
    """Clock times, as written."""
    return [m.group() for m in _TIME.finditer(text)]


def times_left_out(text: str) -> str:
    """The text without its clock times."""
    return _TIME.sub(" ", text)


def dates(text: str) -> list[str]:
    """Days and dates, as written."""
    return [m.group() for m in _DATE.finditer(text)]


def numbers(text: str) -> list[str]:
    """Numbers in digits or words."""
    return [m.group() for m in _NUMBER.finditer(text)]


def colours(text: str) -> list[str]:
    """Colours, with light or dark."""
    return [m.group() for m in _COLOUR.finditer(text)]


def _codes(text: str) -> list[str]:
    text = times_left_out(text)
    plain = [m.group() for m in _NUMBER.finditer(text)]
    return plain + re.findall(r"\b(?=[A-Za-z-]*\d)[A-Za-z0-9-]{3,}\b", text)


def _money(text: str) -> list[str]:
    return [m.group() for m in _MONEY.finditer(text)]


def places(text: str) -> list[str]:
    """Where something may be: phrases of place, rooms, venues."""
    found = []
    for match in _PLACE.finditer(text):
        groups = match.groupdict()
        if groups.get("venue") and not match.group()[:1].isupper():
            continue
        what = groups.get("what")
        if what:
            heads = [w.lower for w in words(what)]
            first = heads[0] if heads else ""
            # "in the second" is a time, "in the second drawer" a place.
            if heads[-1:] == [first] and first in _TIMEY:
                continue
            behind = first == "back" and " the back" in match.group().lower()
            if first in WEEKDAYS or first in MONTHS or (first in STOP and not behind):
                continue
            if (
                first in VERBS
                and match.group().lower().startswith("to ")
                and len(match.group().split()) <= 3
            ):
                continue
            if re.fullmatch(r"\d{1,2}(?::\d{2})?|" + _HOURS, first) or heads[-1] in _TIMEY:
                continue
        found.append(match.group())
    return found


def _people(text: str, screen: bool) -> list[str]:
    """Capitalised names. On a screen every line has capitals: there only labelled ones count."""
    named = [m["name"] for p in (_LABEL, _BY) for m in p.finditer(text)]
    if screen:
        named = [_ADDRESSED.sub("", n) for n in named] + _ending_lines(text)
        return [n for n in named if n and n.split()[0].lower() not in _TITLES]
    where = {m["where"] for m in _IN.finditer(text)}
    called = [m["name"] for m in _CALLED.finditer(text) if m["name"].lower() not in STOP]
    return named + called + [n for n in proper_names(text) if n not in where] + persons(text)


def _ending_lines(text: str) -> list[str]:
    """Capitalised words that end a line of others: "Answers to Pretzel", "hosted by Ana"."""
    return [m["name"] for line in re.split(r"\n| / ", text) if (m := _ENDING.search(line.strip()))]


def persons(text: str) -> list[str]:
    """People called by what they are to somebody or by what they do."""
    return [m["who"] for m in _PERSON.finditer(text)]


def proper_names(text: str) -> list[str]:
    """Words written with a capital that are not just the first of a sentence."""
    found = []
    for word in words(text):
        low = word.lower
        if not word.capital or low in STOP or low in WEEKDAYS or low in MONTHS or low in _TITLES:
            continue
        opens = re.search(r"(?:^|[.!?\"/\n:]\s*)$", text[: word.start]) is not None
        if opens and (
            low in NUMBER_WORDS or stem(low) in VERBS or low in COLOURS or low.endswith("ly")
        ):
            continue
        found.append(word.written)
    return found


def _reasons(text: str) -> list[str]:
    found = [m.group() for m in _REASON.finditer(text)]
    # "Planned for the ninth", "for a week" say when.
    return [
        f for f in found if not (f.lower().startswith("for ") and _of_time(f.split()[-1].lower()))
    ]


def _of_time(word: str) -> bool:
    return word in _TIMEY or word in WEEKDAYS or word in MONTHS or amount(word) != ""


_FINDERS = {
    "place": places,
    "day": dates,
    "time": times,
    "when": lambda text: dates(text) + times(text),
    "number": numbers,
    "code": _codes,
    "money": _money,
    "colour": colours,
    "reason": _reasons,
}
