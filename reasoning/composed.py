"""Answers that code writes: times, counts, sightings, the present, quotes. No model makes these up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from memory.records import Observation
from reasoning.evidence import Passage
from reasoning.prompt import fenced
from reasoning.timeparse import clock, roughly
from reasoning.words import COLOURS, STOP, words

GUESS = "My best guess: "
_UNSURE = re.compile(r"nothing is recogni[sz]ed|nothing recogni[sz]ed", re.I)
_SENSE = {
    "speech": "I heard",
    "screen_text": "the screen showed",
    "vision": "I saw",
    "sound": "I heard",
}


def quote(passage: Passage) -> str:
    """The memory in its own words, with its time."""
    seen = passage.main
    return f"At {clock(seen.start)} {_SENSE[seen.kind]}: {_quoted(passage.text, seen)}."


def moment(passage: Passage) -> str:
    """When it was, into the stream."""
    seen = passage.main
    return (
        f"At {clock(seen.start)}, {roughly(seen.start)} in, {_SENSE[seen.kind]}: "
        f"{_quoted(passage.text, seen)}."
    )


def elapsed(passage: Passage, now: datetime) -> str:
    """How long ago it was."""
    seen = passage.main
    ago = roughly(max(0.0, (now - passage.at).total_seconds()))
    return (
        f"{ago[0].upper()}{ago[1:]} ago, at {clock(seen.start)}, {_SENSE[seen.kind]}: "
        f"{_quoted(passage.text, seen)}."
    )


def count(found: Sequence[Passage], at_least: bool = False) -> str:
    """How often, and when. `at_least`: some of what was there is no longer kept."""
    times = [clock(p.main.start) for p in found]
    if len(times) == 1:
        return f"{'At least once' if at_least else 'Once'}, at {times[0]}."
    number = "Twice" if len(times) == 2 else f"{len(times)} times"
    if at_least:
        number = f"At least {number.lower()}"
    listed = times if len(times) <= 6 else [*times[:5], f"… and last at {times[-1]}"]
    return f"{number}: at {_listed(listed, 'and')}."


def sighting(asked_for: str, seen: Observation) -> str:
    """Yes, it was seen; names it as it was asked for, and says what a picture cannot tell."""
    what = asked_for or "something like that"
    if seen.kind == "screen_text":
        return f"Yes, {what}: at {clock(seen.start)} the screen showed: {_quoted(seen.text, seen)}."
    coloured = any(w.lower in COLOURS for w in words(what))
    if coloured:
        what = " ".join(w for w in what.split() if w.lower() not in COLOURS)
        what = re.sub(r"^an?(?= )", lambda _: "an" if what.split()[1][0] in "aeiou" else "a", what)
    said = f"Yes, I saw {what} at {clock(seen.start)}: {', '.join(labels(seen.text))}."
    return f"{said} I cannot tell the colour." if coloured else said


def views(seen: Sequence[Observation]) -> str:
    """What was seen, one picture after another."""
    parts = [f"at {clock(o.start)} {', '.join(labels(o.text))}" for o in seen]
    return f"I saw {'; '.join(parts)}."


def people(seen: Sequence[tuple[int, Observation]]) -> str:
    """How many faces each picture showed."""
    parts = [f"{n} {'person' if n == 1 else 'people'} at {clock(o.start)}" for n, o in seen]
    return f"I saw {_listed(parts, 'and')}."


def chosen(alternative: str, passage: Passage) -> str:
    """Which of two it is."""
    return f"{alternative[0].upper()}{alternative[1:]}: {_lowered(quote(passage))}"


def time_now(now: datetime) -> str:
    """The clock on the wall."""
    return f"It is {now:%H:%M} on {now:%A}, {now.day} {now:%B %Y}."


def introduction(name: str) -> str:
    """What answers here, and what it can do."""
    return (
        f"I am {name}: I watch and listen, remember what I saw and heard, and answer questions "
        "about it with the evidence."
    )


def present(seen: Sequence[Observation]) -> str:
    """What is seen now."""
    parts = []
    for observation in seen:
        if observation.kind == "screen_text":
            parts.append(f"the text {_quoted(observation.text, observation)}")
        else:
            things = labels(observation.text)[:3]
            if things:
                parts.append("what looks like " + _listed([_article(t) for t in things], "and"))
    return f"I see {_listed(parts, 'and')}." if parts else "I am not sure what I see."


def yes_or_no(agrees: bool, passage: Passage) -> str:
    """Does the memory agree with what was supposed?"""
    return f"{'Yes' if agrees else 'No'}: {_lowered(quote(passage))}"


def lines(found: Sequence[Passage]) -> str:
    """Several memories one after another, where the model's own words did not stand."""
    return " ".join(quote(p) for p in found)


def unsure(found: Sequence[Passage]) -> str:
    """Memories that are only like the question: whoever asked judges whether they tell it."""
    told = lines(found)
    return f"I am not sure, but {told[0].lower()}{told[1:]}"


def guessed(sentence: str) -> str:
    """The beginning of a sentence that rests on what may not be what was asked for."""
    said = sentence.lstrip()
    first = words(said)[:1]
    return GUESS + (_lowered(said) if first and first[0].lower in STOP else said)


def retold(passage: Passage) -> str:
    """A sentence that a model wrote of it, with the time of what it stands in first."""
    return f"At {clock(passage.sources[0].observation.start)}: {passage.text}"


def without_model(text: str) -> str:
    """What is still known, where the language model failed."""
    return f"{text} (My language model failed just now, so this is without it.)"


def without_first_word(text: str) -> str:
    """What is known, where the language model kept everybody waiting."""
    return f"{text} (My language model did not answer in time, so this is quoted without it.)"


def labels(text: str) -> list[str]:
    """What a picture was tagged with."""
    text = re.sub(r",\s*faces? seen", "", text)  # said of the people named just before
    found = [part.strip() for part in re.split(r"[,;\n]", text)]
    return [part for part in found if part and not _UNSURE.search(part)]


def _quoted(text: str, seen: Observation) -> str:
    if seen.kind in ("vision", "sound"):
        return fenced(", ".join(labels(text)))
    return f'"{fenced(text).rstrip(".")}"'


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:]


def _article(thing: str) -> str:
    if thing[0].isdigit() or thing.endswith("s"):
        return thing
    return ("an " if thing[0].lower() in "aeiou" else "a ") + thing


def _listed(parts: Sequence[str], last: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"
