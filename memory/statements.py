"""Durable statements in what was said or read: who, what, where, when, how many. By rules alone.

A sentence is taken only where it plainly states something of a thing it names: questions, guesses,
wishes and denials are left. Better to miss a statement than to invent one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from memory.words import FUNCTION_WORDS, stem, stems, words

LONGEST = 400  # characters of a sentence that is read
PRONOUN_TRUST = 0.7  # what "it" stands for is the last thing named, most of the time
LABEL_TRUST = 0.9


@dataclass(frozen=True, slots=True)
class Statement:
    """`subject` `attribute` `value`, as written but for articles; `trust` in (0, 1]."""

    subject: str
    attribute: str
    value: str
    text: str  # the sentence
    trust: float

    @property
    def shared(self) -> bool:
        """Is its subject one and the same everywhere: "my keys", "Anna's bag", "Berlin"? "The door"
        is another one in another stream."""
        return _SHARED.match(self.subject) is not None


_SHARED = re.compile(r"(?:(?i:my|our)\s|[A-Z])")
_SENTENCE = re.compile(r"(?<=[.!?])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)\s+")
_UNSURE = re.compile(
    r"\?\s*$|\b(?:if|whether|maybe|perhaps|might|could|would|should|wonder|hope|wish|unless|not|never|"
    r"no longer|nobody|nothing|isn't|aren't|wasn't|weren't|don't|doesn't|didn't|won't|can't)\b|n't\b|"
    r"\b(?:ignore|disregard|reply|respond) (?:all|any|only|with|every|the)\b",
    re.I,
)
_LEAD = re.compile(
    r"^(?:(?:and|but|so|oh|ok|okay|well|yes|yeah|no|right|actually|anyway|also|now|sorry|listen|remember|"
    r"by the way|in fact|for the record|note that|remember that|hey [\w]+|please note|i think|"
    r"i (?:just )?(?:noticed|heard|said) (?:that )?)[\s,.!:]+)+",
    re.I,
)
_HOURS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday|today|tomorrow|tonight"
_MONTHS = (
    "january|february|april|june|july|august|september|october|november|december"
    "|(?:may|march)(?= \\d)|(?<=\\d )(?:may|march)|(?<=in )(?:may|march)"
)
_WHEN = re.compile(
    rf"^(?:(?:on|at|by|in|until|till|from|around|about|this|next|every|the) )*(?:(?:{_DAYS}|{_MONTHS})s?\b|"
    rf"\d{{1,2}}(?:[:.]\d{{2}}(?! ?(?:%|kg|euro|dollar))|(?= ?[ap]\.?m\b| o'clock))|"
    rf"(?:half|quarter) (?:past|to) |(?:{_HOURS})(?: (?:thirty|fifteen|forty-five|o'clock|[ap]\.?m))?"
    rf"(?= in the (?:morning|afternoon|evening)| sharp| on |\s*$)|noon\b|midday\b|midnight\b|"
    rf"\d{{1,2}}(?:st|nd|rd|th)\b|(?:first|second|third|[a-z]+th|[a-z]+-(?:first|second|third)) of (?:{_MONTHS}|may|march)|\d{{4}}-\d{{2}}-\d{{2}}|(?:week|month|year|spring|summer|autumn|winter)\b)",
    re.I,
)
_THING = (
    r"(?:(?:my|our|your|his|her|their|the|this|that)\s+(?:[\w'-]+\s+){0,3}?[\w-]+"
    r"|(?:(?:my|our|your|his|her|their|the)\s+)?[\w-]+'s\s+(?:[\w-]+\s+){0,2}?[\w-]+"
    r"|[A-Z][\w'-]*(?:\s+[A-Z0-9][\w'-]*){0,3})"
)
_OF = rf"(?:\s+(?:of|for)\s+(?:[a-z]+\s+)?{_THING})?"
_SUBJECT = rf"(?P<subject>(?i:it|they)|{_THING}{_OF})"
_WHERE = (
    r"(?:in|inside|on|at|under|underneath|beneath|behind|beside|near|by|above|below|between|against|with|"
    r"next to|in front of|on top of|close to|opposite|over|outside|upstairs|downstairs|at home|across from)"
)
_PLACE = rf"(?P<value>{_WHERE}\b[^.;!?]*)"
_BE = r"(?:\s+(?:is|are|was|were|will be|has been|have been)|'s)"
_STILL = r"(?:\s+(?:now|still|currently|always|back|actually|right|just))*"
_PUT = r"(?:put|left|placed|stored|hid|parked|keeps?|kept|moved|dropped|locked|hung|stuck)"
_WHO = r"(?:I|we|you|he|she|they|[A-Z][\w'-]+|(?:my|our|his|her|the)\s+[\w-]+)"
_AT = r"(?:(?:at|on|by|from|until|to|for)\s+)?"
_EVENT_VERBS = (
    r"(?:starts?|begins?|ends?|opens?|closes?|leaves?|departs?|arrives?|meets?|happens?|takes? place|"
    r"finishes|finish)"
)
_MEASURES = r"(?:costs?|weighs?|has|have|holds?|seats?|measures?|takes?|lasts?|contains?|needs?)"
_NUMBER = (
    r"(?:[$€£]\s?)?\d[\d.,:]*|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|"
    r"fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|"
    r"eighty|ninety|a hundred|a thousand|half"
)
# In order: the first that fits a sentence says what it states. None: named by the group "attribute".
_RULES: tuple[tuple[str | None, re.Pattern[str]], ...] = tuple(
    (attribute, re.compile(rf"^{pattern}[\s.!]*$"))
    for attribute, pattern in (
        ("place", rf"{_WHO}\s+(?:have |has |had |just )*{_PUT}\s+{_SUBJECT}\s+{_PLACE}"),
        ("to", rf"{_WHO}\s+(?:have |has |had |just )*(?:moved|took|brought)\s+{_SUBJECT}\s+(?P<value>(?:to|into|onto)\s[^.;!?]+)"),
        ("to", rf"{_SUBJECT}\s+(?:(?:has|have|was|were|is|are|got)\s+)?(?:been\s+|being\s+|now\s+)*(?:moved|moves|moving|goes|went|shifted|postponed|rescheduled)\s+(?P<value>(?:to|into|from)\s[^.;!?]+)"),
        ("is", rf"{_SUBJECT}\s+(?:(?:has|have|was|were|is|are|got)\s+)?(?:been\s+|just\s+|now\s+)*(?:changed|switched|updated|reset|renamed)\s+to\s+(?P<value>[^.;!?]+)"),
        ("home", rf"{_SUBJECT}\s+(?:now\s+|still\s+)?lives?\s+(?:now\s+)?{_PLACE}"),
        ("work", rf"{_SUBJECT}\s+(?:now\s+|still\s+)?works?\s+(?:now\s+)?(?P<value>(?:at|in|for)\b[^.;!?]*)"),
        ("name", rf"{_SUBJECT}{_BE}\s+(?:called|named)\s+(?P<value>[^.;!?]+)"),
        ("where", rf"{_SUBJECT}{_BE}{_STILL}\s+{_PLACE}"),
        ("time", rf"(?P<subject>{_THING}|[Ww]e|[Ii]t)\s+(?:will\s+)?{_EVENT_VERBS}\s+{_AT}(?P<value>[^.;!?]+)"),
        (None, rf"{_SUBJECT}\s+(?P<attribute>{_MEASURES})\s+(?P<value>(?:about |exactly |only |just )?(?i:{_NUMBER})\b[^.;!?]*)"),
        ("is", rf"{_SUBJECT}{_BE}{_STILL}\s+(?P<value>[^.;!?]+)"),
    )
)  # fmt: skip
_LABELLED = re.compile(r"^\s*(?P<label>[A-Za-z][\w'/ -]{1,29}?)\s*[:=]\s*(?P<value>\S.{0,79})$")
_OF_SUBJECT = re.compile(r"^(?:the |my |our )?(?P<what>[\w -]+?) (?:of|for) (?P<whose>.+)$", re.I)
_OWNED = re.compile(r"^(?P<whose>.+?)(?:'s|’s) (?P<what>[\w -]+)$")
_TRAIL = re.compile(
    r"[,:]?\s+(?:now|then|please|again|as well|too|instead|though|by the way)$", re.I
)
_NOT_THINGS = frozenset(
    """i it he she they we you there this that these those what who where when which how here
    thing problem reason question answer point idea let""".split()
)  # fmt: skip
_LONGEST_VALUE = 9  # words; a longer one is a tale, not a value
_SHORT = 4
_TELLING = re.compile(
    rf"\d|\b(?:{_NUMBER})\b|\b[A-Z][a-z]|\b(?:red|orange|yellow|green|blue|purple|violet|pink|brown|"
    r"black|white|gr[ea]y|silver|gold(?:en)?|turquoise|beige)\b"
)


def statements(text: str, screen: bool) -> list[Statement]:
    """What a text states, in order. `screen`: it was read, and lines are its sentences."""
    return _labelled(text) if screen else _said(text)


def about(text: str) -> list[str]:
    """The stems by which a subject is known, in order: "my blue bag" and "the blue bag" agree."""
    return list(dict.fromkeys(stems(text)))


def agree(one: str, other: str) -> bool:
    """Do two values say the same, one perhaps in fewer words?"""
    a, b = (_content(value) for value in (one, other))
    return a <= b or b <= a


def _content(value: str) -> set[str]:
    folded = [stem(w) for w in words(value) if w not in FUNCTION_WORDS or w.isdigit()]
    return set(folded or words(value))


def _said(text: str) -> list[Statement]:
    found: list[Statement] = []
    named = ""  # what "it" would stand for
    for sentence in _SENTENCE.split(text.replace("’", "'").strip()):
        if not sentence or len(sentence) > LONGEST:
            continue
        bare = _LEAD.sub("", sentence.strip())
        statement = None if _UNSURE.search(bare) else _stated(bare, sentence.strip(), named)
        if statement is not None:
            found.append(statement)
            named = statement.subject
        else:
            things = re.findall(r"\b(?:a|an|my|our|the)\s+((?:[\w-]+\s+)?[\w-]+)(?=[.,!]|$)", bare)
            named = f"the {things[-1]}" if things else named
    return found


def _stated(bare: str, sentence: str, named: str) -> Statement | None:
    if bare[:1].islower() and not bare.startswith(
        ("it ", "it's", "they ", "my ", "our ", "the ", "we ")
    ):
        bare = bare[0].upper() + bare[1:]
    for attribute, pattern in _RULES:
        match = pattern.match(bare) or pattern.match(bare[:1].lower() + bare[1:])
        if match is None:
            continue
        subject, trust = match["subject"].strip(), 1.0
        if subject.lower() in ("it", "they"):
            subject, trust = named, PRONOUN_TRUST
        elif re.match(r"(?:his|her|its|their) ", subject, re.I) and named:
            subject, trust = f"the {subject.split(maxsplit=1)[1]} of {named}", PRONOUN_TRUST
        value = _TRAIL.sub("", match["value"].strip(" ,."))
        kind = attribute or stem(match["attribute"].lower())
        return _whole(subject, kind, value, sentence, trust)
    return None


def _whole(subject: str, kind: str, value: str, sentence: str, trust: float) -> Statement | None:
    heads = about(subject)
    own = subject.lower() == "we" and kind == "time"
    named = words(subject)
    if not own and (not heads or named[-1] == "i" or all(w in _NOT_THINGS for w in named)):
        return None
    if not value or len(value.split()) > _LONGEST_VALUE:
        return None
    if kind in ("where", "to", "time", "is") and _WHEN.match(_after_to(value)):
        kind, value = "time", _after_to(value)
    elif kind == "time":
        return None  # "it starts with a song" is no time
    elif kind in ("where", "to"):
        kind, value = "place", _after_to(value)
    if kind == "is":
        split = _OF_SUBJECT.match(subject) or _OWNED.match(subject)
        if len(value.split()) > _SHORT or "," in value or not (split or _TELLING.search(value)):
            return None  # what it is like, or what it is doing, changes nothing
        if split is not None:
            subject, kind = split["whose"].strip(), _bare(split["what"].strip()).lower()
    return Statement(_bare(subject), kind, value, sentence, trust)


def _after_to(value: str) -> str:
    return re.sub(r"^(?:to|into|onto|from)\s+", "", value)


def _bare(subject: str) -> str:
    return re.sub(r"^(?:the|this|that|your|his|her|their)\s+", "", subject, flags=re.I)


def _labelled(text: str) -> list[Statement]:
    """Lines "label: value"; what stands above them is their subject."""
    lines = [line.strip() for line in re.split(r"\n| / ", text) if line.strip()]
    found: list[Statement] = []
    heading = ""
    for line in lines:
        match = _LABELLED.match(line)
        if match is None:
            heading = heading if found else line[:60]
            continue
        label, value = match["label"].strip().lower(), match["value"].strip()
        if (
            not about(label)
            or _UNSURE.search(value)
            or value.startswith("//")
            or label[-1].isdigit()
        ):
            continue  # an address, or a time of day
        subject, kind = (heading, label) if about(heading) else (match["label"].strip(), "is")
        found.append(Statement(subject, kind, value, line, LABEL_TRUST))
    return found
