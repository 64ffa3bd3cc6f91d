from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from memory.consolidate import QUIET
from memory.embedder import HashEmbedder
from memory.episodes import LEVELS, Unit, segments
from memory.records import Episode
from memory.store import Store
from memory.words import stems
from perception.records import Moment, Observation
from tests.memory.episodic import remember, said_in, talk
from tests.memory.storing import BEGAN, stream

pytestmark = pytest.mark.unit

DAY = [
    *talk(0, 240, 0),
    *talk(240, 300, 1),
    *talk(1200, 420, 2),
    *talk(1620, 900, 3),
    *talk(2520, 1500, 0, seed=1),
]
EMBEDDER = HashEmbedder()


def units(moments: Sequence[Moment]) -> list[Unit]:
    made = []
    for moment in moments:
        spoken, seen = moment.observations
        vectors = EMBEDDER.embed([spoken.text, seen.text])
        terms = Counter(stems(spoken.text))
        speakers = frozenset({spoken.speaker or ""})
        made.append(Unit(moment.start, moment.end, vectors[0], vectors[1], terms, speakers))
    return made


def ends(moments: Sequence[Moment], closed: Sequence[tuple[int, int]]) -> list[float]:
    return [moments[past].start if past < len(moments) else -1.0 for _, past in closed]


def test_an_episode_ends_where_the_topic_does_or_a_pause_begins() -> None:
    found = ends(DAY, segments(units(DAY), LEVELS[1], ended=True))
    assert found[:3] == [240.0, 1200.0, 1620.0]


def test_an_episode_is_neither_shorter_nor_longer_than_its_level_allows() -> None:
    closed = segments(units(DAY), LEVELS[1], ended=True)
    lengths = [DAY[past - 1].end - DAY[first].start for first, past in closed]
    assert all(LEVELS[1].shortest - 6 <= length <= LEVELS[1].longest + 6 for length in lengths)
    assert sum(past - first for first, past in closed) == len(DAY)


@pytest.mark.parametrize("step", [1, 7, 50])
def test_boundaries_do_not_depend_on_how_moments_arrive(step: int) -> None:
    whole = units(DAY)
    expected = segments(whole, LEVELS[1])
    found: list[tuple[int, int]] = []
    for have in range(step, len(whole) + step, step):
        first = found[-1][1] if found else 0
        for a, b in segments(whole[first:have], LEVELS[1]):
            found.append((first + a, first + b))
    assert found == expected


def test_the_tail_stays_open_until_nothing_more_can_move_its_end() -> None:
    short = units(talk(0, 500, 0))
    assert segments(short, LEVELS[1]) == []
    assert segments(short, LEVELS[1], ended=True) == [(0, len(short))]
    assert segments([], LEVELS[1], ended=True) == []


def test_a_moment_longer_than_any_episode_is_one_by_itself() -> None:
    long = Unit(0.0, 4000.0, np.ones(384, np.float32), None)
    after = Unit(4100.0, 4110.0, np.ones(384, np.float32), None)
    assert segments([long, after], LEVELS[1], ended=True) == [(0, 2)] or segments(
        [long, after], LEVELS[1], ended=True
    ) == [(0, 1), (1, 2)]


def closed(store: Store, level: int = 1) -> list[Episode]:
    return store.episodes("cam", level=level)


def test_moments_become_episodes_with_quotes_and_pointers_back(tmp_path: Path) -> None:
    planted = [*DAY]
    planted[10] = said_in(DAY[10], "Mirabel keeps the spare key 4471 in the blue tin")
    with Store(tmp_path, EMBEDDER) as store:
        remember(store, planted)
        store.consolidate()
        first, second, *_ = closed(store)
        assert (first.start, first.children[0]) == (0.0, planted[0].id)
        assert first.moments == len(first.children) == 40
        assert second.start == 240.0
        assert "4471" in first.text
        assert first.quotes[0].observation.text.startswith("Mirabel")
        assert first.quotes[0].moment_id == planted[10].id
        assert "crane" in first.text
        assert first.written == "extract"
        assert store.episodes("cam", start=1300.0, end=1400.0)[0].start == 1200.0


def test_feeding_in_pieces_and_feeding_twice_give_the_same_episodes(tmp_path: Path) -> None:
    with Store(tmp_path / "a", EMBEDDER) as store:
        remember(store, DAY)
        store.consolidate()
        expected = closed(store)
    with Store(tmp_path / "b", EMBEDDER) as store:
        for first in range(0, len(DAY), 23):
            remember(store, DAY[first : first + 23])
            store.consolidate()
        remember(store, DAY)
        store.consolidate()
        version = store.tables.episodes.version
        assert closed(store) == expected
    with Store(tmp_path / "b", EMBEDDER) as store:
        store.consolidate()
        assert closed(store) == expected
        assert store.tables.episodes.version == version


def test_a_stream_that_fell_quiet_has_its_last_episodes_closed(tmp_path: Path) -> None:
    now = [0.0]
    with Store(tmp_path, EMBEDDER) as store:
        store._longterm.consolidation._clock = lambda: now[0]
        remember(store, talk(0, 200, 0))
        store.consolidate()
        assert closed(store) == []
        now[0] = QUIET + 1
        store.consolidate()
        assert [len(closed(store, level)) for level in (1, 2, 3)] == [1, 1, 1]
        assert closed(store, 3)[0].children == (closed(store, 2)[0].id,)


def test_what_comes_late_is_taken_into_its_episode_and_those_above(tmp_path: Path) -> None:
    late = DAY[20]
    now = [0.0]
    with Store(tmp_path, EMBEDDER) as store:
        store._longterm.consolidation._clock = lambda: now[0]
        remember(store, [moment for moment in DAY if moment is not late])
        store.consolidate()
        now[0] = QUIET + 1
        store.consolidate()
        before = closed(store)
        assert late.id not in before[0].children
        spoken = Observation("cam", "speech", late.start, late.start + 2, "Code 9914 for Oriel")
        store.remember(stream(), [Moment("cam", late.start, late.end, (spoken,))], {})
        store.consolidate()
        after = closed(store)
        assert late.id in after[0].children
        assert after[1:] == before[1:]
        assert any("9914" in quote.observation.text for quote in closed(store, 3)[0].quotes)
        assert closed(store, 3)[0].moments == len(DAY)
        assert after[0].wall_start == BEGAN


def test_a_stream_without_words_still_has_episodes(tmp_path: Path) -> None:
    moments = [Moment("cam", n * 10.0, n * 10.0 + 9, ()) for n in range(200)]
    with Store(tmp_path, EMBEDDER) as store:
        remember(store, moments)
        store.consolidate()
        assert closed(store)
        assert closed(store)[0].text == ""
