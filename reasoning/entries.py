"""A screen that lists several things: which lines belong to which, so that a code, a price or a
name is read off the entry it was asked of."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from reasoning.words import words

_VALUE = re.compile(r"(?:^|[\s:=])(?P<value>[$€£]?\d[\d:.,-]*\d|\d)\W*$")

_LABEL = re.compile(r"^[^\W\d][^:]{1,40}:\s+\S")


@dataclass(frozen=True, slots=True)
class Listing:
    """`shared`: what stands above the entries and goes for all; `entries` as text, in order. Where
    they are not `apart`, what is asked may be told by several of them."""

    shared: str
    entries: tuple[str, ...]
    apart: bool = True


def listing(text: str) -> Listing | None:
    """The entries of a screen, or None if it does not list any."""
    lines = [line.strip() for line in re.split(r"\n| / ", text) if line.strip()]
    if len(lines) < 2:
        return None
    return _by_heading(lines) or _by_value(lines) or _by_label(lines)


def _by_heading(lines: list[str]) -> Listing | None:
    """Lines that begin with one word, "Project Aurora" and "Project Borealis", head an entry each."""
    firsts = [w[0].lower if (w := words(line)) else "" for line in lines]
    counted = Counter(f for f in firsts if len(f) > 2 and f.isalpha())
    head = next((f for f in firsts if counted[f] > 1), None)
    if head is None:
        return None
    heads = [n for n, first in enumerate(firsts) if first == head]
    labels = all(lines[n].lower().startswith(f"{head}:") for n in heads)
    if labels and heads[0] > 0 and len(heads) * 2 <= len(lines):
        # "contact: Ann" twice is what the entries say; what heads them stands above it.
        heads = [n - heads[0] for n in heads]
    ends = [*heads[1:], len(lines)]
    return Listing(
        "\n".join(lines[: heads[0]]),
        tuple("\n".join(lines[a:b]) for a, b in zip(heads, ends, strict=True)),
    )


def _by_value(lines: list[str]) -> Listing | None:
    """Lines that end in values of one shape, "Espresso 2.80" and "Croissant 3.10"; a value that
    stands alone belongs to the line above it."""
    values = [m["value"] if (m := _VALUE.search(line)) else "" for line in lines]
    shapes = Counter(_shape(v) for v in values if v)
    shape, often = shapes.most_common(1)[0] if shapes else ("", 0)
    if often < 2:
        return None
    ends = [n for n, v in enumerate(values) if v and _shape(v) == shape]
    bare = [n for n in ends if lines[n] == values[n]]
    if any(n == 0 or n - 1 in ends for n in bare):
        return None  # names in one column, values in the next: which is whose is lost
    starts = [n - (n in bare) for n in ends]
    inside = {n for a, b in zip(starts, ends, strict=True) for n in range(a, b + 1)}
    return Listing(
        "\n".join(line for n, line in enumerate(lines) if n not in inside),
        tuple("\n".join(lines[a : b + 1]) for a, b in zip(starts, ends, strict=True)),
    )


def _by_label(lines: list[str]) -> Listing | None:
    """Lines that begin with what they are about: "Mower: 12 April" and "Chainsaw: 30 June"."""
    labelled = [line for line in lines if _LABEL.match(line)]
    if len(labelled) < 2:
        return None
    shared = [line for line in lines if line not in labelled]
    return Listing("\n".join(shared), tuple(labelled), apart=False)


def _shape(value: str) -> str:
    """Prices, times and small numbers are of one shape however many digits they have, codes are not."""
    return re.sub(r"\d" if value.isdigit() and len(value) > 2 else r"\d+", "0", value)
