"""What a question asks for, and which of its words a memory must hold to answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from reasoning.predicates import verb_of
from reasoning.values import Asked, places
from reasoning.words import (
    COLOURS,
    MONTHS,
    ORDINALS,
    SHOWS,
    STOP,
    VERBS,
    WEEKDAYS,
    Word,
    is_number,
    stem,
    words,
)

TermRole = Literal["proper", "number", "noun", "colour", "verb"]


@dataclass(frozen=True, slots=True)
class Term:
    """A salient word of the question. `required`: a memory without it does not answer."""

    word: str
    stem: str
    role: TermRole
    required: bool


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the words of a question say about its answer."""

    text: str
    asked: Asked
    terms: tuple[Term, ...]
    cue: str | None = None  # "room" of "which room": the memory must hold it too
    noun_phrase: str = ""  # what a sight question looks for, as asked
    about_screen: bool = False  # asks what a sign, slide or message said
    speaker: str | None = None  # "what did NAME say"
    alternatives: tuple[str, ...] = ()  # "Thursday", "Friday" of "is it on Thursday or Friday?"
    supposed_place: str = ""  # "in the drawer" of "is it in the drawer?"

    @property
    def required(self) -> tuple[Term, ...]:
        return tuple(t for t in self.terms if t.required)


# Of a picture: who sees, what is seen in it.
_SEEN = (
    r"(?:(?:did|have|could|can|do) (?:you|we|the camera|the video|the picture) (?:\w+ )?"
    r"(?:see|seen|spot|spotted|notice|noticed|pick(?:ed)? up|catch|caught|show|shown)|"
    r"(?:(?:was|were|is|are|has been|have been|came|appeared) )?(?:there )?(?:seen|shown|visible|on (?:the )?camera|"
    r"in (?:the )?(?:picture|view|frame|shot|image|video|photo)|out there)|"
    r"(?:showed|turned|came|popped) up on (?:the )?camera|appeared|came into view)"
)
# In order: the first that matches says what is asked.
_PATTERNS: tuple[tuple[Asked, str], ...] = (
    ("thing", r"\bhow (?:often|many times (?:a|an|per|each|every) \w+) (?:should|do|does|is|are|will|must|can|shall)\b"),
    ("count", r"\bhow many times\b|\bhow often\b"),
    ("elapsed", r"\bhow long ago\b|\bhow long has it been since\b|\bhow many (?:minutes|hours|seconds) ago\b"),
    ("moment", r"\bhow many (?:minutes|seconds|hours) (?:in|into|and (?:did|was|were))\b|\bhow (?:far|long) (?:in|into)\b|\b(?:at|around|about) (?:about |around |roughly |approximately )?(?:what|which) (?:point|minute|moment)\b"),
    ("moment", r"\b(?:when|what time|at what time)\b[^?]*\b(?:did|was|were|have|has|had)\b[^?]*\b(?:mention|said|say|talk|talked|speak|spoke|ask|asked|see|seen|saw|show|shown|appear|appeared|hear|heard|announce|announced|told|tell|bring up|come up|came up|discuss|discussed|mentioned)\b"),
    ("sight", r"^(?:were you|have you been) (?:ever )?shown\b(?! (?:what|where|who|when|how|why))|^(?:(?:have|did|do|can|could) you (?:ever |also |happen to |just )?(?:(?:remember|recall) (?:ever )?seeing|see|seen|spot|spotted|notice|noticed|saw|catch sight of|caught sight of|catch a glimpse of)\b(?! (?:what|where|who|when|how|why)))"),
    ("sight", r"^(?:was|were|is|are|has|have)(?:n't)? there (?:ever |been )?(?:an?|any|some)?\b[^?]*\b(?:visible|in (?:the )?(?:picture|video|view|frame|image|room|scene|background)|on camera|on screen|to be seen)\b"),
    ("view", rf"^(?:and )?(?:what|which)(?: (?:sorts?|kinds?|types?|breeds?|makes?) of)?(?! (?:colou?rs?|time|day|date|number|code|price|name|words?|texts?|slides?|screens?|signs?|notices?)\b)(?: [\w'-]+){{0,4}}? {_SEEN}\b(?![^?]*\b(?:screen|slide|sign|notice|poster|whiteboard|page|label)\b)"),
    ("sight", r"^(?:was|were|is|are)(?:n't)? there (?:an?|any|some)\b"),
    ("sight", r"^(?:did|was|were|is|are|has|have)\b(?! you| i\b| we\b)[^?]*\b(?:appear(?:ed)?|visible|on camera|c[ao]me into view|(?:show|showed|shown|turn|turned) up|in (?:the )?(?:picture|view|frame|video))\b|^(?:was|were|is|are|has|have)\b[^?]*\b(?:shown|seen)\s*\?*$|\b(?:shown?|seen)\b[^?]*\b(?:in the (?:picture|video|recording|stream)|on camera)\b"),
    ("screen", r"\bwhat (?:did|does|do|was|is|were) (?:\w+ ){0,4}(?:screen|slide|sign|notice|poster|note|whiteboard|board|label|page|text|banner|message|document)\b[^?]*(?:say|said|read|show|written|about)?|\bwhat (?:text )?(?:was|is|were|did) [^?]*\b(?:on|in) the (?:screen|slide|sign|notice|poster|whiteboard|board|message)\b|\bread (?:me )?the\b"),
    ("summary", r"\bwhat (?:happened|has happened|did i miss|was going on|went on|'s been going on|have i missed)\b|\bsummari[sz]e\b|\bsummary\b|\brecap\b|\bgive me an overview\b"),
    ("report", r"\bwhat (?:did|has|have|does|else did) (?:\w+ ){1,3}(?:say|said|tell|told|mention|mentioned|announce|talk about|ask)\b|\bwhat was (?:said|mentioned|discussed)\b|\btell me (?:all |everything |more )?(?:that )?(?:you know )?about\b|\bwhat (?:do|did|can) you (?:know|remember|recall|tell me) (?:about|of)\b"),
    ("report", r"^who(?:'s| is| was) (?-i:[A-Z][\w'-]*(?: [A-Z][\w'-]*)?)\s*[?.!]*$"),
    ("colour", r"\b(?:what|which) colou?r|\bcolou?r (?:is|was|are|of)\b"),
    ("money", r"\bhow much (?:\w+ ){0,6}(?:cost|costs|pay|paid|spend|spent|charge|charged|owe|price|worth|rent|earn|money)\b|\bhow much (?:is|was|are|were) (?!left)|\b(?:what|which) (?:is|was|are|were)? ?(?:the )?(?:\w+ ){0,2}(?:price|cost|fee|rent|salary|budget)\b|\bwhat (?:do|does|did|will|would) [^?]*\bcosts?\b|\bhow expensive\b"),
    ("number", r"\bwhat (?:do|does|did|will) [^?]*\b(?:weigh|measure|amount to|come to|add up to)\s*\?*$|\bhow (?:many|much|old|tall|far|long|big|heavy|wide|large|high|deep|fast)\b"),
    ("day", r"\b(?:what|which) (?:day|date|weekday)\b|\bon (?:what|which) (?:day|date)\b|\bwhat's the date\b"),
    ("time", r"\b(?:what|which) (?:time|hour)\b|\bat what time\b|\bwhat's the time of\b|\bhow (?:early|late)\b"),
    ("when", r"\bwhen\b|\b(?:what|which) (?:week|month|year)\b"),
    ("place", r"\bwhere(?:'s|'re|abouts)?\b|\b(?:what|which) (?:room|place|floor|building|hall|street|city|town|country|shelf|drawer|box|gate|platform|office|address|level|restaurant|hotel|cafe|shop|cupboard|pocket|bag)\b"),
    ("person", r"\bwho(?:'s|m|se)?\b|\b(?:what|which) (?:is|was|are|were)? ?(?:the )?(?:\w+(?:'s)? ){0,3}names?\b|\bname of\b|\bwhat(?:'s| is| was| are) [^?]* (?:called|named)\b|\b(?:which|what) (?:person|man|woman|colleague|doctor|teacher|student)\b|\bby name\b"),
    ("reason", r"\bwhy\b|\bwhat(?:'s| is| was) the reason\b|\bhow come\b|\bwhat for\b"),
    ("code", r"\b(?:what|which)\b[^?]*\b(?:code|pin|combination|number|extension)\b"),
    ("thing", r"\b(?:what|which)\b"),
    ("yesno", r"^(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|am|isn't|aren't|wasn't|weren't|didn't|doesn't|don't|hasn't|haven't)\b"),
)  # fmt: skip
_ASKED = tuple((asked, re.compile(pattern, re.I)) for asked, pattern in _PATTERNS)

