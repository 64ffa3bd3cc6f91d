"""Streams, questions and the parts that serve them, as a discrete-event simulation.

A `Station` has servers and a queue in which the urgent go first; a call takes what its stage costs,
longer while others use the same device. Frames come regularly, each stream at its own phase; speech,
moments and questions come at random (Poisson). Nothing is dropped, so an overloaded plan shows as a
lag that grows. What is not simulated: the network, Ray's own hops (a millisecond or two each), disks.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from bench.stage_costs import Costs, Plan

WARM = 20.0  # seconds left out of what is reported
SEED = 11


class Clock:
    """Simulated time, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), do))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, do = heapq.heappop(self._events)
            do()
        self.now = until


@dataclass(slots=True)
class Device:
    """What several stations run on: `at_full_speed` calls at once are not slowed by each other."""

    at_full_speed: int
    at_work: int = 0

    def slower(self) -> float:
        """By how much a call that begins now is slowed by those at work."""
        return max(1.0, (self.at_work + 1) / self.at_full_speed)


@dataclass(slots=True)
class Call:
    """One piece of work: how large, how urgent (the lowest first), and what follows."""

    size: float
    rank: int
    done: Callable[[], None]


class Station:
    """`servers` at once, each taking up to `batch` calls together; `cost` gives their seconds."""

    def __init__(
        self,
        clock: Clock,
        servers: int,
        cost: Callable[[Sequence[Call]], float],
        batch: int = 1,
        device: Device | None = None,
    ) -> None:
        self._clock, self._servers, self._cost, self._batch = clock, servers, cost, batch
        self._device = device
        self._at_work = 0
        self._queue: list[tuple[int, int, Call]] = []
        self._order = count()
        self.busy = 0.0  # server-seconds

    def ask(self, size: float, done: Callable[[], None], rank: int = 1) -> None:
        heapq.heappush(self._queue, (rank, next(self._order), Call(size, rank, done)))
        self._begin()

    def used(self, seconds: float) -> float:
        """The share of its servers' time that it was at work."""
        return self.busy / (self._servers * seconds)

    def _begin(self) -> None:
        while self._queue and self._at_work < self._servers:
            together = min(self._batch, len(self._queue))
            calls = [heapq.heappop(self._queue)[2] for _ in range(together)]
            took = self._cost(calls)
            if self._device is not None:
                took *= self._device.slower()
                self._device.at_work += 1
            self._at_work += 1
            self.busy += took
            self._clock.at(self._clock.now + took, lambda calls=calls: self._end(calls))  # type: ignore[misc]  # a default keeps the loop's value

    def _end(self, calls: Sequence[Call]) -> None:
        self._at_work -= 1
        if self._device is not None:
            self._device.at_work -= 1
        for call in calls:
            call.done()
        self._begin()


@dataclass(slots=True)
class Outcome:
    """What came out: seconds of each kind of wait, and how much each part was used, 0 to 1 (above
    that it cannot keep up)."""

    streams: int
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    used: dict[str, float] = field(default_factory=dict)

    def percentile(self, kind: str, share: float) -> float:
        """Of the waits of a kind, in seconds; 0 where there were none."""
        found = sorted(self.waits[kind])
        return found[min(len(found) - 1, int(share * len(found)))] if found else 0.0

    @property
    def bottleneck(self) -> str:
        return max(self.used, key=lambda part: self.used[part])


def simulate(plan: Plan, streams: int, seconds: float) -> Outcome:
    """`streams` on the plan for so many simulated seconds, those of warming up left out."""
    system = _System(plan, streams)
    for number in range(streams):
        system.add_stream(number)
    system.clock.run(WARM + seconds)
    for name, station in system.stations.items():
        system.outcome.used[name] = station.used(WARM + seconds)
    return system.outcome


class _System:
    """The parts of one cell, wired as the application wires them."""

    def __init__(self, plan: Plan, streams: int) -> None:
        self._costs, self._load = plan.costs, plan.load
        self.clock, self.outcome = Clock(), Outcome(streams)
        self._random = random.Random(SEED)
        cores = Device(plan.shared_cores) if plan.shared_cores else None
        gpu = Device(1) if plan.one_gpu else cores
        costs = plan.costs
        self.stations = {
            "gateway": Station(self.clock, plan.gateway_cores, _by_size(costs.ingest)),
            "looking": Station(self.clock, plan.looking_cores, _by_size(costs.look), 1, cores),
            "reading text": Station(self.clock, plan.reading_cores, _by_size(costs.read), 1, cores),
            "recognising": Station(self.clock, plan.recognising, _recognised(costs), 1, gpu),
            "encoding": Station(self.clock, plan.recognising, _by_size(costs.encode), 8, gpu),
            "memory": Station(self.clock, 1, _by_size(1.0)),
            "prompts": Station(self.clock, plan.answering, _by_size(1.0), 1, gpu),
            "answers": Station(self.clock, plan.answering * plan.rows, _by_size(1.0), 1, cores),
        }

    def add_stream(self, number: int) -> None:
        phase = self._random.random()
        self._every(phase / self._load.frames, 1 / self._load.frames, self._frame)
        self._now_and_then(self._load.speech / self._load.utterance, self._utterance)
        self._now_and_then(self._load.moments, self._moment)
        self._now_and_then(self._load.questions, self._question)

    def _every(self, first: float, period: float, do: Callable[[], None]) -> None:
        def again() -> None:
            do()
            self.clock.at(self.clock.now + period, again)

        self.clock.at(first, again)

    def _now_and_then(self, rate: float, do: Callable[[], None]) -> None:
        if rate <= 0:
            return

        def again() -> None:
            do()
            self.clock.at(self.clock.now + self._random.expovariate(rate), again)

        self.clock.at(self._random.expovariate(rate), again)

    def _frame(self) -> None:
        began = self.clock.now
        read = self._random.random() < self._load.reads
        seen = self._told("frame", began)

        def looked() -> None:
            if read:
                self.stations["reading text"].ask(1.0, seen)
            else:
                seen()

        def taken_in() -> None:
            if self._random.random() < self._load.changed:
                self.stations["looking"].ask(1.0, looked)
            else:
                seen()

        self.stations["gateway"].ask(1 / self._load.frames, taken_in)

    def _utterance(self) -> None:
        told = self._told("speech", self.clock.now)
        self.stations["recognising"].ask(self._load.utterance, told, rank=0)

    def _moment(self) -> None:
        def encoded() -> None:
            self.stations["memory"].ask(self._costs.remember, lambda: None)

        self.stations["encoding"].ask(1.0, encoded, rank=2)

    def _question(self) -> None:
        told = self._told("first token", self.clock.now)
        load, costs = self._load, self._costs
        prompt = (
            costs.prompt_fixed
            + load.prompt_tokens * costs.prompt_token
            + load.new_pictures * costs.picture
        )

        def written() -> None:
            told()
            self.stations["answers"].ask(load.answer_tokens * costs.token, lambda: None)

        def found() -> None:
            self.stations["prompts"].ask(prompt, written)

        self.stations["memory"].ask(costs.search, found, rank=0)

    def _told(self, kind: str, began: float) -> Callable[[], None]:
        def told() -> None:
            if began >= WARM:
                self.outcome.waits[kind].append(self.clock.now - began)

        return told


def _by_size(each: float) -> Callable[[Sequence[Call]], float]:
    return lambda calls: each * sum(call.size for call in calls)


def _recognised(costs: Costs) -> Callable[[Sequence[Call]], float]:
    return lambda calls: sum(costs.recognise_call + costs.recognise * call.size for call in calls)
