"""A deployment's handle without Ray: its methods answer, fail or wait as they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any


class Pieces:
    """What a streaming call returns."""

    def __init__(self, pieces: AsyncIterator[Any]) -> None:
        self._pieces = pieces
        self.cancelled = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._pieces

    def cancel(self) -> None:
        self.cancelled = True


class FakeHandle:
    """`methods`: by name, what a call returns: something awaitable, or an async iterator."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        self._methods = methods

    def options(self, **_: Any) -> FakeHandle:
        return self

    def __getattr__(self, name: str) -> Any:
        return _Method(self._methods[name])


class _Method:
    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def remote(self, *arguments: Any) -> Awaitable[Any] | Pieces:
        given: Any = self._call(*arguments)
        return Pieces(given) if hasattr(given, "__aiter__") else given
