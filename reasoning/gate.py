"""Says of an utterance whether it asks something of the agent.

Pure and fast (well under a millisecond): rules over the words, no model. It errs towards silence:
an answer nobody asked for interrupts, a question missed can be asked again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from memory.records import Role

Mode = Literal["any", "named", "push"]

_FILLER = re.compile(
    r"^(?:(?:u+h*m*|e+r+m*|hm+|ah+|oh|so|well|okay|ok|and|but|hey|hi|please|now|right|alright|"
    r"excuse me|sorry|all right)[\s,.!…-]+)+",
    re.I,
)
_OPENING = re.compile(
    r"^(?:(?:at )?(?:about|around|roughly|approximately) )?(?:who|whom|whose|what|which|where|when|why|how|is|are|was|were|am|do|does|did|has|have|had|"
    r"can|could|will|would|should|shall|may|might|isn't|aren't|wasn't|weren't|don't|doesn't|didn't|"
    r"what's|where's|who's|when's|how's|haven't|hasn't|any)\b",
    re.I,
)
_REQUEST = re.compile(
    r"^(?:tell|show|remind|list|summari[sz]e|describe|explain|find|search|recall|read|count|give|"
    r"repeat|say|name|look up|help)\b",
    re.I,
)
_ASKS_ME = re.compile(
    r"^(?:(?:please )?(?:tell|remind|show) me\b|summari[sz]e\b|do you (?:remember|know)\b|"
    r"(?:can|could|would) you (?:please )?(?:tell|remind|show|find|recall|summari[sz]e)\b|"
    r"i(?:'d like to| want to| need to) know\b|i (?:wonder|was wondering)\b|"
    r"(?:does )?(?:anyone|anybody) (?:know|remember)\b|any idea\b)",
    re.I,
)
# Said to the agent by name, that is a question too.
_FORGOTTEN = re.compile(
    r"^i(?:'ve| have)? (?:(?:forgot|forgotten|forget)|(?:can't|cannot|don't) (?:remember|recall)) (?=who|what|where|when|which|why|how)",
    re.I,
)
# A question word that opens a clause or an exclamation, not a question.
_NOT_ASKED = re.compile(
    r"^(?:what an? \w+ |what (?:a|the) (?:hell|heck|shame|pity|mess|relief|surprise)|how (?:nice|lovely|"
    r"funny|sweet|awful|strange|weird|cool|great|annoying|about that|come on)\b|whatever|whenever|"
    r"wherever|whoever|however|when i |when we |when he |when she |when they |when you're |which is |"
    r"which was |who knows|who cares|what i |what we |where i |where we |how are you|how do you do|"
    r"how's it going|what's up|have a |have some|do it|do that|do not|don't |may the |will do|"
    r"is what |was what |can't |had a |might as well|could be|would be|should be|are you (?:ok|okay|kidding|serious|"
    r"sure|ready|coming)\b|did you know|guess what|why not|so what|what if |how dare|you know)",
    re.I,
)
_RHETORICAL = re.compile(
    r"(?:^|[,.]\s*)(?:you know|right|isn't it|aren't they|don't you think|okay|ok|huh|eh|yeah|"
    r"you see|know what i mean|really|what|seriously|does it|is it|won't you|didn't (?:i|we|he|she|they)|"
    r"wasn't it|shall we|do you|are you|would you|no)\s*\?+$",
    re.I,
)
# A call or a lead-in before what is asked: "Luke back, where is ...", a name misheard.
_LED_TO = re.compile(
    r"^(?!who|what|where|when|which|why|how|whose)[^,?]{1,25},\s*"
    r"(?=(?:who|what|where|when|which|why|how|whose|did|do|is|are|was|were|have|has|can|could)\b)",
    re.I,
)
# What only another person does or is; an agent that watches sees, hears, reads and remembers.
_OF_YOU = (
    r"(?:(?:who|what|when|where|why|how|which)\b(?: \w+)? )?(?:are|aren't|were|do|don't|did|didn't|have|haven't) you "
    r"(?!(?:\w+ly |ever |also |happen to |just |already |still |please |been |able to )*(?:see|look|hear|listen|read|notic|spot|watch|"
    r"remember|recall|recogni|know|tell|find|found|catch|caught|show|record|detect|observ|understand|learn|mak|pick))\w"
)
# Between people: an offer, a plan, a question about the other's wishes.
_BETWEEN_PEOPLE = re.compile(
    r"^(?:(?:can|could|would|will) you (?:please )?(?!tell|remind|show|find|recall|summari|see|say|read|repeat|"
    r"list|describe|explain|hear|remember|look up|count|give me)|(?:shall|should|can|could|may) (?:we|i)\b|"
    r"do you (?:want|like|need|mind|think|have time)|would you like|how (?:about|was your|have you)|what about (?:you|lunch|dinner|going)|"
    r"(?:can|could|would|will) (?:some|any)(?:one|body) (?:please )?(?!tell me|remind me|show me|remember|recall|find)|"
    r"(?:anyone|anybody) (?:for|want|up for|fancy)\b|who (?:wants|fancies|needs|likes)\b|who's (?:next|there|hungry)\b|"
    r"(?:where were we|what was i saying|what was that)\s*\?|"
    r"(?:isn't|aren't|wasn't|weren't) (?:that|this|it|these|those|he|she|they) \w+\s*\?|how(?:'s| is| are) (?:the|your) \w+\s*\?|"
    r"can (?:you|any(?:one|body)) hear\b|are we (?:there|nearly|all|ready|done|good|late|going)\b|"
    r"(?:are|is) (?:everyone|everybody|everything) \w+\s*\?|"
    rf"{_OF_YOU})",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """`question` is what is asked, without the agent's name and fillers; the text for a statement."""

    role: Role
    question: str
    reason: str


