"""How often what the answering model writes of an episode stands in the episode's quotes.

    python -m bench summaries CONVERSATION.json... [--most 20] [--level 1] [--show 3] [--json]

Each conversation is remembered and compressed; of its episodes, evenly over all of it, the model is
asked for a summary, as it is while a machine is idle. Counted: the sentences that stand in one or two
quotes, and the episodes of which enough do to take the text. The control is the same text checked
against the quotes of another episode, which it was not written from.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.conversations import Conversation, load
from bench.table import report
from memory.embedder import MiniLM
from memory.records import Episode, Quote
from memory.store import Store
from models import locate
from reasoning.evidence import sentences
from reasoning.rewriting import GeneratorRewriter, in_parts, standing, supported
from serve.answering import load_generator, model_name
from serve.settings import load as load_settings


@dataclass(frozen=True, slots=True)
class Written:
    """What the model said of each few quotes of an episode, what of it was taken, in how many
    seconds."""

    episode: Episode
    parts: list[tuple[str, list[Quote]]]
    taken: str
    seconds: float

    @property
    def said(self) -> str:
        return " ".join(text for text, _ in self.parts)


def main(arguments: list[str]) -> None:
    """Entry point of `python -m bench summaries`."""
    parser = argparse.ArgumentParser(prog="bench summaries", description=__doc__)
    parser.add_argument("conversations", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=20, help="episodes of each conversation")
    parser.add_argument("--level", type=int, default=1, help="1 minutes, 2 hours, 3 days")
    parser.add_argument("--show", type=int, default=3, help="texts shown of each conversation")
    parser.add_argument("--json", action="store_true", help="no table on standard output")
    given = parser.parse_args(arguments)
    settings = load_settings()
    rewriter = GeneratorRewriter(load_generator(settings))
    rows = []
    for path in given.conversations:
        chosen = episodes(load(path), given.level, given.most)
        found = asyncio.run(rewritten(rewriter, chosen))
        rows.append({"conversation": path.stem, "model": model_name(settings), **counted(found)})
        for one in [w for w in found if w.taken][: given.show]:
            shown = f"--- {one.episode.id}\nextract: {one.episode.text}\nmodel: {one.taken}\n"
            print(shown, file=sys.stderr)
        for one in [w for w in found if not w.taken][: given.show]:
            print(f"--- refused, {one.episode.id}\nmodel: {one.said}\n", file=sys.stderr)
    report("summaries", rows, given.json)


def episodes(conversation: Conversation, level: int, most: int) -> list[Episode]:
    """The conversation's episodes of a level, evenly over all of it."""
    embedder = MiniLM(locate("minilm"))
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder), embedder) as store:
        store.remember(conversation.stream, conversation.moments, {})
        store.consolidate()
        found = store.episodes(conversation.stream.id, level=level)
    step = max(1, len(found) // most)
    return found[::step][:most]


async def rewritten(rewriter: GeneratorRewriter, chosen: Sequence[Episode]) -> list[Written]:
    """What the model makes of each, as it would in the background."""
    found = []
    for episode in chosen:
        began = time.perf_counter()
        parts = [(await rewriter.written(part), part) for part in in_parts(episode.quotes)]
        seconds = time.perf_counter() - began
        found.append(Written(episode, parts, standing(parts), seconds))
    return found


def counted(found: Sequence[Written]) -> dict[str, float]:
    """Shares of episodes, of sentences, and the control."""
    others = [*found[1:], *found[:1]]
    said = [sentence for one in found for sentence in sentences(one.said)]
    kept = [n for one in found for n in supported(one.said, _pairs(one))]
    wrong = [
        n
        for one, other in zip(found, others, strict=True)
        for n in supported(one.said, _pairs(other))
    ]
    return {
        "episodes": len(found),
        "taken": sum(bool(one.taken) for one in found) / max(1, len(found)),
        "sentences": len(said),
        "that stand": len(kept) / max(1, len(said)),
        "in another's quotes": len(wrong) / max(1, len(said)),
        "seconds each": sum(one.seconds for one in found) / max(1, len(found)),
    }


def _pairs(one: Written) -> list[tuple[str, str]]:
    quotes = [quote.observation for _, part in one.parts for quote in part]
    return [(seen.speaker or "", seen.text) for seen in quotes]