_SCREEN_WORDS = re.compile(
    r"\b(?:notice|sign|slide|screen|poster|message|whiteboard|board|banner|instructions?|text|prompt|said to you|written|words?)\b",
    re.I,
)
_CUE = re.compile(
    r"\b(?:what|which) (?:day|date|time|hour|colou?r|weekday|point|minute|moment|week|month|year|place|person|kind of|type of|sort of)(?:['’]s)?\b|"
    r"\bhow (?:many times|many (?:minutes|seconds|hours)|many|much|long ago|long|often|far|old|tall|big|heavy|expensive)(?:['’]s)?\b|"
    r"\b(?:the )?(?:names?|colou?rs?|date|reason|price|cost|address|location)(?= of\b| is\b| was\b|\s*\?)|\bcalled\b|\bnamed\b|\bnames?\b|\bcolou?rs?\b",
    re.I,
)
_COUNTED = re.compile(r"\bhow many ([\w-]+)", re.I)  # a noun, though the word may be a verb too
_CUE_NOUN = re.compile(
    r"\b(?:what|which) (room|floor|building|hall|street|city|town|country|shelf|drawer|box|gate|platform|office|level|restaurant|hotel|cafe|shop|cupboard|pocket|bag)\b",
    re.I,
)
_REFERENCE = re.compile(
    r"\b(?:at first|originally|initially|(?:in|at) the (?:beginning|start|outset)|in the first place|to begin with|to start with|"
    r"first of all|previously|earlier|(?:just |right |shortly )?before (?:it|they|that|he|she|i|we|you|any)\b[^,]*|very (?=first)|before (?:that|then|this|now)|used? to(?: be)?|these days|(?:come|came|comes|brought|bring) up|at the moment|right now|"
    r"at present|by the way|in the (?:video|recording|stream|picture|image|frame|background|scene)|on camera|so far|at all|at any (?:point|time))\b",
    re.I,
)
# What things were like before something happened is asked of the things.
_BEFORE = re.compile(
    r"(?<=\w )(?:just |right |shortly )?before (?:the|our|my|any) [\w' -]+(?=\s*\?*$)", re.I
)
_OR = re.compile(
    r"(?P<a>[\w:'-]+) or (?:(?:on|at|in|to|the|an?|my) )*(?P<b>[\w:'-]+(?: (?!who|that|which)[\w'-]+)?)"
    r"(?=\s*\?*$| (?:who|that|which)\b)"
)
_PLACED = re.compile(
    r"^(?:is|are|was|were)\b|\b(?:live|work|put|leave|keep|park|store|hide|move|hang|lie)\b", re.I
)
_IN_VIEW = re.compile(
    r"\b(?:visible|on camera|in(?:to)? view|to be seen|on screen|show(?:n|ed)? up|turn(?:ed)? up|c[ao]me (?=into)|sight of|glimpse of)\b",
    re.I,
)
_SAY_VERBS = frozenset(
    "say tell mention talk speak ask hear announce discuss see show notice appear watch know remember look".split()
)
LIGHT_VERBS = frozenset(
    "be do have make go get take come put leave keep say tell mention see use let need want call give happen hold hide lie set store place move find lose sit stand".split()
)
_VAGUE_NOUNS = frozenset(
    "time times day date place inside outside middle front end beginning part one ones minute minutes "
    "second seconds hour hours moment point thing stuff way morning afternoon evening night today yesterday "
    "tomorrow recording video stream detail details information info question answer ago position spot "
    "location word words wrong matter problem true kind sort".split()
)


