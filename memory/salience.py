"""Salience: how much would be missed if an observation or a keyframe were no longer there.

    salience = kind + novelty + mention + specifics + fact + use, and without limit when pinned

kind       what cannot be had again: speech 2, text read 1, sounds and tags 0.5
novelty    1 - the greatest cosine with what its hour held of its kind before it, in [0, 1]
mention    the share of its words that somebody says in the same hour, in [0, 1]; a thing that is
           shown and spoken of is worth more than either alone
specifics  numbers and names in it, up to two: 0.5 each; they are what is asked for later
fact       what a fact rests on that still holds gains 2: more than any of the rest
use        a moment within `USED_WITHIN` seconds of a question to the agent gains 0.5
pinned     a pinned moment is never given up
A keyframe is worth its moment's best observation and the novelty of the picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

KINDS = {"speech": 2.0, "screen_text": 1.0, "sound": 0.5, "vision": 0.5}
FACT = 2.0
USED, USED_WITHIN = 0.5, 10.0
COMPARED = 256  # of its kind before it; more would cost without telling more

_NUMBER = re.compile(r"\d[\d.,:]*")
_NAME = re.compile(r"(?<![.!?:\n\"/])(?<!^)\s[\"'(]?([A-Z\u00c0-\u00de][\w'-]+)")


def specifics(text: str) -> float:
    """Numbers and names in the text, up to two: 0.5 each."""
    found = {m.group() for m in _NUMBER.finditer(text)} | set(_NAME.findall(text))
    return 0.5 * min(2, len(found))


def novelty(vectors: Floats) -> Floats:
    """Of each row (float32 [n, 384], unit length, in order of time) beside those before it."""
    found = np.ones(len(vectors), np.float32)
    for first in range(0, len(vectors), COMPARED):
        block = vectors[first : first + COMPARED]
        since = max(0, first - COMPARED)
        cosines = block @ vectors[since : first + len(block)].T
        own = np.arange(len(block)) + first - since
        earlier = np.arange(cosines.shape[1])[None, :] < own[:, None]
        nearest = np.where(earlier, cosines, -1.0).max(axis=1, initial=-1.0)
        found[first : first + len(block)] = np.clip(1.0 - nearest, 0.0, 1.0)
    return found


def mention(terms: Sequence[str], said: frozenset[str]) -> float:
    """The share of the terms that are among those said."""
    return sum(term in said for term in terms) / len(terms) if terms else 0.0
