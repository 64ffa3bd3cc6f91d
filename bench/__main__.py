"""`python -m bench NAME ...`: one module of this package per figure, each with its own --help."""

from __future__ import annotations

import importlib
import sys

BENCHES = {
    "replay": "speed of each stage, times real time",
    "answers": "answers right, beside two controls",
    "live": "conversation over WebRTC, in real time",
    "kill": "SIGKILL at random moments, and what the store holds afterwards",
    "search": "search while writing, beside Lance's hybrid search",
    "recall": "evidence found by search, beside plain retrieval",
    "memory": "planted facts after a day, bytes per hour, beside controls",
    "weeks": "weeks of a stream under a budget: what they weigh, what is still told of them",
    "summaries": "how much of what the model writes of episodes stands in their quotes",
    "ranking": "ranking weights refined by what answers cite, before and after",
    "scale": "streams by plan, simulated from what each stage costs",
    "gpu": "seeing and answering on one GPU, beside the control and the floor",
    "weights": "the weights of the ranking, with each conversation left out in turn",
}


def main() -> None:
    """Run the bench that the first argument names; exit status 2 if there is none such."""
    arguments = sys.argv[1:]
    if arguments[:1] and arguments[0] in BENCHES:
        importlib.import_module(f"bench.{arguments[0]}").main(arguments[1:])
        return
    shown = arguments[:1] in (["-h"], ["--help"])
    lines = [f"  {name:10}{what}" for name, what in BENCHES.items()]
    text = "\n".join(["usage: python -m bench NAME ...", *lines])
    print(text, file=sys.stdout if shown else sys.stderr)
    sys.exit(0 if shown else 2)


if __name__ == "__main__":
    main()
