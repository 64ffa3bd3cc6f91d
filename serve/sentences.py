"""Text that comes in pieces, as the sentences to be said."""

from __future__ import annotations

import re

# A full stop ends a sentence where a capital follows; not in "9.30", and not after a title.
_END = re.compile(
    r"(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bSt)(?<!\bNo)[.!?][\"')]*\s+(?=[A-Z\"'])"
)


class Sentences:
    """Give it text as it comes; it gives whole sentences. `rest` ends it."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, piece: str) -> list[str]:
        """The sentences that are now known to be whole."""
        self._text += piece
        whole = []
        while match := _END.search(self._text):
            whole.append(self._text[: match.end()].strip())
            self._text = self._text[match.end() :]
        return [one for one in whole if one]

    @property
    def ready(self) -> str:
        """What may be the last sentence: it ends like one, and nothing follows yet."""
        text = self._text.strip()
        return text if text.endswith((".", "!", "?")) else ""

    def rest(self) -> list[str]:
        """What is left, as the last sentence."""
        left, self._text = self._text.strip(), ""
        return [left] if left else []


def same_words(heard: str, spoken: str) -> float:
    """Share of the words of `heard` that stand in `spoken`, in the same order; [0, 1]."""
    said = _words(spoken)
    mine = _words(heard)
    if not mine:
        return 0.0
    # Length of the longest common subsequence.
    row = [0] * (len(said) + 1)
    for word in mine:
        before = 0
        for at, other in enumerate(said, 1):
            here = row[at]
            row[at] = before + 1 if word == other else max(row[at], row[at - 1])
            before = here
    return row[-1] / len(mine)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())
