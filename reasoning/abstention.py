"""The words an abstention is made in, by its reason. Nothing else says that there is no answer."""

from __future__ import annotations

from typing import Literal

Reason = Literal["not in memory", "not seen", "nothing in view", "no longer kept"]


def words_for(reason: Reason, looked_for: str = "") -> str:
    """`looked_for`: the thing as it was asked for, of what was not seen."""
    if reason == "not seen":
        return f"I did not see {looked_for or 'that'}."
    if reason == "no longer kept":
        return "I was watching then but no longer keep the details."
    if reason == "nothing in view":
        return "I don't see anything right now."
    return "I don't have anything about that in memory."
