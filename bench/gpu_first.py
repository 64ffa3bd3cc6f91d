"""Milliseconds to the first token, by how much of what a question is shown was there before."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence

from bench.gpu_answers import LIVE, Answers, First, positions_of
from bench.gpu_floor import Peak, milliseconds, of_prompt
from bench.gpu_parts import Row, Rows

FIRST_TOKEN_MS = 250  # wanted on one H100, with 4 live frames and 4 remembered ones


async def first_tokens(answers: Answers, peak: Peak | None) -> Rows:
    """Milliseconds to the first token for each number of pictures, by what is kept from before."""
    for count in answers.sizes.counts:
        for kept, asking in KEPT.items():
            tries = [await asking(answers, count) for _ in range(answers.sizes.tries + 1)]
            yield _first_row(answers, peak, count, kept, tries[1:])  # the first one warms up


def _first_row(
    answers: Answers, peak: Peak | None, count: int, kept: str, tries: Sequence[First]
) -> Row:
    times = sorted(one.seconds * 1e3 for one in tries)
    one = tries[-1]
    _, patches = positions_of(answers, count)
    work = of_prompt(answers.checkpoint.model, one.computed, one.encoded, patches)
    wanted = count == 2 * LIVE and kept in (PICTURES_KEPT, PREPARED)
    return {
        "pictures": count,
        "kept": kept,
        "p50 ms": round(statistics.median(times), 1),
        "slowest ms": round(times[-1], 1),
        "floor ms": milliseconds(work, peak),
        "wanted ms": FIRST_TOKEN_MS if wanted else None,
        "positions computed": one.computed,
        "pictures encoded": one.encoded,
    }


async def _cold(answers: Answers, count: int) -> First:
    await answers.forget(pictures=True)
    return await answers.first(answers.prompt(answers.pictures.take(count), "What is this?"))


async def _live(answers: Answers, count: int) -> First:
    """As a question comes in use: keyframes that were shown before, and the frames of now."""
    return await _as_asked(answers, count, prepared=False)


async def _prepared(answers: Answers, count: int) -> First:
    """The same, and its notes and keyframes were read while it was being spoken."""
    return await _as_asked(answers, count, prepared=True)


async def _as_asked(answers: Answers, count: int, prepared: bool) -> First:
    remembered = answers.pictures.take(max(0, count - LIVE))
    await answers.first(answers.prompt(remembered, "What was there?"))
    if not prepared:
        await answers.forget(pictures=False)
    now = answers.pictures.take(min(LIVE, count), live=True)
    return await answers.first(answers.prompt((*remembered, *now), "What is this?"))


async def _again(answers: Answers, count: int) -> First:
    return await _shown_before(answers, count, prefix=False)


async def _followed(answers: Answers, count: int) -> First:
    return await _shown_before(answers, count, prefix=True)


async def _shown_before(answers: Answers, count: int, prefix: bool) -> First:
    shown = answers.pictures.take(count)
    await answers.first(answers.prompt(shown, "What is on the left?"))
    if not prefix:
        await answers.forget(pictures=False)
    return await answers.first(answers.prompt(shown, "Who stands there?"))


PICTURES_KEPT = "all pictures but 4 live"
PREPARED = "all but 4 live, and their KV"
KEPT: dict[str, Callable[[Answers, int], Awaitable[First]]] = {
    "nothing": _cold,
    PICTURES_KEPT: _live,
    PREPARED: _prepared,
    "all pictures": _again,
    "all pictures and their KV": _followed,
}