# "Roughly how long": how sure it must be, not what it is about.
_LED_BY = re.compile(
    r"^(?:and |but |so )?(?:\w+ly|about|around|just) (?=(?:how|what|which|where|when|who|at|in|on)\b)",
    re.I,
)
# What is called new is not called so any more when it is asked for, and the other way round.
_NEWNESS = frozenset("new current".split())
# What is counted but goes without saying: "got nineteen out of twenty".
_UNSAID = frozenset("money point mark euro dollar pound franc percent degree".split())
_SIGNS = frozenset("sign notice poster banner label text message".split())
_ANYBODY = frozenset("woman man lady guy girl boy name".split())


def analyse(question: str) -> Analysis:
    """`question`: what is asked, without the agent's name and without words that only say when."""
    text = _LED_BY.sub("", " ".join(question.split()))
    plain = _BEFORE.sub("", text)
    asked: Asked = next((a for a, p in _ASKED if p.search(plain)), "open")
    cue = _CUE_NOUN.search(text)
    body = _REFERENCE.sub(" ", plain)
    alternatives, body = _alternatives(body)
    if alternatives and asked == "yesno":
        asked = _kind_of(alternatives[0])
    supposed = _supposed_place(text) if asked == "yesno" else ""
    body = _CUE.sub(" ", body)
    if asked == "view":
        body = re.sub(_SEEN, " ", text, flags=re.I)
    if asked == "sight":
        body = _IN_VIEW.sub(" ", body)
    if cue:
        body = body.replace(cue.group(), " ")
    speaker = _speaker(text) if asked == "report" else None
    counted = _COUNTED.search(text)
    terms = _terms(body, asked, speaker, verb_of(text), counted[1].lower() if counted else "")
    terms = _with_unsaid(terms, text, asked)
    return Analysis(
        text=text,
        asked=asked,
        terms=terms,
        cue=cue.group(1).lower() if cue and asked == "place" else None,
        noun_phrase=_looked_for(text) if asked == "sight" else "",
        about_screen=asked == "screen" or _SCREEN_WORDS.search(text) is not None,
        speaker=speaker,
        alternatives=alternatives,
        supposed_place=supposed,
    )