class Gate:
    """`mode`: any question, only those that name the agent, or everything said (push-to-talk)."""

    def __init__(self, agent_name: str = "Lookback", mode: Mode = "any") -> None:
        self.mode = mode
        self._name = _name_pattern(agent_name)

    def judge(self, text: str) -> Judgement:
        text = " ".join(text.split())
        named, asked = self._addressed(text)
        asked = _FILLER.sub("", asked).strip(" ,")
        if not re.search(r"[A-Za-z0-9]{2}", asked):
            return Judgement("statement", text, "nothing said" if not named else "only the name")
        asked = asked[0].upper() + asked[1:]
        if self.mode == "push":
            return Judgement("question", asked, "push-to-talk")
        if named:
            return self._judge_named(text, asked)
        if self.mode == "named":
            return Judgement("statement", text, "not named")
        return _judge_unnamed(text, _last_sentence(asked))

    def _addressed(self, text: str) -> tuple[bool, str]:
        """Is the agent spoken to by name, at either end or at a sentence's start?"""
        match = self._name.search(text)
        if not match:
            return False, text
        if match.group("end") is not None:
            return True, text[: match.start()].rstrip(" ,") + match.group("end")
        return True, text[match.end() :]

    def _judge_named(self, text: str, asked: str) -> Judgement:
        last = _last_sentence(asked)
        if _NOT_ASKED.match(last) and "?" not in last:
            return Judgement("statement", text, "named, but asks nothing")
        if (
            "?" in asked
            or _FORGOTTEN.match(last)
            or _OPENING.match(last)
            or _REQUEST.match(last)
            or _ASKS_ME.match(last)
        ):
            return Judgement("question", last if "?" in last or last == asked else asked, "named")
        return Judgement("statement", text, "named, but asks nothing")


def _judge_unnamed(text: str, asked: str) -> Judgement:
    if _RHETORICAL.search(asked):
        return Judgement("statement", text, "rhetorical")
    if _NOT_ASKED.match(asked):
        return Judgement("statement", text, "not a question")
    if _ASKS_ME.match(asked):
        return Judgement("question", asked, "a request to recall")
    if _BETWEEN_PEOPLE.match(asked):
        return Judgement("statement", text, "between people")
    if asked.endswith("?") and (_OPENING.match(asked) or len(asked.split()) >= 4):
        if not _OPENING.match(asked) and not re.search(
            r"\b(?:who|what|where|when|which|why|how)\b", asked, re.I
        ):
            return Judgement("statement", text, "a statement with a question's tone")
        led = _LED_TO.match(asked)
        clause = asked[led.end() :] if led else asked
        return Judgement("question", clause[0].upper() + clause[1:], "a question")
    return Judgement("statement", text, "a statement")


def _last_sentence(text: str) -> str:
    """People lead up to what they ask: the last sentence decides."""
    sentences = [s.strip() for s in re.split(r"(?<=[.!?])\s+", text) if s.strip(" .,!?")]
    if not sentences:
        return text
    last = _FILLER.sub("", sentences[-1]).strip(" ,") or sentences[-1]
    return last[0].upper() + last[1:]


def _name_pattern(name: str) -> re.Pattern[str]:
    """The name as one word or in two, as a recogniser writes it, spoken to: at the start of a
    sentence after an optional greeting, or at the end after a comma."""
    letters = r"[\s-]?".join(re.escape(ch) for ch in name if ch.isalnum())
    greeting = r"(?:(?:hey|hi|hello|ok|okay|so|um|uh|well|and|please|yo|oh|a|hay)[\s,.!]+)*"
    # "Look back at ..." is an order to someone; the name is followed by a pause or by a question.
    follows = r"(?=[\s,.!?:;-]*$|[,.!?:;-]|\s+(?:who|what|where|when|which|why|how|tell|show|remind|summari[sz]e|please|whose)\b|"
    follows += r"\s+(?:is|are|was|were|do|does|did|can|could|have|has|will)\b(?=.*\?))"
    return re.compile(
        rf"(?:(?:^|[.!?]\s+){greeting}{letters}{follows}[\s,.!?:;-]*)|(?:,\s*{letters}(?P<end>[?.!]*)$)",
        re.I,
    )
