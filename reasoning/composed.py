"""Answers that code writes: times, counts, sightings, the present, quotes. No model makes these up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from perception.records import Observation
from reasoning.evidence import Passage
from reasoning.prompt import fenced
from reasoning.timeparse import clock, roughly

NOTHING = "I don't have anything about that in memory."
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


def count(found: Sequence[Passage]) -> str:
    """How often, and when."""
    times = [clock(p.main.start) for p in found]
    if len(times) == 1:
        return f"Once, at {times[0]}."
    number = "Twice" if len(times) == 2 else f"{len(times)} times"
    listed = times if len(times) <= 6 else [*times[:5], f"… and last at {times[-1]}"]
    return f"{number}: at {_listed(listed, 'and')}."


def sighting(asked_for: str, seen: Observation) -> str:
    """Yes, it was seen; names it as it was asked for."""
    what = asked_for or "something like that"
    if seen.kind == "screen_text":
        return f"Yes, {what}: at {clock(seen.start)} the screen showed: {_quoted(seen.text, seen)}."
    return f"Yes, I saw {what} at {clock(seen.start)}: {', '.join(labels(seen.text))}."


def no_sighting(asked_for: str) -> str:
    """It was not seen."""
    return f"I did not see {asked_for}." if asked_for else "I did not see that."


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
    said = quote(passage)
    return f"{'Yes' if agrees else 'No'}: {said[0].lower()}{said[1:]}"


def lines(found: Sequence[Passage]) -> str:
    """Several memories one after another, where the model's own words did not stand."""
    return " ".join(quote(p) for p in found)


def labels(text: str) -> list[str]:
    """What a picture was tagged with."""
    text = re.sub(r",\s*faces? seen", "", text)  # said of the people named just before
    found = [part.strip() for part in re.split(r"[,;\n]", text)]
    return [part for part in found if part and not _UNSURE.search(part)]


def _quoted(text: str, seen: Observation) -> str:
    if seen.kind in ("vision", "sound"):
        return fenced(", ".join(labels(text)))
    return f'"{fenced(text).rstrip(".")}"'


def _article(thing: str) -> str:
    if thing[0].isdigit() or thing.endswith("s"):
        return thing
    return ("an " if thing[0].lower() in "aeiou" else "a ") + thing


def _listed(parts: Sequence[str], last: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"
