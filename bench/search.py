"""How long a search takes while the store is being written to, beside Lance's own hybrid search.

    python -m bench search [--rows 10000 --rows 100000] [--questions 200] [--rate 10] [--json]

A store of made-up talk, speakers and all, is filled; then questions are searched one after another
while another thread remembers `--rate` new observations a second. "overlap" is the share of the
ten best by exact scoring of every row that search finds too: it skips most rows by a rough score.
The control is a hybrid query (vector and full text, fused by reciprocal rank) of a table of the same
rows with float32 vectors and a full-text index of LanceDB's, in the same run. Both embed with MiniLM.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from lancedb.index import FTS
from lancedb.rerankers import RRFReranker
from lancedb.table import LanceTable

import models
from bench.table import report
from memory.embedder import Embedder, MiniLM, Vectors
from memory.ranking import WEIGHTS
from memory.records import Query
from memory.search import Searcher
from memory.store import Store
from memory.tables import (
    DIMENSIONS,
    MOMENTS,
    STREAMS,
    Tables,
    connect,
    moment_row,
    observation_batch,
    observation_row,
    open_tables,
    stream_row,
    vectors_of,
)
from perception.records import Moment, Observation, Stream

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
FILLED_AT_ONCE = 20_000
VOCABULARY = 20_000  # words; the n-th is said 1/n as often as the first
SPEAKERS = ("Ada", "Boris", "Chiara", "Deniz", "Emeka", "Freya")
STREAMS_FILLED = 8
SECONDS_EACH = 6.0
LIMIT = 10
WARM_UP = 10  # questions
COMPARED = 40  # questions whose results are compared with exact ones
SEED = 5


@dataclass(frozen=True, slots=True)
class Talk:
    """Made-up words, and how often each is said."""

    words: tuple[str, ...]
    shares: Any  # float64 [words]
    directions: Vectors  # float32 [words, 384]: a text's vector is the sum of its words'

    def text(self, random: np.random.Generator) -> tuple[str, Any]:
        """What one says, and the numbers of its words."""
        chosen = random.choice(len(self.words), random.integers(5, 18), p=self.shares)
        said = " ".join(self.words[n] for n in chosen)
        return said.capitalize() + ".", chosen


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench search`."""
    parser = argparse.ArgumentParser(prog="bench search", description=__doc__)
    parser.add_argument("--rows", type=int, action="append", help="observations [10000, 100000]")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rate", type=float, default=10.0, help="observations written a second")
    parser.add_argument("--json", action="store_true", help="no table on standard output")
    given = parser.parse_args(arguments)
    embedder = MiniLM(models.locate("minilm"))
    rows = []
    for size in given.rows or (10_000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            rows += measured(Path(folder), size, given.questions, given.rate, embedder)
    report("search", rows, given.json)


def measured(
    folder: Path,
    size: int,
    questions: int,
    rate: float,
    embedder: Embedder,
    controlled: bool = True,
) -> list[dict[str, Any]]:
    """A row of search and, where it is asked for, one of its control."""
    random = np.random.default_rng(SEED)
    talk = made_up(random)
    asked = fill(folder, size, questions + WARM_UP, talk, random)
    with Store(folder, embedder) as store:

        def search(question: str) -> list[str]:
            return [hit.observation.id for hit in store.search(Query(question, LIMIT))]

        def hybrid(question: str) -> list[str]:
            query = control.search(query_type="hybrid")
            query = query.vector(embedder.embed([question])[0]).text(question)
            found = query.rerank(RRFReranker()).limit(LIMIT).to_arrow()
            ids: list[str] = found["id"].to_pylist()
            return ids

        methods = {"search": search}
        if controlled:
            control = in_full(store.tables)
            methods["Lance hybrid (RRF)"] = hybrid
        took: dict[str, list[float]] = {name: [] for name in methods}
        with written_to(store, rate, talk) as written:
            for number, question in enumerate(asked):
                for name, method in methods.items():
                    began = time.perf_counter()
                    method(question)
                    if number >= WARM_UP:
                        took[name].append(time.perf_counter() - began)
        searcher = Searcher(store.tables, embedder)
        shares = [overlap(searcher, question) for question in asked[:COMPARED]]
    return [
        {
            "rows": size,
            "method": name,
            "p50 ms": float(np.percentile(seconds, 50)) * 1e3,
            "p95 ms": float(np.percentile(seconds, 95)) * 1e3,
            "max ms": max(seconds) * 1e3,
            "overlap": float(np.mean(shares)) if name == "search" else None,
            "written/s": written[0] / written[1],
        }
        for name, seconds in took.items()
    ]


def in_full(tables: Tables) -> LanceTable:
    """A table of the observations as LanceDB's own search wants them."""
    held = tables.observations.search().select(["id", "text", "vector"]).to_arrow()
    flat = pa.array(vectors_of(held).ravel())
    vectors = pa.FixedSizeListArray.from_arrays(flat, DIMENSIONS)
    rows = held.drop_columns(["vector"]).append_column("vector", vectors)
    made = cast(LanceTable, tables.db.create_table("control", rows))
    made.create_index("text", config=FTS(remove_stop_words=False))
    return made


def made_up(random: np.random.Generator) -> Talk:
    """A vocabulary whose frequencies fall as those of a language do (Zipf)."""
    syllables = [c + v for c in "bdfgklmnprstvz" for v in ("a", "e", "i", "o", "u", "ar", "en")]
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        words["".join(random.choice(syllables, random.integers(2, 5)))] = None
    shares = 1 / np.arange(1, VOCABULARY + 1)
    directions = random.standard_normal((VOCABULARY, DIMENSIONS)).astype(np.float32)
    return Talk(tuple(words), shares / shares.sum(), directions)


def fill(
    folder: Path, size: int, questions: int, talk: Talk, random: np.random.Generator
) -> list[str]:
    """Write that many observations; questions of four words that one of them holds."""
    tables = open_tables(connect(str(folder / "tables")))
    each = -(-size // STREAMS_FILLED)
    wanted = set(random.integers(0, size, questions).tolist())
    asked = []
    for first in range(0, size, FILLED_AT_ONCE):
        rows, vectors, moments = [], [], []
        for number in range(first, min(size, first + FILLED_AT_ONCE)):
            text, chosen = talk.text(random)
            start = number % each * SECONDS_EACH
            speaker = SPEAKERS[number % len(SPEAKERS)]
            stream_id = f"stream-{number // each}"
            seen = Observation(stream_id, "speech", start, start + 4, text, speaker)
            moment = Moment(stream_id, start, start + SECONDS_EACH, (seen,))
            rows.append(observation_row(seen, moment.id, BEGAN))
            moments.append(moment_row(moment))
            vectors.append(talk.directions[chosen].sum(axis=0))
            if number in wanted:
                four = sorted(set(chosen.tolist()))[-4:]
                said = " ".join(talk.words[n] for n in four)
                asked.append(f"What did {random.choice(SPEAKERS)} say about {said}?")
        unit = np.stack(vectors)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        tables.observations.add(observation_batch(rows, unit))
        tables.moments.add(pa.Table.from_pylist(moments, MOMENTS))
    streams = [
        stream_row(Stream(f"stream-{n}", BEGAN, "made", each * SECONDS_EACH))
        for n in range(STREAMS_FILLED)
    ]
    tables.streams.add(pa.Table.from_pylist(streams, STREAMS))
    random.shuffle(asked)
    return asked


@contextmanager
def written_to(store: Store, rate: float, talk: Talk) -> Iterator[list[float]]:
    """Remembers observations at that rate meanwhile, from as many streams as cameras would send one
    a second each; gives [how many, in how many seconds]."""
    senders = max(1, round(rate))
    ended, counting = threading.Event(), threading.Lock()
    written = [0.0, 1e-9]
    began = time.monotonic()

    def write(number: int) -> None:
        random = np.random.default_rng(SEED + 1 + number)
        name, every = f"live{number}", senders / rate
        stream = Stream(name, BEGAN, "made")
        due = began + every * number / senders
        while not ended.wait(max(0.0, due - time.monotonic())):
            start = due - began
            seen = Observation(name, "speech", start, start + 0.05, talk.text(random)[0], "Ada")
            store.remember(stream, [Moment(name, start, start + 0.1, (seen,))], {})
            due += every
            with counting:
                written[0] += 1
                written[1] = time.monotonic() - began

    writers = [threading.Thread(target=write, args=(n,)) for n in range(senders if rate else 0)]
    for writer in writers:
        writer.start()
    try:
        yield written
    finally:
        ended.set()
        for writer in writers:
            writer.join()


def overlap(searcher: Searcher, question: str) -> float:
    """The share of the best by exact scoring of every row that search finds."""
    query = Query(question, LIMIT)
    ids, features = searcher.features(query)
    best = np.argsort(-(features @ WEIGHTS), kind="stable")[:LIMIT]
    found = {hit.observation.id for hit in searcher.search(query)}
    return len(found & {ids[at] for at in best}) / LIMIT
