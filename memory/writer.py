"""The one thread that changes a store: it merges what callers hand in meanwhile into one commit.

Everything that changes rows (remembering, forgetting, consolidation, budget) runs here, one job after
another, so no two changes conflict. A caller waits until its own share is durable; while one commit is being
flushed the next callers gather, and share the next one (group commit). While several write at once, commits are
`PACE` apart, so that many small ones do not take the time of searches; whoever writes alone does not wait.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from memory.errors import StoreClosed, WriteFailed

log = logging.getLogger(__name__)

Batch = TypeVar("Batch")

WAITING = 256  # jobs; callers beyond that wait their turn to hand in
GROUP = 64  # batches in one commit
PATIENCE = 120.0  # seconds a caller waits for its job
PACE = 0.25  # seconds between the beginnings of commits while several write at once
LATELY = 2.0  # seconds for which commits stay so after calls have overlapped


@dataclass(slots=True)
class _Job(Generic[Batch]):
    batch: Batch | None
    work: Callable[[], Any] | None = None
    done: Future[Any] = field(default_factory=Future)


class GroupWriter(Generic[Batch]):
    """`commit` gets batches, oldest first, and returns what every one of their callers is given.
    `follow` is called after each job, before its callers are told,
    and `idle` between jobs and at least every `interval` seconds."""

    def __init__(
        self,
        commit: Callable[[list[Batch]], Any],
        follow: Callable[[], None],
        idle: Callable[[], None],
        interval: float = 5.0,
    ) -> None:
        self._commit = commit
        self._follow = follow
        self._idle = idle
        self._interval = interval
        self._began = -LATELY  # when the last commit did
        self._overlapped = -LATELY  # when a call last came while another was under way
        self._jobs: queue.Queue[_Job[Batch] | None] = queue.Queue(maxsize=WAITING)
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="memory-writer", daemon=True)
        self._thread.start()

    def write(self, batch: Batch) -> Any:
        """Returns when the batch is durable; raises what committing it raised."""
        return self._wait(_Job(batch))

    def call(self, work: Callable[[], Any]) -> Any:
        """Run `work` on the writer's thread, alone; at once where that is this thread."""
        if threading.current_thread() is self._thread:
            return work()
        return self._wait(_Job(None, work))

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        """Finish what was handed in, then stop."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _wait(self, job: _Job[Batch]) -> Any:
        with self._closing:
            if self._closed:
                raise StoreClosed("the store is closed")
            try:
                self._jobs.put(job, timeout=PATIENCE)
            except queue.Full as full:
                raise WriteFailed("too much is waiting to be written; try again later") from full
        try:
            return job.done.result(timeout=PATIENCE)
        except TimeoutError as late:
            if job.done.done():
                raise
            raise WriteFailed(
                f"not written within {PATIENCE:.0f} s; it may still be: repeat the call"
            ) from late

    def _run(self) -> None:
        looked = time.monotonic()
        while True:
            group, last = self._gather()
            if group:
                batches = [job.batch for job in group if job.batch is not None]
                self._began = time.monotonic()
                self._finish(group, partial(self._commit, batches))
                if len(group) > 1:
                    self._overlapped = time.monotonic()
            if last is not None and last.work is not None:
                self._finish([last], last.work)
            elif last is not None:
                return
            if self._jobs.empty() or time.monotonic() - looked > self._interval:
                looked = time.monotonic()
                try:
                    self._idle()
                except Exception:  # it must not end the thread that everyone's writes need
                    log.exception("following the writes failed; it will be tried again")

    def _gather(self) -> tuple[list[_Job[Batch]], _Job[Batch] | None]:
        """The batches that are waiting, and the job that ended the row of them, if one did.
        A job without work is the order to stop."""
        group: list[_Job[Batch]] = []
        wait = self._interval
        while len(group) < GROUP:
            try:
                job = self._jobs.get(block=wait > 0, timeout=max(wait, 0.0) or None)
            except queue.Empty:
                break
            wait = self._pause()
            if job is None:
                return group, _Job(None)
            if job.work is not None:
                return group, job
            group.append(job)
        return group, None

    def _pause(self) -> float:
        """Seconds to go on gathering before the next commit."""
        now = time.monotonic()
        return self._began + PACE - now if now - self._overlapped < LATELY else 0.0

    def _finish(self, jobs: list[_Job[Batch]], work: Callable[[], Any]) -> None:
        try:
            result = work()
        except Exception as failure:  # it belongs to the callers, who are waiting for it
            for job in jobs:
                job.done.set_exception(failure)
        else:
            try:
                self._follow()
            except Exception:  # what was done is done; it is followed again
                log.exception("following a change failed; it will be tried again")
            for job in jobs:
                job.done.set_result(result)