def without(analysis: Analysis, phrase: str, asked: Asked) -> Analysis:
    """The question without the words of a phrase, asking for something of a kind."""
    gone = {w.lower for w in words(phrase)}
    left = tuple(t for t in analysis.terms if t.word not in gone)
    rest = analysis.text.replace(phrase, " ")
    return replace(analysis, text=rest, asked=asked, terms=left, supposed_place="")


def _alternatives(text: str) -> tuple[tuple[str, ...], str]:
    """What is offered to choose from, and the question without it."""
    match = _OR.search(text)
    if not match:
        return (), text
    first, second = match["a"], match["b"]
    if first.lower() in COLOURS and second.split()[0].lower() in COLOURS:
        second = second.split()[0]
    rest = text[: match.start("a")] + text[match.start("b") + len(second) :]
    return (first, second), rest


def _kind_of(alternative: str) -> Asked:
    low = alternative.lower()
    if low in WEEKDAYS or low in MONTHS:
        return "day"
    if low in COLOURS:
        return "colour"
    return "number" if is_number(low) and ":" not in low else "thing"


def _supposed_place(text: str) -> str:
    """Where something is supposed to be."""
    if not _PLACED.search(text):
        return ""
    named = places(text.rstrip(" ?.!"))
    return named[-1] if named else ""


def _terms(
    body: str, asked: Asked, speaker: str | None, verb: str, counted: str
) -> tuple[Term, ...]:
    found: list[Term] = []
    listed = words(body)
    for index, word in enumerate(listed):
        if word.lower in STOP or (word.lower in _VAGUE_NOUNS and not (word.capital and index)):
            continue
        role = "verb" if word.lower == verb else _role(word, index, listed)
        if role == "verb" and word.lower == counted and not is_number(counted):
            role = "noun"
        base = stem(word.lower)
        if role == "verb" and base in _SAY_VERBS:
            continue
        if speaker and word.written == speaker:
            continue
        if role == "noun" and asked in ("thing", "reason") and _subject(body, word):
            role = "proper"  # a name in lower case, or as good as one: its verb decides
        required = role != "verb" and (word.capital or word.lower not in _NEWNESS)
        if asked == "yesno" and (word.lower in WEEKDAYS or role in ("number", "colour")):
            required = False  # that is what is asked about
        found.append(Term(word.lower, base, role, required))
    return tuple(_with_verb(found, asked))


def _with_unsaid(terms: tuple[Term, ...], text: str, asked: Asked) -> tuple[Term, ...]:
    """A unit need not be said, and a number that is known finds what kind of thing it is of."""
    free = set[str]()
    if asked in ("number", "money"):
        free = {t.word for t in terms if t.stem in _UNSAID}
    elif asked == "screen" and re.search(r"\b(?:about|for|of)\b", text):
        free = {t.word for t in terms if t.stem in SHOWS or t.stem in _SIGNS}
    elif asked == "code":
        free = {"number"}
    elif asked == "person":
        free = {t.word for t in terms if t.stem in _ANYBODY}
    elif any(t.role == "number" for t in terms) and (kind := _KIND.match(text)):
        free = {kind["kind"].lower()}
    left = tuple(replace(t, required=t.required and t.word not in free) for t in terms)
    return left if any(t.required for t in left) else terms


def _subject(body: str, word: Word) -> bool:
    """Does it stand bare after the auxiliary: "why did NAME leave"?"""
    before = body[: word.start].rstrip().lower()
    return before.endswith((" did", " does", " has", " have"))


def _with_verb(found: list[Term], asked: Asked) -> list[Term]:
    """With nothing but names to go by, the verb says what the question is about."""
    if any(t.required and t.role not in ("proper", "colour") for t in found):
        return found
    if asked in ("report", "summary", "screen", "sight", "yesno") and any(
        t.required for t in found
    ):
        return found
    light = (
        LIGHT_VERBS
        if any(t.required for t in found) and asked == "place"
        else frozenset({"be", "do", "have"})
    )
    return [
        Term(t.word, t.stem, t.role, t.required or (t.role == "verb" and t.stem not in light))
        for t in found
    ]


