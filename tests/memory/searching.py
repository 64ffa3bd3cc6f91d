"""What the tests of search write with: small conversations in a store of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from memory.records import Query
from memory.store import Store
from perception.records import Kind, Moment, Observation, Role, Stream

BEGAN = datetime(2025, 4, 2, 8, 0, tzinfo=UTC)


def heard(
    start: float,
    text: str,
    *,
    stream_id: str = "yard",
    speaker: str | None = None,
    kind: Kind = "speech",
    role: Role = "statement",
) -> Observation:
    return Observation(stream_id, kind, start, start + 3.0, text, speaker, role=role)


def remember(store: Store, observations: Sequence[Observation], batch: int = 50) -> None:
    for first in range(0, len(observations), batch):
        for observation in observations[first : first + batch]:
            moment = Moment(
                observation.stream_id, observation.start, observation.end, (observation,)
            )
            store.remember(Stream(observation.stream_id, BEGAN), [moment], {})


def texts(store: Store, query: str, **filters: object) -> list[str]:
    return [hit.observation.text for hit in store.search(Query(query, **filters))]  # type: ignore[arg-type]  # a stand-in, or the generator behind an iterator
