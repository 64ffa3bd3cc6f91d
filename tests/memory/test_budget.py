from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memory.budget import Pictured, Verdict, Weighed, hold, size_of
from memory.embedder import HashEmbedder
from memory.errors import MomentNotFound
from memory.holding import LEAVING
from memory.likeness import alike, difference_hash
from memory.records import Query, Selection
from memory.salience import novelty, specifics
from memory.store import Store
from perception.records import Moment, Observation
from tests.memory.episodic import content_of, digest_of, remember, said_in, talk
from tests.memory.storing import stream

pytestmark = pytest.mark.unit

EMBEDDER = HashEmbedder()
HOWS = ("kept", "merged", "dropped")
# An hour and a quarter of talk with a picture of 4 kB every half a minute.
HOURS = [
    moment
    for n in range(18)
    for moment in talk(n * 250.0, 250.0, n % 4, pictures=True, every=30.0, seed=n)
]
FIRST = [moment for moment in HOURS if moment.start < 3600]


def seen(n: int, kind: str = "speech", salience: float = 1.0, **more: object) -> Weighed:
    return Weighed(f"o{n}", f"m{n}", kind, n, n + 1.0, f"text {n}", salience, **more)  # type: ignore[arg-type]  # a kind as a word


def shown(n: int, salience: float = 1.0, **more: object) -> Pictured:
    return Pictured(f"m{n}", f"d{n}", 10_000, salience, **more)  # type: ignore[arg-type]  # by name


def picture(seed: int, noise: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    grid = rng.integers(30, 225, (6, 8, 3))
    large = np.kron(grid, np.ones((30, 30, 1))).astype(np.int16)
    if noise:
        large += np.random.default_rng(noise).integers(-4, 5, large.shape, dtype=np.int16)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(large, 0, 255).astype(np.uint8)).save(buffer, "WEBP", quality=60)
    return buffer.getvalue()


def test_nothing_goes_of_an_hour_that_fits() -> None:
    verdict = hold([seen(1)], [shown(1)], 20_000)
    assert verdict == Verdict()


def test_keyframes_go_before_words_the_least_salient_first() -> None:
    observations = [seen(n, salience=n) for n in range(5)]
    verdict = hold(observations, [shown(n, salience=n) for n in range(5)], 40_000)
    assert verdict.keyframes == {"m0": None, "m1": None}
    assert not verdict.dropped


def test_what_stays_longest_is_pinned_then_what_episodes_quote_and_show() -> None:
    observations = [
        seen(0, "vision", 9.0),
        seen(1, "screen_text", 0.1),
        seen(2, quoted=True),
        seen(3, "sound", 0.2, quoted=True),
        seen(4, salience=0.0, pinned=True),
    ]
    pictures = [shown(1, best=True), shown(4, salience=0.0, pinned=True)]
    orders = []
    for target in (22_100, 21_300, 20_800, 20_000, 0):
        verdict = hold(observations, pictures, target)
        orders.append((sorted(verdict.dropped), sorted(verdict.keyframes)))
    assert orders[0][0] == ["o0"]
    assert orders[-1] == (["o0", "o1", "o2", "o3"], ["m1"])
    assert all(set(a[0]) <= set(b[0]) for a, b in zip(orders, orders[1:], strict=False))
    assert orders.index(next(o for o in orders if "o1" in o[0])) <= orders.index(
        next(o for o in orders if "o3" in o[0])
    )


def test_repeated_readings_become_one_and_keep_their_first_and_last() -> None:
    shapes = [replace(seen(n, "screen_text"), text="Menu of the day") for n in range(6)]
    verdict = hold(shapes, [], size_of(shapes, []) - 1)
    assert verdict.merged == {"o1", "o2", "o3", "o4"}
    assert not verdict.dropped


def test_pictures_of_the_same_become_one_but_not_with_another_text_in_them() -> None:
    same = [difference_hash(picture(1, noise)) for noise in (0, 7, 8)]
    other = difference_hash(picture(2))
    assert other is not None
    pictures = [shown(n, hash=h) for n, h in enumerate([*same, other])]
    pictures[2] = replace(pictures[2], reading=frozenset({"pric"}))
    verdict = hold([], pictures, 39_999)
    assert verdict.keyframes == {"m1": "d0"}


def test_a_difference_hash_bears_noise_and_tells_pictures_apart() -> None:
    one, again = difference_hash(picture(3)), difference_hash(picture(3, noise=5))
    other = difference_hash(picture(4))
    assert one is not None
    assert again is not None
    assert other is not None
    assert alike(one, np.stack([again, other])).tolist() == [True, False]
    assert difference_hash(b"no picture") is None


def test_novelty_is_against_what_came_before_only() -> None:
    vectors = EMBEDDER.embed(["red barn", "red barn", "quiet lake", "red barn"])
    found = novelty(vectors)
    assert found[0] == 1.0
    assert found[1] == pytest.approx(0.0, abs=1e-5)
    assert found[2] > 0.5
    assert found[3] == pytest.approx(0.0, abs=1e-5)
    assert len(novelty(vectors[:0])) == 0


