"""Evidence recall of search on long conversations, beside plain retrieval in the same run.

    python -m bench recall CONVERSATION.json... [--url http://127.0.0.1:7860] [--json]

Every turn is fed in, every question searched in its own conversation, and the evidence turns among
the first k results are counted. Controls, over "Speaker: text": BM25 (k1 1.2, b 0.75), the vector
alone, and both fused by reciprocal rank (k 60). Adversarial questions have no answer: left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import models
from bench.conversations import Asked, Conversation, load, recall
from bench.table import report
from memory.embedder import Embedder, MiniLM
from memory.records import Query
from memory.store import Store
from memory.words import FUNCTION_WORDS

DEPTHS = (1, 5, 10, 20)
BATCH = 50  # turns in one request
Search = Callable[[Conversation, str], Sequence[str | None]]


@dataclass
class Score:
    """What one method found, question by question."""

    recalls: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    categories: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: list[float] = field(default_factory=list)

    def add(self, asked: Asked, found: Sequence[str | None], seconds: float) -> None:
        for depth in DEPTHS:
            self.recalls[depth].append(recall(found[:depth], asked))
        self.categories[asked.category].append(recall(found[:10], asked))
        self.seconds.append(seconds)

    def row(self) -> dict[str, float]:
        return {
            **{f"recall@{depth}": float(np.mean(self.recalls[depth])) for depth in DEPTHS},
            **{f"{name} @10": float(np.mean(v)) for name, v in sorted(self.categories.items())},
            "p50 ms": float(np.percentile(self.seconds, 50)) * 1e3,
            "p95 ms": float(np.percentile(self.seconds, 95)) * 1e3,
        }


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench recall`."""
    parser = argparse.ArgumentParser(prog="bench recall", description=__doc__)
    parser.add_argument("conversations", nargs="+", type=Path)
    parser.add_argument("--url", help="a running server; without it a store in this process")
    parser.add_argument("--json", action="store_true", help="no table on standard output")
    given = parser.parse_args(arguments)
    conversations = [load(path) for path in given.conversations]
    embedder = MiniLM(models.locate("minilm"))
    scores = {name: Score() for name in ("search", "BM25", "vector", "BM25 + vector")}
    if given.url:
        ask_all(conversations, _through_http(conversations, given.url), scores["search"])
    else:
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder), embedder) as store:
            ask_all(conversations, _in_process(conversations, store), scores["search"])
    for conversation in conversations:
        controls(conversation, embedder, scores)
    report("recall", [{"method": name, **s.row()} for name, s in scores.items()], given.json)


def ask_all(conversations: Sequence[Conversation], search: Search, score: Score) -> None:
    """Search every question in its own conversation."""
    for conversation in conversations:
        for asked in conversation.questions:
            began = time.perf_counter()
            found = search(conversation, asked.question)
            score.add(asked, found, time.perf_counter() - began)


def _in_process(conversations: Sequence[Conversation], store: Store) -> Search:
    for conversation in conversations:
        store.remember(conversation.stream, conversation.moments, {})

    def search(conversation: Conversation, question: str) -> list[str | None]:
        hits = store.search(Query(question, max(DEPTHS), conversation.stream.id))
        return [hit.observation.ref for hit in hits]

    return search


def _through_http(conversations: Sequence[Conversation], url: str) -> Search:
    for conversation in conversations:
        stream = conversation.stream
        for first in range(0, len(conversation.turns), BATCH):
            observations = [
                {name: getattr(turn, name) for name in _SENT}
                for turn in conversation.turns[first : first + BATCH]
            ]
            body = {"stream_id": stream.id, "wall_start": stream.wall_start.isoformat()}
            _post(url, "/v1/observations", {**body, "observations": observations})

    def search(conversation: Conversation, question: str) -> list[str | None]:
        body = {"query": question, "limit": max(DEPTHS), "stream_id": conversation.stream.id}
        return [result["ref"] for result in _post(url, "/v1/search", body)["results"]]

    return search


_SENT = ("kind", "start", "end", "text", "speaker", "ref")


def _post(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    if token := os.environ.get("LOOKBACK_TOKEN"):
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url.rstrip("/") + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=300) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def controls(conversation: Conversation, embedder: Embedder, scores: dict[str, Score]) -> None:
    """Plain retrieval of the same questions from the same turns."""
    texts = [f"{turn.speaker}: {turn.text}" for turn in conversation.turns]
    refs = [turn.ref for turn in conversation.turns]
    vectors = embedder.embed(texts)
    lexical = PlainBM25(texts)
    for asked in conversation.questions:
        began = time.perf_counter()
        by_words = lexical.scores(asked.question)
        after_words = time.perf_counter()
        by_meaning = vectors @ embedder.embed([asked.question])[0]
        after_meaning = time.perf_counter()
        fused = 1 / (60 + _ranks(by_words)) + 1 / (60 + _ranks(by_meaning))
        took = {
            "BM25": (by_words, after_words - began),
            "vector": (by_meaning, after_meaning - after_words),
            "BM25 + vector": (fused, time.perf_counter() - began),
        }
        for name, (score, seconds) in took.items():
            best = np.argsort(-score, kind="stable")[: max(DEPTHS)]
            scores[name].add(asked, [refs[at] for at in best], seconds)


def _ranks(scores: Any) -> Any:
    return np.argsort(np.argsort(-scores, kind="stable"), kind="stable") + 1


class PlainBM25:
    """Robertson and Zaragoza 2009, over lower-case words without function words or stemming."""

    def __init__(self, texts: Sequence[str], k1: float = 1.2, b: float = 0.75) -> None:
        self._counts = [Counter(_plain(text)) for text in texts]
        lengths = np.array([sum(count.values()) for count in self._counts])
        self._damping = k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-9))
        self._k1 = k1

    def scores(self, query: str) -> Any:
        total = np.zeros(len(self._counts))
        for word in set(_plain(query)):
            found = np.array([count[word] for count in self._counts])
            holding = np.count_nonzero(found)
            rarity = np.log(1 + (len(found) - holding + 0.5) / (holding + 0.5))
            total += rarity * found * (self._k1 + 1) / (found + self._damping)
        return total


def _plain(text: str) -> list[str]:
    return [word for word in re.findall(r"\w+", text.lower()) if word not in FUNCTION_WORDS]
