"""Ranking weights refined online from the evidence that answers cited: does it help?

    python -m bench ranking [CONVERSATION.json...] [--json]

The questions of all conversations but one are asked in turn, their evidence taken as what was cited,
and the weights refined after each; then the one left out is searched with the weights before and
after. It starts from the shipped weights, from those fitted to the other conversations (the shipped
ones may have been fitted to the one left out too), and from poor ones (all equal), which shows
whether it learns at all. Without files it makes conversations itself:
people who tell each other where things are, and much talk of the same things between.

Good weights gain nothing by it: recall@10 of three LoCoMo conversations goes from 0.853 to 0.845
(fitted: 0.847 to 0.850), of those made here it stays at 0.669, while equal weights come from 0.614 to
0.750. So Lookback does not refine its weights while it runs.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import models
from bench.conversations import Asked, Conversation, load
from bench.table import report
from bench.weights import Example, fit, gather, others, recalls
from memory.embedder import MiniLM
from memory.index import Floats
from memory.ranking import FEATURES, WEIGHTS
from perception.records import Observation, Stream

MADE = 4  # conversations
PLANTED = 40  # things told in each
MENTIONS = 0.7  # of the talk is of a thing that is told of somewhere
RATE = 0.05
STEP = 0.1  # of a weight, at most, in one answer
BAND = 0.5  # of each shipped weight, to either side
FADE = 0.002  # of what was learned, with every answer

SHOWN = 10  # results that an answer saw: the ones that were not cited are what it learns against

NAMES = "Orla Bastian Noor Teodor Mirela Keir Saskia Yannick".split()
THINGS = (
    "ladder tripod kettle passport stapler lantern violin toolbox charger atlas drill tent".split()
)
ADJECTIVES = "green old borrowed folding spare heavy".split()
PLACES = "cellar attic pantry garage hallway studio shed workshop".split()
SPOTS = (
    "behind the {}",
    "on the shelf in the {}",
    "under the bench in the {}",
    "by the door of the {}",
)
TALK = (
    "The {} was so crowded on Saturday.",
    "I never know what to cook for {}.",
    "Did you hear {} singing last night?",
    "We should paint the {} one day.",
    "Honestly, the {} has seen better days.",
    "{} is late again, as always.",
)
# Of a thing that was told of, so that its name alone does not find where it is.
MENTIONED = (
    "I could not do without the {}.",
    "Everyone wants to borrow the {}, it seems.",
    "The {} needs a new handle, I think.",
    "Remind me to clean the {} when we get it.",
    "Somebody asked about the {} again.",
)
ASKED = (
    "Where did {who} put the {what}?",
    "Where can I find the {what}?",
    "What place is the {what} in?",
)


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench ranking`."""
    parser = argparse.ArgumentParser(prog="bench ranking", description=__doc__)
    parser.add_argument("conversations", nargs="*", type=Path)
    parser.add_argument("--json", action="store_true", help="no table on standard output")
    given = parser.parse_args(arguments)
    embedder = MiniLM(models.locate("minilm"))
    conversations = [load(path) for path in given.conversations] or made(random.Random(3))
    examples = {one.stream.id: gather(one, embedder) for one in conversations}
    report("ranking", compared(examples), given.json)


def compared(examples: dict[str, list[Example]]) -> list[dict[str, Any]]:
    """A row for each conversation left out, and their mean."""
    rows: list[dict[str, Any]] = []
    for name, held_out in examples.items():
        rest = others(examples, name)
        equal = np.full(len(FEATURES), WEIGHTS.mean(), np.float32)
        starts = {"shipped": WEIGHTS, "fitted": fit(rest), "equal": equal}
        row: dict[str, Any] = {"left out": name, "learned from": len(rest)}
        for start, weights in starts.items():
            learned = refined(rest, weights)
            row[f"{start} before"] = float(np.mean(recalls(held_out, weights)))
            row[f"{start} after"] = float(np.mean(recalls(held_out, learned)))
            row[f"{start} moved"] = float(np.abs(learned - weights).max())
        rows.append(row)
    numbers = [key for key in rows[0] if key != "left out"]
    mean = {key: float(np.mean([row[key] for row in rows])) for key in numbers}
    return [*rows, {"left out": "mean", **mean}]


def refined(examples: Sequence[Example], weights: Floats) -> Floats:
    """The weights after each question's answer has cited its evidence, where it was found."""
    learner = Learner(weights)
    for example in examples:
        shown = np.argsort(-(example.features @ learner.weights), kind="stable")[:SHOWN]
        cited = np.isin(shown, example.right)
        learner.cited(example.features[shown], cited)
    return learner.weights


class Learner:
    """One step of listwise softmax regression (Cao et al. 2007) for each answer: of the results that it
    saw, the cited ones are to score above the others. A step is bounded, the weights never leave a
    band around those to begin with, each fades back towards them, and none changes its sign.

    `weights`: float32 [features], those to begin with, around which the band lies."""

    def __init__(self, weights: Floats) -> None:
        self.shipped = weights.astype(np.float32)
        self.weights = self.shipped.copy()

    def cited(self, features: Floats, cited: npt.NDArray[np.bool_]) -> None:
        """`features` float32 [results, features] of what an answer saw, `cited` bool [results] which
        of it backed the answer. Where all of it did, or none, nothing is learned."""
        if not cited.any() or cited.all():
            return
        scores = features @ self.weights
        likely = np.exp(scores - scores.max())
        likely /= likely.sum()
        wanted = features[cited].mean(axis=0) - likely @ features
        moved = np.clip(RATE * wanted * np.abs(self.shipped), -STEP, STEP)
        learned = (self.weights + moved - self.shipped) * np.float32(1 - FADE)
        bound = BAND * np.abs(self.shipped)
        self.weights = (self.shipped + np.clip(learned, -bound, bound)).astype(np.float32)


def made(chance: random.Random) -> list[Conversation]:
    """Conversations in which things are told, each asked about later in other words."""
    return [_made(chance, n) for n in range(MADE)]


def _made(chance: random.Random, number: int) -> Conversation:
    stream_id = f"made-{number}"
    people = chance.sample(NAMES, 2)
    things = [f"{adjective} {thing}" for adjective in ADJECTIVES for thing in THINGS]
    told = chance.sample(things, PLANTED)
    lines: list[tuple[str, str | None]] = []
    for thing in told:
        lines.extend((_talk(chance, told), None) for _ in range(chance.randint(8, 20)))
        place = chance.choice(SPOTS).format(chance.choice(PLACES))
        lines.append((f"I left the {thing} {place}.", thing))
    turns, questions = [], []
    for at, (text, asked_of) in enumerate(lines):
        ref, speaker = f"{stream_id}-{at}", people[chance.random() < 0.5]
        turn = Observation(stream_id, "speech", at * 8.0, at * 8.0 + 4.0, text, speaker, ref)
        turns.append(turn)
        if asked_of is not None:
            question = chance.choice(ASKED).format(who=speaker, what=asked_of)
            questions.append(Asked(question, "place", (ref,)))
    began = datetime(2026, 1, 5 + number, 9, 0, tzinfo=UTC)
    return Conversation(Stream(stream_id, began, "made"), tuple(turns), tuple(questions))


def _talk(chance: random.Random, told: list[str]) -> str:
    if chance.random() < MENTIONS:
        return chance.choice(MENTIONED).format(chance.choice(told))
    return chance.choice(TALK).format(chance.choice([*NAMES, *PLACES, *THINGS]))
