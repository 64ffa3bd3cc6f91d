"""Facts that occur once in a made-up day, each among others that it is easily taken for.

A question is put in other words than its fact, and names only what tells the fact from its decoys:
the same person with another thing, another person with the same, the same line on another day, an
earlier value that the fact takes the place of. Names are shared by many facts and by the talk
around them, so that a name alone finds nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perception.records import Kind

DECOY_SPREAD = 5400.0  # seconds around a fact within which those it is taken for occur

_THINGS = {
    "passport": "travel document",
    "camera": "photo equipment",
    "umbrella": "rain cover",
    "violin": "instrument with strings",
    "toolbox": "kit of tools",
    "rucksack": "backpack",
    "thermos": "flask",
    "binoculars": "field glasses",
    "suitcase": "luggage",
    "bicycle": "bike",
    "laptop": "notebook computer",
    "medicine": "tablets",
}
_PLACES = (
    "cellar attic garage pantry wardrobe boathouse chapel loft shed hallway laundry porch".split()
)
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_COLOURS = "red green yellow white black silver orange purple".split()
_GROUPS = "budget gardening safety music travel archive kitchen welfare roof history".split()
_PRIVATE = {
    "{name} grew up in {town} before they moved away": "What is the home town of {name}?",
    "{name} gets ill from anything with {food} in it": "Which ingredient can {name} not eat?",
    "{name} drives around in a {colour} van these days": "What colour is the car of {name}?",
    "the daughter of {name} has taken up the {tune}": "What does the child of {name} play?",
    "{name} works nights at the {work}": "Where is {name} employed?",
    "the dog that {name} has is called {pet}": "How does {name} call the puppy?",
}
_FILL = {
    "food": "peanuts shellfish celery mustard sesame almonds lupin wheat".split(),
    "tune": "trumpet cello drums clarinet tuba harp oboe banjo".split(),
    "work": "hospital brewery lighthouse station dairy harbour tannery quarry".split(),
    "pet": "Biscuit Pepper Ziggy Mokka Waffle Domino Pickle Truffle".split(),
    "colour": _COLOURS,
}


@dataclass(frozen=True, slots=True)
class Plant:
    """A line of the day. `distance`: seconds before the day's end; `question` is empty, and `ref`
    None, for a decoy."""

    ref: str | None
    distance: float
    kind: Kind
    form: str
    text: str
    speaker: str | None
    question: str = ""


Said = tuple[str, str, list[str]]  # the fact, its question, and what it is taken for


class People:
    """Who is spoken of in one day, and where they may come from."""

    def __init__(self, rng: random.Random) -> None:
        names = _made_up(rng, 40)
        self.names, self.towns = names[:16], names[16:40]


def plants(
    rng: random.Random, people: People, distances: Sequence[float], each: int
) -> list[Plant]:
    """`each` facts at every distance, all forms in turn, and the decoys of each within the day."""
    forms = {form: iter(made(rng, people)) for form, made in FORMS.items()}
    made: list[Plant] = []
    for n, distance in enumerate(d for d in distances for _ in range(each)):
        form = list(forms)[n % len(forms)]
        text, question, decoys = next(forms[form])
        kind: Kind = "screen_text" if form == "screen" else "speech"
        speaker = None if kind == "screen_text" else rng.choice(("Ada", "Bo", None))
        made.append(Plant(f"fact-{n}", distance, kind, form, text, speaker, question))
        for at, decoy in enumerate(decoys):
            # What a fact takes the place of came before it; the rest may come on either side.
            before = form == "moved" and at == 0
            apart = rng.uniform(120.0, DECOY_SPREAD) * (1 if before or rng.random() < 0.5 else -1)
            when = min(max(distance + apart, 30.0), max(distances))
            if before:
                when = max(when, distance + 60.0)
            made.append(Plant(None, when, kind, form, decoy, speaker))
    return made


def moved(rng: random.Random, people: People) -> list[Said]:
    """A thing that was somewhere else before."""
    pairs = _Pairs(rng, people.names, list(_THINGS))
    found = []
    for name, thing in pairs.facts:
        first, then, *others = rng.sample(_PLACES, 4)
        other, else_ = pairs.others_with(thing)[0], pairs.else_of(name)[0]
        found.append(
            (
                f"{name} has taken the {thing} over to the {then}",
                f"Where would I look for {name}'s {_THINGS[thing]} now?",
                [
                    f"{name} keeps the {thing} in the {first}",
                    f"{other} has taken the {thing} over to the {others[0]}",
                    f"{name} has taken the {else_} over to the {others[1]}",
                ],
            )
        )
    return found


def departures(rng: random.Random, people: People) -> list[Said]:
    """A time that differs by day and by town."""
    return _by_day(
        rng,
        people.towns,
        lambda town, day: (
            f"the {day} bus to {town} leaves at {rng.randint(6, 22)}:{rng.randint(10, 59)}"
        ),
        "At what hour does the coach for {} depart on a {}?",
    )


def prices(rng: random.Random, people: People) -> list[Said]:
    """An amount that differs by who bought and what."""
    pairs = _Pairs(rng, people.names, list(_THINGS))

    def line(name: str, thing: str) -> str:
        return f"{name} gave {rng.randint(11, 990)} euros for a second {thing}"

    return [
        (
            line(name, thing),
            f"How much did the spare {_THINGS[thing]} cost {name}?",
            [
                line(pairs.others_with(thing)[0], thing),
                line(name, pairs.else_of(name)[0]),
                f"{name} gave the second {thing} a good clean",
            ],
        )
        for name, thing in pairs.facts
    ]


def rooms(rng: random.Random, people: People) -> list[Said]:
    """A sign that differs by day and group."""
    return _by_day(
        rng,
        _GROUPS,
        lambda group, day: (
            f"{group} circle\n{day} {rng.randint(8, 19)}:15\nRoom {rng.randint(100, 999)}"
        ),
        "In which room do the {} people get together on {}?",
    )


def _by_day(
    rng: random.Random, ones: Sequence[str], line: Callable[[str, str], str], question: str
) -> list[Said]:
    """What a line tells of each on a day, among the same of other days and of another."""
    pairs = _Pairs(rng, ones, _DAYS)
    return [
        (
            line(one, day),
            question.format(one, day),
            [line(one, other) for other in pairs.else_of(one)[:2]]
            + [line(pairs.others_with(day)[0], day)],
        )
        for one, day in pairs.facts
    ]


def private(rng: random.Random, people: People) -> list[Said]:
    """Something of a person, asked for in words that the fact does not hold."""
    pairs = _Pairs(rng, people.names, list(_PRIVATE))

    def line(name: str, text: str) -> str:
        fill = {what: rng.choice(words) for what, words in _FILL.items()}
        return text.format(name=name, town=rng.choice(people.towns), **fill)

    return [
        (
            line(name, text),
            _PRIVATE[text].format(name=name),
            [line(one, text) for one in pairs.others_with(text)[:2]]
            + [line(name, pairs.else_of(name)[0])],
        )
        for name, text in pairs.facts
    ]


FORMS = {
    "moved": moved,
    "time": departures,
    "amount": prices,
    "screen": rooms,
    "private": private,
}


class _Pairs:
    """Half of all pairs are facts; decoys come from the other half, so that none contradicts one."""

    def __init__(self, rng: random.Random, one: Sequence[str], other: Sequence[str]) -> None:
        every = [(a, b) for a in one for b in other]
        rng.shuffle(every)
        self.facts, self._spare = every[::2], every[1::2]

    def else_of(self, one: str) -> list[str]:
        """What else goes with it."""
        return [b for a, b in self._spare if a == one] or [self._spare[0][1]]

    def others_with(self, other: str) -> list[str]:
        """Who else goes with it."""
        return [a for a, b in self._spare if b == other] or [self._spare[0][0]]


def _made_up(rng: random.Random, count: int) -> list[str]:
    starts = "Bra Cel Dor Fen Gal Hes Jor Kel Lun Mar Nev Ost Pel Quin Ros Sel Tam Ulv Ves Wen"
    middles = "a e i o u ari enu oli ive ado".split()
    ends = "dan kis lor mond nix peth ric sand tova vane".split()
    every = [a + b + c for a in starts.split() for b in middles for c in ends]
    return rng.sample(every, count)