def test_names_and_numbers_make_specific() -> None:
    assert specifics("we went out for a while") == 0.0
    assert specifics("the code is 4471") == 0.5
    assert specifics("then Oriel paid 20") == 1.0


def hour(store: Store) -> int:
    """Bytes of the first hour as they lie there: its keyframes, and its rows by the ledger."""
    return int(store._ledger.hours()["cam", 0]["kept_bytes"])


def open_store(path: Path, megabytes: float | None = 0.33, total: float | None = None) -> Store:
    return Store(path, EMBEDDER, budget_mb_per_hour=megabytes, budget_mb=total)


def test_an_hour_is_held_to_its_bytes_and_the_ledger_accounts_for_all(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        remember(store, HOURS)
        store.consolidate()
        ledger = store.stats().ledger
        assert hour(store) <= 330_000
        for what, count in (("observations", 2 * len(FIRST)), ("keyframes", len(FIRST))):
            assert sum(ledger[f"{how}_{what}"] for how in HOWS) == count
        assert ledger["dropped_observations"] == 0
        assert ledger["dropped_keyframes"] > 20
        files = {path.stem for path in (tmp_path / "media").rglob("*.jpg")}
        assert files == {m.keyframe for m in store.timeline("cam") if m.keyframe}
        assert not (tmp_path / LEAVING).exists()
        assert ledger["streams"]["cam"]["hours"] == 1
        late = [m for m in store.timeline("cam") if m.start > 3600]
        assert all(m.keyframe for m in late)


def test_without_a_budget_nothing_goes(tmp_path: Path) -> None:
    with open_store(tmp_path, None) as store:
        remember(store, HOURS)
        store.consolidate()
        assert store.timeline("cam") == HOURS
        assert store.stats().ledger["dropped_bytes"] == 0


def test_feeding_again_brings_nothing_back_and_counts_nothing_twice(tmp_path: Path) -> None:
    with open_store(tmp_path, 0.07) as store:
        remember(store, HOURS)
        store.consolidate()
        accounts = ("kept_", "merged_", "dropped_", "streams", "episodes")
        ledger = {k: v for k, v in store.stats().ledger.items() if k.startswith(accounts)}
        kept = store.timeline("cam")
        remember(store, HOURS)
        store.consolidate()
        assert store.timeline("cam") == kept
        again = {k: store.stats().ledger[k] for k in ledger}
        assert again == ledger
    with open_store(tmp_path, 0.07) as store:
        store.consolidate()
        remember(store, HOURS)
        assert store.timeline("cam") == kept


def test_a_pinned_moment_stays_whole_until_it_is_unpinned(tmp_path: Path) -> None:
    pinned = FIRST[40]
    with open_store(tmp_path, 0.001) as store:
        remember(store, HOURS)
        store.pin([pinned.id])
        assert store.pinned([pinned.id, FIRST[41].id]) == {pinned.id}
        store.consolidate()
        assert store.moment(pinned.id) == pinned
        assert store.keyframe(pinned.id) == content_of(pinned.start)
        store.pin([pinned.id], pinned=False)
        store.consolidate()
        assert pinned.id not in {m.id for m in store.timeline("cam")}
        with pytest.raises(MomentNotFound):
            store.pin(["cam:0000000001"])


def test_what_an_episode_quotes_is_found_when_its_moment_is_gone(tmp_path: Path) -> None:
    planted = [*HOURS]
    planted[30] = said_in(HOURS[30], "Mirabel keeps the spare key 4471 in the blue tin")
    with open_store(tmp_path, 0.007) as store:
        remember(store, planted)
        store.consolidate()
        assert planted[30].id not in {m.id for m in store.timeline("cam")}
        hit = store.search(Query("spare key of Mirabel", stream_id="cam"))[0]
        assert hit.outlived
        assert (hit.moment_id, hit.observation.start) == (planted[30].id, planted[30].start)
        assert "4471" in hit.observation.text
        shown = store.moment(planted[30].id)
        assert "4471" in shown.text
        assert shown.id == planted[30].id
        receipt = store.forget(Selection(moment_ids=(planted[30].id,)))
        assert receipt.episodes == 1
        assert not any("4471" in h.observation.text for h in store.search(Query("4471 Mirabel")))
        assert "4471" not in "".join(e.text for e in store.episodes("cam"))


def test_dropped_spans_are_told_by_time_and_by_words(tmp_path: Path) -> None:
    with open_store(tmp_path, 0.007) as store:
        remember(store, HOURS)
        store.consolidate()
        spans = store.dropped("cam", 100.0, 200.0)
        assert "speech" in {span.kind for span in spans}
        assert store.dropped("cam", 3700.0, 4000.0) == []
        assert store.dropped("cam", text="the harbour crane")
        assert store.dropped("cam", text="a zeppelin") == []
        count = sum(span.count for span in store.dropped("cam"))
        assert count == store.stats().ledger["dropped_observations"]
        store.forget(Selection(stream_id="cam", start=0.0, end=3700.0))
        assert store.dropped("cam", 0.0, 3500.0) == []
        assert store.dropped("cam", text="the harbour crane") == []


def test_giving_up_that_fails_midway_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path, 0.07) as store:
        remember(store, HOURS)
        failing = [True]
        write = store._ledger.write

        def torn(entry: object) -> None:
            if failing and entry.gone:  # type: ignore[attr-defined]  # a ledger's entry
                failing.clear()
                raise RuntimeError("the disk failed")
            write(entry)  # type: ignore[arg-type]  # a ledger's entry

        monkeypatch.setattr(store._ledger, "write", torn)
        while failing:
            try:
                store.consolidate()
            except Exception:
                assert store.timeline("cam") == HOURS
        store.consolidate()
        assert hour(store) <= 70_000
        ledger = store.stats().ledger
        assert ledger["kept_keyframes"] + ledger["dropped_keyframes"] == len(FIRST)