def _role(word: Word, index: int, listed: list[Word]) -> TermRole:
    low = word.lower
    if low[:1].isdigit():
        return "number"
    if (is_number(low) or low in ORDINALS) and _numbers_one(index, listed):
        return "number"
    if is_number(low):
        return "verb"  # "the three bags": said either way
    if low in COLOURS and not (word.capital and index):
        return "colour"
    opens = not index and not (len(listed) > 1 and listed[1].capital)
    if (
        word.capital
        and not (opens and low not in STOP and listed[1:] and listed[1].lower not in STOP)
        and (index or low not in VERBS)
        and low not in MONTHS
        and low not in WEEKDAYS
    ):
        if index or stem(low) not in VERBS:
            return "proper"
    before = listed[index - 1].lower if index else ""
    after = listed[index + 1].lower if index + 1 < len(listed) else ""
    owned = before.endswith("'s") and before not in STOP  # of "who's waiting" nobody is the owner
    gerund = low.endswith("ing") and before in _BEFORE_GERUND  # "about hiring"
    if stem(low) in VERBS and before not in _DETERMINERS and not owned and not gerund:
        nominal = low in _NOUN_TOO and (
            after in _BE or before not in _PRONOUNS and after in STOP and before not in STOP
        )
        if not nominal:
            return "verb"
    if low.endswith(("ly", "est")) and len(low) > 5:
        return "verb"  # "the cheapest": how it is, not what
    return "noun"


def _numbers_one(index: int, listed: list[Word]) -> bool:
    """Does the number tell one from others: "table three", "the second week", "the fifth of May"?"""
    low = listed[index].lower
    after = listed[index + 1].lower if index + 1 < len(listed) else ""
    if low in ORDINALS:
        return low != "first" and after not in STOP - {"of"}
    before = listed[index - 1].lower if index else ""
    return bool(before) and before not in STOP and (not after or after in STOP)


_KIND = re.compile(r"^(?:what|which) (?P<kind>[a-z]+) (?!of\b)", re.I)
_DETERMINERS = frozenset(
    "the a an my your his her our their its this that any some no project".split()
)
_BEFORE_GERUND = frozenset("about of for with by without".split())
_PRONOUNS = frozenset("i you he she we they did does do to will would should could can".split())
_BE = frozenset("is was are were be".split())
_NOUN_TOO = frozenset(
    "order book plan paint water print sign lock change repair stay visit work meet show park move drink "
    "cook drive walk watch present host lead train call charge report study state hand stick".split()
)


def _speaker(text: str) -> str | None:
    match = re.search(
        r"\b(?:did|has|have|does) (?:Dr\.? |Mr\.? |Mrs\.? |Ms\.? )?([A-Z][\w'-]+) (?:just )?(?:say|said|tell|told|mention|announce|ask|talk)",
        text,
    )
    return match.group(1) if match else None


_DETERMINER = (
    r"(?:(?:any|some|the inside of|inside of|inside)\s+)*(?P<article>(?:an?|the|my|one)\s+)?"
)
_SEE = re.compile(
    rf"^.*?\b(?:see|seen|seeing|spot|spotted|notice|noticed|saw|shown|there|sight of|glimpse of)\b\s*(?:ever |been |also )?{_DETERMINER}(?P<what>.*)$",
    re.I,
)
_APPEARS = re.compile(
    rf"^(?:did|do|does|was|were|is|are|has|have|had)\s+(?!you\b|there\b){_DETERMINER}(?P<what>.+?)\s+"
    r"(?:(?:ever )?appear|c[ao]me into|(?:show|showed|turn|turned) up|(?:been )?(?:shown|visible|seen)|in the |on camera|on screen)",
    re.I,
)


def _looked_for(text: str) -> str:
    """'bottles' of 'Did you see any bottles on the table?', with its article if it had one."""
    match = _APPEARS.match(text) or _SEE.match(text)
    phrase = match["what"].strip(" ?.!") if match else text
    article = match["article"] if match else None
    phrase = re.sub(
        r"\s+(?:in the (?:video|picture|recording|stream|frame|background|scene)|on camera|anywhere|at all|today|earlier|visible|so far|around|recently|just now|there)\b.*$",
        "",
        phrase,
    )
    return (
        f"a{'n' * (phrase[:1].lower() in 'aeio')} {phrase}"
        if article and phrase and not phrase.endswith("s")
        else phrase
    )
