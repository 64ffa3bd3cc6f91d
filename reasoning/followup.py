"""Questions that lean on the last one: "and before that?", "what about the passport?", "when was it?".

Rules over the words, no model: the question is rewritten to stand alone, or left as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reasoning.analysis import analyse
from reasoning.records import Exchange

_LEAD = (
    r"^(?:(?:and|but|so|okay|ok|well|um+|uh+|yes|yeah|no|right|great|thanks|thank you)[\s,.!]+)*"
)
_EARLIER = re.compile(
    _LEAD + r"(?:(?:what|how|where|who|when) (?:about|was (?:it|that|he|she)|were they) )?"
    r"(?:just )?(?:before (?:that|then|this)|previously|earlier)[\s.?!]*$",
    re.I,
)
_FIRST = re.compile(
    _LEAD + r"(?:(?:what|how|where|who|when) (?:about|was (?:it|that|he|she)|were they) )?"
    r"(?:at first|originally|initially|in the beginning|first)[\s.?!]*$",
    re.I,
)
_ABOUT = re.compile(
    _LEAD + r"(?:what|how) about (?P<what>[^?]{1,60}?)(?: then| now| instead)?\s*\?+\s*$", re.I
)
_AND = re.compile(
    r"^and (?P<what>(?:for |of |in |on )?(?:the |my |your |his |her |our |their |project |mr\.? |ms\.? )?[\w'-]+(?: [\w'-]+){0,3})\?\s*$",
    re.I,
)
_WHEN_THAT = re.compile(
    _LEAD
    + r"(?P<how>when|how long ago|at what time|what time) (?:was|did (?:i|we|he|she|they|you|somebody|someone) "
    r"(?:say|mention|see|show|do|put|leave)) (?:that|this|it)[\s.?!]*$",
    re.I,
)
_PRONOUN = re.compile(r"\b(?P<it>it|that one|this one|them|they)\b(?!'s raining)", re.I)
_WHO_DOES = re.compile(r"\b(?P<it>he|she|him|her)\b", re.I)
_WORD = re.compile(r"[A-Za-z0-9][\w'-]*")
_DETERMINERS = frozenset(
    "the my your our his her their a an this that these those any some".split()
)
_NAMES_A_TIME = re.compile(r"^(?:on |at |in |for )", re.I)
_LONGEST = 9  # words; a longer question says itself what it is about
_EPSILON = 0.01  # seconds


@dataclass(frozen=True, slots=True)
class Resolved:
    """A question that stands alone. `before`: it is about how things stood before this stream time."""

    text: str
    before: float | None = None


def follows_up(text: str) -> bool:
    """Is this a question only as the continuation of another?"""
    text = " ".join(text.split())
    return any(p.match(text) for p in (_EARLIER, _FIRST, _ABOUT, _AND, _WHEN_THAT))


def resolve(text: str, last: Exchange) -> Resolved:
    """The question with what it leaves out taken from the last exchange."""
    text = " ".join(text.split())
    topic = _topic(last.question)
    if _EARLIER.match(text) and last.cited is not None:
        return Resolved(_past(last.question), last.cited - _EPSILON)
    if _FIRST.match(text) or _EARLIER.match(text):
        return Resolved(f"{_past(last.question).rstrip('?. ')} at first?")
    if topic is None:
        return Resolved(text)
    if match := _WHEN_THAT.match(text):
        how = "How long ago" if "ago" in match["how"].lower() else "When"
        return Resolved(f"{how} did someone mention {last.question[slice(*topic)]}?")
    if match := _ABOUT.match(text) or _AND.match(text):
        return Resolved(_swapped(last.question, topic, match["what"].strip()))
    return Resolved(_named(text, last.question, topic))


def _swapped(question: str, topic: tuple[int, int], what: str) -> str:
    """The last question about something else."""
    there = question[slice(*topic)]
    own_name = any(word[0].isupper() for word in what.split())
    named = any(word[0].isupper() for word in there.split())
    runs = _runs(question)
    if (
        named and not own_name and len(runs) > 1
    ):  # "who is the contact for Project X?" "and the code?"
        return f"What is {what} of {there}?"
    if _NAMES_A_TIME.match(what):
        lead = question[: topic[0]].rstrip()
        what = re.sub(_NAMES_A_TIME, "", what) if lead.endswith(("on", "at", "in", "for")) else what
    return question[: topic[0]] + what + question[topic[1] :]


def _named(text: str, question: str, topic: tuple[int, int]) -> str:
    """The question with its pronoun replaced, if it names nothing itself."""
    if len(text.split()) > _LONGEST or any(t.role != "verb" for t in analyse(text).terms):
        return text
    there = question[slice(*topic)]
    pronoun = _PRONOUN.search(text)
    if pronoun is None and any(word[0].isupper() for word in there.split()):
        pronoun = _WHO_DOES.search(text)
    if pronoun is None:
        return text
    return text[: pronoun.start()] + there + text[pronoun.end() :]


def _topic(question: str) -> tuple[int, int] | None:
    """Where the question says what it is about: its last noun phrase."""
    runs = _runs(question)
    return runs[-1] if runs else None


def _runs(question: str) -> list[tuple[int, int]]:
    """Noun phrases with their articles, as spans of characters."""
    nouns = {t.word for t in analyse(question).terms if t.role != "verb"}
    words = list(_WORD.finditer(question))
    runs: list[tuple[int, int]] = []
    index = 0
    while index < len(words):
        if words[index].group().lower() not in nouns:
            index += 1
            continue
        first = index
        while index + 1 < len(words) and words[index + 1].group().lower() in nouns:
            index += 1
        # "the review meeting": a gerund after a noun is one as well.
        if index + 1 < len(words) and words[index + 1].group().lower().endswith("ing"):
            index += 1
        if first and words[first - 1].group().lower() in _DETERMINERS:
            first -= 1
        runs.append((words[first].start(), words[index].end()))
        index += 1
    return runs


def _past(question: str) -> str:
    """How things stood before is not what is so now."""
    text = re.sub(r"\b(?:right now|now|currently|at the moment)\b", "", question, flags=re.I)
    text = re.sub(r"^(where|what|who)(?:'s| is)\b", r"\1 was", text.strip(), flags=re.I)
    return re.sub(r"\s+([?.!])", r"\1", " ".join(text.split()))
