"""A deployment's handle without Ray: its methods answer, fail or wait as they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any


class Pieces:
    """What a streaming call returns. Cancelled once it has failed, it raises what it failed with."""

    def __init__(self, pieces: AsyncIterator[Any]) -> None:
        self._pieces = pieces
        self._failure: Exception | None = None
        self.cancelled = False

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for piece in self._pieces:
                yield piece
        except Exception as error:
            self._failure = error
            raise

    def cancel(self) -> None:
        self.cancelled = True
        if self._failure is not None:
            raise self._failure


class FakeHandle:
    """`methods`: by name, what a call returns: something awaitable, or an async iterator."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        self._methods = methods
        self.copies = 0

    def options(self, **_: Any) -> FakeHandle:
        self.copies += 1
        return self

    def __getattr__(self, name: str) -> Any:
        return _Method(self._methods[name])


class _Method:
    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def remote(self, *arguments: Any) -> Awaitable[Any] | Pieces:
        given: Any = self._call(*arguments)
        return Pieces(given) if hasattr(given, "__aiter__") else given