def test_keyframes_that_a_crash_left_are_removed_on_opening(tmp_path: Path) -> None:
    with open_store(tmp_path, 0.07) as store:
        remember(store, FIRST)
        kept = FIRST[3].keyframe
        assert kept is not None
        lost = digest_of(-1.0)
        store.place.media.write(lost, content_of(-1.0))
        store.path.joinpath(LEAVING).write_text(f'["{lost}", "{kept}"]')
    with open_store(tmp_path, 0.07) as store:
        store.consolidate()
        assert store.place.media.size(lost) is None
        assert store.place.media.size(kept) is not None
        assert not (tmp_path / LEAVING).exists()


def test_a_budget_for_all_takes_the_oldest_hours_first(tmp_path: Path) -> None:
    day = [
        moment
        for n in range(40)
        for moment in talk(n * 300.0, 300.0, n % 4, every=60.0, pictures=True, seed=n)
    ]
    with open_store(tmp_path, 10.0, 0.8) as store:
        remember(store, day, batch=120)
        store.consolidate()
        hours = store._ledger.hours()
        with store._upkeep.held_off():
            store._writer.call(store.maintenance.purge)
        assert store.place.bytes() < 1.05 * 800_000  # with episodes, ledger and indexes
        kept = [hours["cam", n]["kept_bytes"] for n in range(3)]
        assert kept == sorted(kept)
        assert sum(kept) < 800_000
        assert len(store.timeline("cam", start=10_900.0)) == len(
            [m for m in day if m.end >= 10_900.0]
        )


def test_a_late_observation_in_a_held_hour_is_kept_and_counted(tmp_path: Path) -> None:
    late = Observation("cam", "speech", 1200.5, 1203.0, "Oriel left 88 crates")
    with open_store(tmp_path, 0.07) as store:
        remember(store, HOURS)
        store.consolidate()
        before = store._ledger.hours()["cam", 0]
        store.remember(stream(), [Moment("cam", 1200.5, 1203.0, (late,))], {})
        store.consolidate()
        after = store._ledger.hours()["cam", 0]
        total = [sum(row[f"{how}_observations"] for how in HOWS) for row in (before, after)]
        assert total[1] == total[0] + 1
        assert store.search(Query("Oriel crates", stream_id="cam"))[0].observation == late


def test_forgetting_a_span_leaves_the_rest_of_its_hour_given_up(tmp_path: Path) -> None:
    """What was given up of the whole hour counted twice when it was fed again."""
    with open_store(tmp_path, 0.007) as store:
        remember(store, HOURS)
        store.consolidate()
        before = counted(store)
        store.forget(Selection(stream_id="cam", start=1200.0, end=1500.0))
        remember(store, HOURS)
        store.consolidate()
        span = [m for m in FIRST if 1200.0 - 65.0 <= m.start <= 1500.0]
        assert 0 < counted(store) - before <= sum(len(m.observations) for m in span)
        after = counted(store)
        remember(store, HOURS)
        store.consolidate()
        assert counted(store) == after


def test_what_was_given_up_before_seconds_were_kept_stays_given_up_till_its_hour_is_forgotten(
    tmp_path: Path,
) -> None:
    with open_store(tmp_path, 0.007) as store:
        remember(store, HOURS)
        store.consolidate()
        kept, before = store.timeline("cam"), counted(store)
        with store._upkeep.held_off():
            store._writer.call(lambda: as_before_m008(store))
    with open_store(tmp_path, 0.007) as store:
        remember(store, HOURS)
        store.consolidate()
        assert (store.timeline("cam"), counted(store)) == (kept, before)
        store.forget(Selection(stream_id="cam", start=1200.0, end=1500.0))
        remember(store, HOURS)
        store.consolidate()
        assert counted(store) > before


def as_before_m008(store: Store) -> None:
    added = ["gone_at", "hours", "outlived_episodes", "outlived_facts", "outlived_bytes"]
    store.tables.ledger.drop_columns(added)
    store.tables.episodes.drop_columns(["alone"])
    store.tables.db.open_table("meta").delete("migration LIKE 'm008%'")
    store._seal()


def counted(store: Store) -> int:
    """Observations of the first hour that were ever held, as the ledger has it."""
    row = store._ledger.hours()["cam", 0]
    return sum(int(row[f"{how}_observations"]) for how in HOWS)
