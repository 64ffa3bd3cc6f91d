"""The store: a memory, in a folder or in a bucket. Read this first, then `writer.py`, `upkeep.py`.

`place.py` says where the parts lie: the tables (LanceDB: streams, moments, observations, facts,
corrections, episodes, ledger, pins, pictures, meta), the keyframes, who writes, and which versions
of the tables belong together. `replica.py` reads it beside its writer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self

from memory.captions import Captioned
from memory.embedder import Embedder
from memory.encoding import PictureEncoder
from memory.errors import (
    KeyframeNotFound,
    MomentNotFound,
    StoreClosed,
    StoreMissing,
    StreamNotFound,
    WriteFailed,
)
from memory.failures import failures_named
from memory.forget import Forgetting
from memory.knowing import Knowing
from memory.knowledge import Knowledge
from memory.ledger import Ledger
from memory.longterm import Budget, LongTerm
from memory.maintenance import Maintenance, fragments, unindexed_rows
from memory.migrations import applied
from memory.place import Place, place_of
from memory.records import DeletionReceipt, Hit, Query, Selection, Snapshot, Stats
from memory.remember import Batch, Remembering
from memory.retention import Retention
from memory.rewriting import Rewriting
from memory.search import Searcher
from memory.sighted import Sighted
from memory.spans import by_version, in_time, near, overlapping
from memory.tables import (
    OBSERVATION_COLUMNS,
    any_of,
    moment_of,
    observation_of,
    open_tables,
    quote,
    select,
)
from memory.tier import Tier
from memory.upkeep import Upkeep
from memory.writer import GroupWriter
from perception.records import Moment, Observation, Stream

Row = dict[str, Any]
# Above this many moments one scan of the stream beats looking up each.
LOOKED_UP = 400


class Store(Tier, Knowing, Sighted, Captioned, Rewriting):
    """Implements `memory.records.Memory`. Blocking; safe to use from many threads of one process.
    `path`: a folder, or `s3://bucket/prefix` (`objects.py` says where its keys come from).
    `budget_mb_per_hour` bounds each hour of a stream, `budget_mb` all of them (10^6 bytes; None:
    without bound): what is least missed is given up, and the ledger says what.

    What is older than `retention` is forgotten by itself (None: nothing is). With `pictures`,
    keyframes are encoded in the background and found by what they show. Raises on opening:
    `StoreLocked`, `StoreNewer`, `StoreDamaged`, `StoreMissing` (unless `create`),
    `StoreUnreachable`, `StoreFull`, `StoreReadOnly`.
    """

    def __init__(
        self,
        path: Path | str | Place,
        embedder: Embedder,
        *,
        create: bool = True,
        retention: timedelta | None = None,
        budget_mb_per_hour: float | None = 10.0,
        budget_mb: float | None = None,
        pictures: PictureEncoder | None = None,
    ) -> None:
        self.place = place_of(path) if isinstance(path, Path | str) else path
        self._kept_for = retention
        self._budget = Budget(budget_mb_per_hour, budget_mb)
        if not create and not self.place.exists():
            raise StoreMissing(f"there is no store at {self.place.name}")
        with failures_named(self.place.name):
            self._lock = self.place.lock()
        try:
            with failures_named(self.place.name, opening=True):
                self._open(embedder)
                self._open_pictures(pictures)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, embedder: Embedder) -> None:
        self.place.roll_back()
        self.tables = open_tables(self.place.connect(), self.place.seal)
        self._make_parts(embedder)
        self.maintenance.create_indexes()
        self._seal()
        self._forgetting = Forgetting(
            self.tables,
            self.place,
            self.maintenance.purge,
            self._remembering,
            self._longterm.resting,
        )
        self._closing = threading.Lock()
        self._closed = False
        self._writer = GroupWriter(self._commit, self._search.sync, self._follow)
        self._upkeep.start(self._writer)

    def _make_parts(self, embedder: Embedder) -> None:
        """Over the open tables; nothing is written."""
        self._upkeep = Upkeep(self._idle)
        self.maintenance = Maintenance(self.tables, self.place, self._seal, self._upkeep.on_writer)
        self._ledger = Ledger(self.tables)
        self._remembering = Remembering(
            self.tables, self.place.media, embedder, self._seal, self._ledger
        )
        self._knowledge = Knowledge(self.tables)
        self._search = Searcher(self.tables, embedder, self._knowledge)
        self._longterm = LongTerm(
            self.tables,
            self.place,
            embedder,
            self._remembering,
            self._ledger,
            self.maintenance,
            self._search,
            self._seal,
            self._budget,
            self._upkeep.on_writer,
        )
        self._retention = Retention(self.tables, self._forget_now, self._kept_for)
        self._schema = len(applied(self.tables.db))
        self._swept = False  # of what a crash left

    def close(self) -> None:
        """Finish what is being written and let go of the store. May be called twice."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._close_pictures()
        self._upkeep.close()
        self._writer.close()
        self._lock.release()

    def check(self) -> None:
        """Raises `WriteFailed`, or `StoreClosed`, where nothing can be remembered any more until the
        store is opened anew."""
        self._check_open()
        self.place.check()
        if not self._writer.running:
            raise WriteFailed(
                f"the writer of the store at {self.place.name} has ended; open it again"
            )

    @property
    def path(self) -> Path:
        """The folder; where the store lies in a bucket there is none."""
        return Path(self.place.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Writing

    def remember(
        self, stream: Stream, moments: Sequence[Moment], keyframes: dict[str, bytes]
    ) -> int:
        """Store moments whole, durably on return; idempotent. Returns the new version.

        A moment that is already there gains the observations it lacks; a stream's beginning stays
        what it was first said to be. Raises `InvalidRequest`, `StoreFull`, `StoreReadOnly`,
        `StoreClosed`, `WriteFailed`; then a moment of the call is there whole or not at all, and the
        call may be repeated.
        """
        self._check_open()
        with failures_named(self.place.name):
            batch = self._remembering.prepare(stream, moments, keyframes)
            version: int = self._writer.write(batch)
        self._expect_pictures(batch.moments)
        return version

    def forget(self, what: Selection) -> DeletionReceipt:
        """Delete for good what matches: rows, vectors, index entries, keyframes, old versions.

        On return no file of the store holds any of it. Raises `InvalidRequest` on an empty
        selection, and `StreamNotFound` or `MomentNotFound` for what is not there.
        """
        self._check_open()
        with failures_named(self.place.name), self._upkeep.held_off():
            return self._forget_now(what)

    def _forget_now(self, what: Selection) -> DeletionReceipt:
        """What names an entity is chosen and goes in one step. While upkeep is held off."""
        receipt: DeletionReceipt = self._writer.call(lambda: self._forget(what))
        return receipt

    def _forget(self, what: Selection) -> DeletionReceipt:
        self.place.check()
        return self._forgetting.forget(self._named(what))

    # Reading

    def search(self, query: Query) -> list[Hit]:
        """The best observations for the query, best first. Raises `InvalidRequest`."""
        self._check_open()
        hits = self._with_seen(query, self._settled(lambda: self._search.search(query)))
        outlived = self._settled(lambda: self._longterm.search(query))
        if outlived:
            hits = sorted((*hits, *outlived), key=lambda hit: -hit.score)[: query.limit]
        if not self._remembering.unsettled:
            return hits
        ids = sorted({hit.moment_id for hit in hits})
        present = self._select("moments", any_of("id", ids), ["id"]) if ids else []
        whole = {row["id"] for row in present}
        return [hit for hit in hits if hit.outlived or hit.moment_id in whole]

    def streams(self, version: int | None = None) -> list[Stream]:
        """Oldest first; with `version`, those that were there then, as far as they had come."""
        self._check_open()
        streams = list(dict(self._remembering.streams).values())
        if version is not None and version < self._version():
            reached = self._settled(partial(self._search.reached, version))
            streams = [
                replace(stream, seconds=reached.get(stream.id, stream.seconds))
                for stream in streams
                if reached.get(stream.id, stream.seconds) >= 0
            ]
        return sorted(streams, key=lambda stream: (stream.wall_start, stream.id))

    def timeline(
        self,
        stream_id: str,
        start: float | None = None,
        end: float | None = None,
        version: int | None = None,
    ) -> list[Moment]:
        """The stream's moments that overlap [start, end], in order; with `version`, what of them
        was there then. Raises `StreamNotFound`."""
        self._stream(stream_id)
        where = overlapping(stream_id, start, end)
        rows = sorted(self._select("moments", where), key=lambda row: (row["start"], row["id"]))
        then = version if version is not None and version < self._version() else None
        held = self._observations_of(stream_id, [row["id"] for row in rows], then)
        moments = [moment_of(row, held.get(row["id"], ())) for row in rows]
        return [m for m in moments if then is None or m.observations]

    def moment(self, moment_id: str) -> Moment:
        """Of what the budget took of it, its episode's quotes. Raises `MomentNotFound`."""
        rows = self._select("moments", f"id = {quote(moment_id)}")
        held = self._observations_of(rows[0]["stream_id"], [moment_id]) if rows else {}
        known = moment_of(rows[0], held.get(moment_id, ())) if rows else None
        found = self._settled(lambda: self._longterm.with_quotes(moment_id, known))
        if found is None:
            raise MomentNotFound(f"no moment {moment_id[:200]!r} is remembered")
        return found

    def keyframe(self, moment_id: str) -> bytes:
        """The encoded picture. Raises `MomentNotFound`, `KeyframeNotFound`, `KeyframeTorn`."""
        digest = self._moment_row(moment_id)["keyframe"]
        if digest is None:
            raise KeyframeNotFound(f"the moment {moment_id[:200]!r} has no keyframe")
        return self.place.media.read(digest)

    def neighbours(
        self, observations: Sequence[Observation], seconds: float, version: int | None = None
    ) -> list[list[Observation]]:
        """For each, what its stream holds (or held at `version`) from `seconds` before it to
        `seconds` after it, in order of time, itself not included."""
        if not observations:
            return []
        spans = [overlapping(o.stream_id, o.start - seconds, o.end + seconds) for o in observations]
        where = " OR ".join(f"({span})" for span in dict.fromkeys(spans))
        where = by_version(where, version)
        rows = sorted(self._select("observations", where, OBSERVATION_COLUMNS), key=in_time)
        found = [observation_of(row) for row in rows]
        return [[other for other in found if near(one, other, seconds)] for one in observations]

    def snapshot(self, stream_id: str | None = None) -> Snapshot:
        """The present version. Raises `StreamNotFound`."""
        seconds = None if stream_id is None else self._stream(stream_id).seconds
        return Snapshot(self._version(), seconds)

    def stats(self) -> Stats:
        self._check_open()
        tables = self.tables
        pictures = [size for _, size in self.place.media.sizes()]
        return Stats(
            streams=tables.streams.count_rows(),
            moments=tables.moments.count_rows(),
            observations=tables.observations.count_rows(),
            keyframes=len(pictures),
            table_bytes=self.place.bytes("tables"),
            media_bytes=sum(pictures),
            version=self._version(),
            schema=self._schema,
            fragments=sum(fragments(table) for table in tables.all()),
            unindexed_rows=unindexed_rows(tables.observations),
            ledger={
                **self.maintenance.stats(),
                **self._upkeep.stats(),
                "commits": self._remembering.commits,
                **self._longterm.stats(),
                **self._retention.stats(),
                **self._picture_stats(),
            },
        )

    # Parts

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("the store is closed")

    def _version(self) -> int:
        return int(self.tables.observations.version)

    def _commit(self, batches: list[Batch]) -> int:
        self.place.check()
        return self._remembering.commit(batches)

    def _follow(self) -> None:
        self._search.sync()
        self._upkeep.wake()

    def _idle(self) -> Iterator[None]:
        """A round of upkeep; whoever wants to hold it off comes in where it yields."""
        self.place.check()
        if not self._swept:
            self._upkeep.on_writer(self._remembering.remove_orphans)
            self._swept = True
        self.maintenance.idle()
        yield
        self._retention.idle()
        yield
        self._longterm.idle()

    def _seal(self) -> None:
        """What a commit that failed midway has left must go before it would be made durable."""
        self.place.check()
        self._remembering.undo()
        self.place.seal({table.name: table.version for table in self.tables.all()})

    def _select(self, table: str, where: str | None, columns: list[str] | None = None) -> list[Row]:
        self._check_open()
        return self._settled(lambda: select(getattr(self.tables, table), where, columns))

    def _stream(self, stream_id: str) -> Stream:
        self._check_open()
        known = self._remembering.streams.get(stream_id)
        if known is None:
            raise StreamNotFound(f"no stream {stream_id[:200]!r} is remembered")
        return known

    def _moment_row(self, moment_id: str) -> Row:
        rows = self._select("moments", f"id = {quote(moment_id)}")
        if not rows:
            raise MomentNotFound(f"no moment {moment_id[:200]!r} is remembered")
        return rows[0]

    def _observations_of(
        self, stream_id: str, moment_ids: list[str], version: int | None = None
    ) -> dict[str, list[Observation]]:
        if not moment_ids:
            return {}
        where = f"stream_id = {quote(stream_id)}"
        if len(moment_ids) <= LOOKED_UP:
            where = any_of("moment_id", moment_ids)
        where = by_version(where, version)
        held: dict[str, list[Observation]] = {}
        for row in self._select("observations", where, OBSERVATION_COLUMNS):
            held.setdefault(row["moment_id"], []).append(observation_of(row))
        return held
