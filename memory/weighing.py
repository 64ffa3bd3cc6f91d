"""What each observation and each keyframe of an hour is worth: `salience.py` over its moments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from memory.budget import Pictured, Weighed
from memory.compress import Held
from memory.likeness import Hash
from memory.salience import FACT, KINDS, USED, USED_WITHIN, mention, novelty, specifics
from memory.tables import DIMENSIONS
from memory.words import stems


def weighed(
    moments: Sequence[Held], quoted: set[str], pinned: set[str], stating: set[str]
) -> tuple[Weighed, ...]:
    """Every observation with its salience, in order of time within each kind. `stating`: facts rest
    on these."""
    said: Counter[str] = Counter()
    asked = []
    for moment in moments:
        for seen in moment.observations:
            if seen.kind == "speech":
                said.update(set(stems(seen.text)))
                if seen.role == "question":
                    asked.append(seen.start)
    spoken = frozenset(said)
    repeated = frozenset(term for term, count in said.items() if count > 1)
    found = []
    for kind, worth in KINDS.items():
        own = [
            (moment, seen, vector)
            for moment in moments
            for seen, vector in zip(moment.observations, moment.vectors, strict=True)
            if seen.kind == kind
        ]
        fresh = novelty(np.stack([vector for _, _, vector in own])) if own else ()
        for (moment, seen, _), new in zip(own, fresh, strict=True):
            salience = worth + float(new) + specifics(seen.text)
            salience += mention(stems(seen.text), repeated if kind == "speech" else spoken)
            salience += FACT * (seen.id in stating)
            salience += USED * any(abs(at - moment.start) <= USED_WITHIN for at in asked)
            found.append(
                Weighed(
                    id=seen.id,
                    moment_id=moment.id,
                    kind=seen.kind,
                    start=seen.start,
                    end=seen.end,
                    text=seen.text,
                    salience=salience,
                    quoted=seen.id in quoted,
                    pinned=moment.id in pinned,
                )
            )
    return tuple(found)


def pictured(
    moments: Sequence[Held],
    observations: Sequence[Weighed],
    sizes: Mapping[str, int],
    best: set[str],
    pinned: set[str],
    hashes: Mapping[str, Hash | None],
) -> tuple[Pictured, ...]:
    """Every moment's keyframe with its salience, in order of time."""
    worth: dict[str, float] = {}
    read: dict[str, set[str]] = {}
    for seen in observations:
        worth[seen.moment_id] = max(worth.get(seen.moment_id, 0.0), seen.salience)
        if seen.kind == "screen_text":
            read.setdefault(seen.moment_id, set()).update(stems(seen.text))
    shown = [moment for moment in moments if moment.keyframe is not None]
    seen_vectors = [_seen(moment) for moment in shown]
    fresh = novelty(np.stack(seen_vectors)) if shown else ()
    return tuple(
        Pictured(
            moment_id=moment.id,
            digest=moment.keyframe or "",
            bytes=sizes.get(moment.keyframe or "", 0),
            salience=worth.get(moment.id, 0.0) + float(new),
            hash=hashes.get(moment.keyframe or ""),
            reading=frozenset(read.get(moment.id, ())),
            best=moment.keyframe in best,
            pinned=moment.id in pinned,
        )
        for moment, new in zip(shown, fresh, strict=True)
    )


def _seen(moment: Held) -> npt.NDArray[np.float32]:
    at = [n for n, seen in enumerate(moment.observations) if seen.kind == "vision"]
    if not at:
        return np.zeros(DIMENSIONS, np.float32)
    total: npt.NDArray[np.float32] = moment.vectors[at].sum(axis=0)
    return total / np.float32(np.linalg.norm(total) or 1.0)
