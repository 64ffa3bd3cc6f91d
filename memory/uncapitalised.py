"""What a speaker takes back, in a transcript without capitals and commas: "that's anna not hannah".

Nothing there tells a name from another word. So both words must sound alike, neither may be an
ordinary one, and the sentence must be about nothing else; where it does not say that it is about a
name or about what was said, the wrong word must have been heard shortly before, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from memory.corrections import DAYS, NUMBER, TakenBack, alike, likeness
from memory.words import FUNCTION_WORDS, stem

SOUNDS = 0.5  # how alike two words have to be
NEARLY = 0.65  # the same, where the wrong one was not said

_APOSTROPHES = {"thats": "that's", "its": "it's", "hes": "he's", "shes": "she's", "im": "i'm"}
_WORD = r"[a-z][a-z'-]*[a-z]"
_VALUE = rf"(?:{NUMBER}|{_WORD}(?: {_WORD})??)"
_LEAD = (
    r"^(?:(?:no|nope|sorry|wait|actually|oh|well|um|uh|er|correction|i mean|and|but|yes|yeah|ok|okay|"
    r"hang on|hold on|you misheard(?: me)?)[,.!]? )*"
)
# What the sentence is about, from what says so to what may be about anything.
_NAMED = (
    r"(?:his|her|their|its|my|the) (?:first |last |real )?name(?:'s| is| was)|"
    r"(?:[a-z]+ ){0,3}[a-z]+(?:'s| is|'re| are|'m| am| was) (?:called|named)|call (?:him|her|it|them|me)"
)
_SAID = r"i (?:said|meant|mean)"
_ITS = r"(?:that|it|this|he|she)(?:'s| is| was)"
_CUE = rf"(?:(?P<named>{_NAMED})|(?P<said>{_SAID})|{_ITS})(?: actually| really)?"
_AGAIN = rf"(?:{_NAMED}|{_SAID}|{_ITS})"
_END = r"[.!]?(?: (?:please|sorry|thanks|thank you|okay|by the way|actually))?[.!]?$"
_PAIRS = (
    re.compile(rf"{_LEAD}{_CUE} (?P<right>{_VALUE}),? (?:and )?not (?P<wrong>{_VALUE}){_END}"),
    re.compile(rf"{_LEAD}{_CUE} not (?P<wrong>{_VALUE}),? (?:but |{_AGAIN} )(?P<right>{_VALUE}){_END}"),
    re.compile(rf"{_LEAD}(?P<said>not) (?P<wrong>{_VALUE}),? (?:but |{_AGAIN} )(?P<right>{_VALUE}){_END}"),
    re.compile(rf"{_LEAD}(?P<said>no|sorry|wait)[,.!]? not (?P<wrong>{_WORD}),? (?P<right>{_WORD}){_END}"),
)  # fmt: skip
_DAY = rf"(?:{'|'.join(sorted(DAYS))})"
_DATES = re.compile(
    rf"\b(?P<right>{_DAY}),? (?:and )?not (?:on |in |this |next )?(?P<wrong>{_DAY}){_END}"
)
_ONLY = re.compile(
    rf"^(?:no|sorry|wait|correction)[,.!]? (?:(?P<said>{_SAID})|it's|that's|make that) (?P<right>{_VALUE}){_END}"
)
_LETTERS = r"(?P<letters>[a-z](?:(?:-|, ?|\. ?| )[a-z]\b)+)(?P<after>(?: [a-z]+)?)"
_SPELLED = re.compile(rf"\b(?:spelled|spelt|spell it|spell that)[,:]? (?:as |like )?{_LETTERS}")
_BESIDE = re.compile(rf"\b(?P<right>{_WORD})[,:]? {_LETTERS}")

_NO_NAME = re.compile(
    r"(?:ing|\w{4}ly|(?<!fr|hm|mm)ed|ness|tion|est|able|ful|less|ous|ment|[st]ive)$"
)
_ORDINARY = frozenset(
    """good great nice fine bad sad mad glad cool cold hot warm big small large little long short tall
    high low fast slow early late later soon now then never always often old new young right left wrong
    true false easy hard soft loud quiet full empty open closed close near far here there clean dirty
    dry wet rich poor cheap sure safe light dark bright black white red blue green brown grey pink
    yellow orange purple gold silver better best worse worst more less much many few enough ready done
    gone back front up down on off in out over under top bottom inside outside north south east west
    home house room door table chair floor wall kitchen garden garage street road car bus train plane
    boat bike ship key box bag cup mug glass plate bottle book paper pen phone screen soup soap salt
    malt milk silk tea coffee water butter batter bread breath bred meat meet meal fish dish rice ice
    cake lake apple apples pear pears food wood mood noon moon soon tomorrow today yesterday tonight
    morning evening night day week month year hour minute second time place way thing things stuff work
    job play game name word words line list price prize cost coast most post money man woman boy girl
    child kid friend mother father brother sister uncle aunt cousin wife husband baby dog cat cats hat
    hats horse house mouse bird word world war peace piece part party city town country county north
    love hate like want need know think see look hear say said tell told go going come stop start end
    begin run walk sit stand give take make made buy sell send lend keep leave live give find lose win
    one ones two mine yours hers theirs ours me you him them us it everyone someone nobody everything
    something nothing anything somewhere maybe perhaps really quite just even still again also well
    okay yes no not hello goodbye please thanks funny sunny money honey happy angry hungry thirsty lazy
    crazy busy easy tired bored real fake fair rare same different next last first third half whole
    quarter weak strong thick thin wide deep cheap sweet sour sharp flat round square heavy ill sick
    joke luck fun sun rain snow wind storm fire air earth sky sea see head hand hair heart eye ear face
    back leg foot arm nose mouth art part start smart cart chart bank back pack rack track truck lunch
    dinner breakfast school class course code coat boot book cook look hook tool pool ball bell bill
    wall hall mall tea sea key bee free tree three pain rain main train brain gain test rest best west
    fact fault idea plan plant point paint print problem question answer reason lesson story sorry
    copy coffee copper paper pepper doctor nurse teacher driver worker waiter water winter summer spring
    autumn north metal petal pedal medal cotton wool steel iron stone sand land hand band bond pond
    beach bench branch wish wash watch witch which such much lunch launch punch brush bush
    desert dessert message massage package advice device affect effect loan lone alone along among""".split()
)


def uncapitalised(text: str) -> bool:
    """Is it of several words, none of which begins with a capital but "I"?"""
    return " " in text and not re.search(r"[A-Z]", re.sub(r"\bI\b", "i", text))


def taken_back_plainly(text: str) -> TakenBack | None:
    """What a text without capitals corrects, if it does."""
    said = " ".join(_APOSTROPHES.get(word, word) for word in text.lower().split())
    spelled = _spelled(said)
    if spelled is not None:
        return TakenBack("", spelled.capitalize(), spelled=True)
    for pattern in (*_PAIRS, _DATES):
        match = pattern.search(said)
        found = _pair(match) if match is not None else None
        if found is not None:
            return found
    only = _ONLY.search(said)
    return _single(only["right"], bool(only["said"])) if only is not None else None


def meant_plainly(correction: TakenBack, before: Sequence[str]) -> tuple[int, str] | None:
    """As `meant`, where the texts said before have no capitals: the last word that may be a name and
    sounds most like the right one."""
    right = correction.right.casefold()
    for at in range(len(before) - 1, -1, -1):
        if not uncapitalised(before[at]):
            continue
        heard = [w for w in re.findall(_WORD, before[at].lower()) if w != right and may_name(w)]
        near = [word for word in heard if alike(word, right, NEARLY)]
        if near:
            return at, max(near, key=lambda word: likeness(word, right))
    return None


def may_name(word: str) -> bool:
    """Could this word of a text without capitals be a name?"""
    ordinary = word in _ORDINARY or word in FUNCTION_WORDS or stem(word) in _STEMS
    return len(word) > 2 and not ordinary and not _NO_NAME.search(word) and word not in DAYS


def _pair(match: re.Match[str]) -> TakenBack | None:
    right, wrong, cues = match["right"], match["wrong"], match.groupdict()
    if right == wrong or stem(right) == stem(wrong):
        return None
    if {right, wrong} <= DAYS:
        return TakenBack(wrong, right.capitalize())
    if _is_number(right) or _is_number(wrong):
        return TakenBack(wrong, right) if _is_number(right) and _is_number(wrong) else None
    names = (*right.split(), *wrong.split())
    if not all(map(may_name, names)) or len(right.split()) != len(wrong.split()):
        return None
    named = bool(cues.get("named"))
    if not named and not alike(right, wrong, SOUNDS):
        return None
    sure = named or bool(cues.get("said"))
    return TakenBack(wrong, right.title(), heard=not sure)


def _single(right: str, said: bool) -> TakenBack | None:
    if right in DAYS:
        return TakenBack("", right.capitalize())
    if _is_number(right):
        return TakenBack("", right)
    name = said and right.isalpha() and may_name(right)
    return TakenBack("", right.capitalize()) if name else None


def _is_number(word: str) -> bool:
    return re.fullmatch(NUMBER, word) is not None


def _spelled(said: str) -> str | None:
    """The letters given one by one: where it is said so, or after the word that they make."""
    for pattern in (_SPELLED, _BESIDE):
        for match in pattern.finditer(said):
            letters = re.findall(r"[a-z]", match["letters"])
            if match["after"] and letters[-1] in "ai" and " " in match["letters"]:
                letters = letters[:-1]  # "k a t y i think"
            word = "".join(letters)
            if len(word) > 1 and (
                pattern is _SPELLED or (word == match["right"] and len(word) > 2)
            ):
                return word
    return None


_STEMS = frozenset(map(stem, _ORDINARY))
