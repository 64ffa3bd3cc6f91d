"""The weights of `memory.ranking`, from conversations whose evidence is known.

    python -m bench weights CONVERSATION.json CONVERSATION.json... [--json]

Listwise softmax regression (Cao et al. 2007): each question's evidence against all turns of its
conversation, with an L2 penalty. Prints recall@10 of each conversation under the weights that the
others gave, and last the weights from all of them, which are the ones to ship.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import models
from bench.conversations import Asked, Conversation, load, recall
from bench.table import report
from memory.embedder import Embedder, MiniLM
from memory.index import Floats
from memory.ranking import FEATURES, WEIGHTS
from memory.records import Query
from memory.search import Searcher
from memory.store import Store

PENALTY = 0.8  # features lie in [0, 1]; left-out recall is within 0.01 from 0.1 to 1.5
DEPTH = 10
NEWTON_STEPS = 25


@dataclass(frozen=True, slots=True)
class Example:
    """A question, and every turn of its conversation as the ranking sees it."""

    asked: Asked
    refs: tuple[str | None, ...]
    features: Floats  # [turns, features]

    @property
    def right(self) -> Any:
        return np.flatnonzero([ref in self.asked.evidence for ref in self.refs])


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench weights`."""
    parser = argparse.ArgumentParser(prog="bench weights", description=__doc__)
    parser.add_argument("conversations", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true", help="no table on standard output")
    given = parser.parse_args(arguments)
    embedder = MiniLM(models.locate("minilm"))
    examples = {str(path.stem): gather(load(path), embedder) for path in given.conversations}
    rows = [
        _row(f"{name} left out", held_out, fit(others(examples, name)))
        for name, held_out in examples.items()
    ]
    every = [example for group in examples.values() for example in group]
    rows.append(_row("all, trained on all", every, fit(every)))
    rows.append(_row("all, as shipped", every, WEIGHTS))
    report("weights", rows, given.json)


def gather(conversation: Conversation, embedder: Embedder) -> list[Example]:
    """The questions of a conversation, each with the features of all its turns."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder), embedder) as store:
        store.remember(conversation.stream, conversation.moments, {})
        searcher = Searcher(store.tables, embedder)
        refs = {turn.id: turn.ref for turn in conversation.turns}
        examples = []
        for asked in conversation.questions:
            ids, features = searcher.features(Query(asked.question, 1, conversation.stream.id))
            examples.append(Example(asked, tuple(refs[id] for id in ids), features))
    return examples


def fit(examples: Sequence[Example]) -> Floats:
    """float32 [features]: what makes the evidence likeliest, each question counting the same.

    The loss is convex: Newton's method, no weight moving by more than one in a step."""
    weights = np.zeros(len(FEATURES))
    for _ in range(NEWTON_STEPS):
        slope, curve = PENALTY * weights, PENALTY * np.eye(len(FEATURES))
        for example in examples:
            if not len(example.right):
                continue
            features = example.features.astype(np.float64)
            scores = features @ weights
            likely = np.exp(scores - scores.max())
            likely /= likely.sum()
            mean = likely @ features
            slope += mean - features[example.right].mean(axis=0)
            curve += (features * likely[:, None]).T @ features - np.outer(mean, mean)
        step = np.linalg.solve(curve, slope)
        weights = weights - step / max(1.0, np.abs(step).max())
    return weights.astype(np.float32)


def others(examples: dict[str, list[Example]], name: str) -> list[Example]:
    """Of every conversation but that one."""
    return [example for other, group in examples.items() if other != name for example in group]


def recalls(examples: Sequence[Example], weights: Floats) -> list[float]:
    """Recall@10 of each question under those weights."""
    found = []
    for example in examples:
        best = np.argsort(-(example.features @ weights), kind="stable")[:DEPTH]
        found.append(recall([example.refs[at] for at in best], example.asked))
    return found


def _row(name: str, examples: Sequence[Example], weights: Floats) -> dict[str, Any]:
    every = recalls(examples, weights)
    by_category = defaultdict(list)
    for example, value in zip(examples, every, strict=True):
        by_category[example.asked.category].append(value)
    return {
        "conversation": name,
        f"recall@{DEPTH}": float(np.mean(every)),
        **{category: float(np.mean(values)) for category, values in sorted(by_category.items())},
        **{
            f"w {feature}": round(float(w), 2) for feature, w in zip(FEATURES, weights, strict=True)
        },
    }
