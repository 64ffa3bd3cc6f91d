"""Prometheus metrics of the gateway: latencies by stage, lag, drops, queues, store size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

LATENCY = Histogram(
    "lookback_stage_seconds",
    "Latency by stage, seconds.",
    ["stage"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
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
QUEUED = Gauge("lookback_queue_depth", "Work that waits, by queue.", ["queue"], registry=REGISTRY)
ANSWERS = Counter("lookback_answers", "Answers given, by outcome.", ["outcome"], registry=REGISTRY)
FAILED_ANSWERS = Counter("lookback_failed_answers", "Answers that failed.", registry=REGISTRY)
ERRORS = Counter("lookback_http_errors", "HTTP errors, by code.", ["code"], registry=REGISTRY)
STORE_BYTES = Gauge("lookback_store_bytes", "Bytes on disk, by part.", ["part"], registry=REGISTRY)
STORE_ROWS = Gauge(
    "lookback_store_rows", "Rows remembered, by table.", ["table"], registry=REGISTRY
)
FRAGMENTS = Gauge("lookback_store_fragments", "Fragments of the tables.", registry=REGISTRY)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Times the block as one stage."""
    with LATENCY.labels(name).time():
        yield


def forget_stream(stream_id: str) -> None:
    """A stream that has ended leaves no labels behind."""
    for gauge in (LAG, DROPPED_FRAMES):
        with suppress(KeyError):
            gauge.remove(stream_id)
