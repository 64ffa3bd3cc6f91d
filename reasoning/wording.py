"""Small repairs of words on both sides of the model: a question asked straight, a verb that agrees.

A small model takes over the form of what it reads: "Do you know where it is?" becomes "You know
it is", and plurals get the "is" of the examples.
"""

from __future__ import annotations

import re

from reasoning.values import dates, times

_INDIRECT = re.compile(
    r"^(?:(?:do|did|would|can|could) you (?:happen to )?(?:know|remember|recall)|"
    r"(?:please )?(?:(?:can|could|would|will) you (?:please )?)?(?:tell|remind) me|"
    r"i(?:'d like to| want to| need to)? (?:know|wonder)|i(?:'ve| have)? (?:forgot|forgotten|forget)|i (?:can't|cannot|don't) (?:remember|recall)|"
    r"(?:(?:do you have|have you got|have you|has anyone|does anyone have) )?any (?:idea|clue)|(?:does|did) any(?:one|body) (?:know|remember|say|mention))"
    r"(?: again)?,? (?=(?:where|who|what|when|which|why|how)\b)",
    re.I,
)
_ASKED_ASIDE = re.compile(
    r"^(?P<ask>where|who|when|why|what(?: (?:time|day|colou?r))?) (?P<what>.+?) (?P<be>is|are|was|were)$",
    re.I,
)
_IS_ASKED_OF = re.compile(
    r"^(?:where|when|who|which (?:room|floor|day|colou?r)|what(?: (?:room|floor|day|time|colou?r))?)"
    r"(?P<be>'s| is| are| was| were) "
    r"(?P<what>(?:the|my|our|his|her|their|[\w-]+'s) [\w' -]{2,60}?)"
    r"(?P<after> (?:on|in|at))?(?: (?:right )?now| today| currently| at the moment)?\s*\?*$",
    re.I,
)
# After these the verb does not follow the thing: "where was it at first", "what is our dog called".
_NO_OPENING = re.compile(
    r"\b(?:first|before|after|then|earlier|last|again|that|which|who|what|where|when|why|how|while|about|to)\b|"
    r"\w\w\wed\b|(?:ing|ly)$",
    re.I,
)
# People lead up to what they ask: "It's raining. Where is my umbrella?"
_LED_UP = re.compile(
    r"^[^?]*[.!]\s+(?=(?:who|what|where|when|which|why|how|whose|do|does|did|is|are|was|were|have|has|can|could)\b[^.!?]*\?\s*$)",
    re.I,
)
_OURS = {"my": "Your", "our": "Your"}
_PLURAL_IS = re.compile(
    r"^\s*(?:the|your|my|our|his|her|their|these)(?: [\w-]+){0,2} (?P<noun>[a-z]+s)$", re.I
)
_NOT_PLURAL = re.compile(r"(?:ss|us|is|news|series|bus|gas|lens|class|always)$", re.I)
_AGREES = {" is": " are", " was": " were", " has": " have"}


def direct(question: str) -> str:
    """The question itself: "Where are my keys?" of "Do you know where my keys are?"."""
    led = _LED_UP.match(question)
    question = question[led.end() :] if led else question
    match = _INDIRECT.match(question)
    if not match:
        return question
    asked = question[match.end() :].rstrip(" ?.!")
    if turned := _ASKED_ASIDE.match(asked):
        asked = f"{turned['ask']} {turned['be']} {turned['what']}"
    return f"{asked[:1].upper()}{asked[1:]}?"


def opening(question: str) -> str:
    """How the answer to a plain question has to begin: "The door code of project Elm is" of "What
    is the door code of project Elm?". Empty where the question does not tell."""
    match = _IS_ASKED_OF.match(question)
    if match is None or _NO_OPENING.search(match["what"]):
        return ""
    whose, _, what = match["what"].partition(" ")
    whose = _OURS.get(whose.lower(), whose[:1].upper() + whose[1:])
    be = "is" if match["be"] == "'s" else match["be"].strip()
    return f"{whose} {what} {be}{match['after'] or ''}"


def agreeing(said: str, piece: str) -> str:
    """The next piece of an answer, its verb in the plural after a plural."""
    verb = _AGREES.get(piece)
    match = _PLURAL_IS.match(said) if verb else None
    return verb if verb and match and not _NOT_PLURAL.search(match["noun"]) else piece


def rest_of_when(said: str, evidence: str) -> str:
    """What an answer to "when?" leaves out where the evidence has one day and one time: ", at
    10:30"; empty where it says both."""
    days, hours = dates(evidence), times(evidence)
    if len(days) != 1 or len(hours) != 1:
        return ""
    lower = said.lower()
    day, hour = (re.sub(r"^(?:on|at) ", "", v[0]) for v in (days, hours))
    if day.lower() in lower and hour.lower() not in lower:
        return f", at {hour}"
    if hour.lower() in lower and day.lower() not in lower:
        return f", on {day}"
    return ""
