"""Prometheus metrics: latencies by stage, lag, drops, queues, store size.

Most are the gateway's. What a deployment measures of its own work stays in its process until the
gateway is asked for the metrics and fetches it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric

from memory.records import Stats

REGISTRY = CollectorRegistry()
WORKED = CollectorRegistry()  # of a deployment's process

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

LATENCY = Histogram(
    "lookback_stage_seconds",
    "Latency by stage as the gateway sees it, waiting included, seconds.",
    ["stage"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
WORK = Histogram(
    "lookback_work_seconds",
    "Time at work in a deployment by stage, waiting left out, seconds.",
    ["stage"],
    buckets=BUCKETS,
    registry=WORKED,
)
UP = Gauge(
    "lookback_up", "Whether a deployment answers and is well.", ["deployment"], registry=REGISTRY
)
CALLS = Gauge(
    "lookback_calls",
    "Calls of a deployment that wait or are at work.",
    ["deployment"],
    registry=REGISTRY,
)
LAG = Gauge(
    "lookback_perception_lag_seconds",
    "Perception behind its source.",
    ["stream"],
    registry=REGISTRY,
)
DROPPED_FRAMES = Gauge(
    "lookback_dropped_frames", "Frames dropped by a live stream.", ["stream"], registry=REGISTRY
)
LET_GO = Counter(
    "lookback_let_go",
    "What live streams let go while perception did not answer: frames, sounds, utterances.",
    ["what"],
    registry=REGISTRY,
)
GIVEN_UP = Counter(
    "lookback_moments_given_up",
    "Moments of live streams that memory did not take in time.",
    registry=REGISTRY,
)
QUEUED = Gauge("lookback_queue_depth", "Work that waits, by queue.", ["queue"], registry=REGISTRY)
ANSWERS = Counter("lookback_answers", "Answers given, by outcome.", ["outcome"], registry=REGISTRY)
WITHOUT_MODEL = Counter(
    "lookback_answers_without_model",
    "Answers quoted or ruled because the language model was silent for too long, or failed.",
    ["why"],
    registry=REGISTRY,
)
FAILED_ANSWERS = Counter("lookback_failed_answers", "Answers that failed.", registry=REGISTRY)
ERRORS = Counter("lookback_http_errors", "HTTP errors, by code.", ["code"], registry=REGISTRY)
CAPTIONS = Counter(
    "lookback_captions", "Keyframes captioned, by outcome.", ["outcome"], registry=REGISTRY
)
SUMMARIES = Counter(
    "lookback_summaries",
    "Episodes that the model has put in words, by outcome.",
    ["outcome"],
    registry=REGISTRY,
)
STORE_BYTES = Gauge("lookback_store_bytes", "Bytes on disk, by part.", ["part"], registry=REGISTRY)
STORE_ROWS = Gauge(
    "lookback_store_rows", "Rows remembered, by table.", ["table"], registry=REGISTRY
)
FRAGMENTS = Gauge("lookback_store_fragments", "Fragments of the tables.", registry=REGISTRY)
PICTURES_WAITING = Gauge(
    "lookback_pictures_waiting",
    "Keyframes that the picture model in use has yet to encode.",
    registry=REGISTRY,
)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Times the block as one stage, in the gateway."""
    with LATENCY.labels(name).time():
        yield


@contextmanager
def work(name: str) -> Iterator[None]:
    """Times the block as one stage, in a deployment."""
    with WORK.labels(name).time():
        yield


@contextmanager
def waiting(queue: str) -> Iterator[None]:
    """The block waits in that queue, however it ends."""
    with QUEUED.labels(queue).track_inprogress():
        yield


def forget_stream(stream_id: str) -> None:
    """A stream that has ended leaves no labels behind."""
    for gauge in (LAG, DROPPED_FRAMES):
        with suppress(KeyError):
            gauge.remove(stream_id)


def store(stats: Stats | None) -> None:
    """What the store holds now; None: nobody knows, and old figures would pass for new ones."""
    STORE_BYTES.clear()
    STORE_ROWS.clear()
    FRAGMENTS.set(math.nan if stats is None else stats.fragments)
    waiting = math.nan if stats is None else stats.ledger.get("pictures_waiting", 0)
    PICTURES_WAITING.set(waiting)
    if stats is not None:
        STORE_BYTES.labels("tables").set(stats.table_bytes)
        STORE_BYTES.labels("media").set(stats.media_bytes)
        for table in ("streams", "moments", "observations", "keyframes"):
            STORE_ROWS.labels(table).set(getattr(stats, table))


def worked() -> list[Metric]:
    """What this process measured of its own work. Travels to the gateway."""
    return list(WORKED.collect())


def exposition(fetched: Iterable[Metric]) -> bytes:
    """Everything as Prometheus text: the gateway's own, and what deployments measured."""
    others = CollectorRegistry()
    others.register(_Merged(fetched))
    return generate_latest(REGISTRY) + generate_latest(others)


class _Merged:
    """Metrics of several processes, each name once, as the text format asks for."""

    def __init__(self, fetched: Iterable[Metric]) -> None:
        self._by_name: dict[str, Metric] = {}
        for one in fetched:
            known = self._by_name.setdefault(
                one.name, Metric(one.name, one.documentation, one.type, one.unit)
            )
            known.samples.extend(one.samples)

    def collect(self) -> Iterator[Metric]:
        yield from self._by_name.values()
