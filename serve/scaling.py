"""How many replicas a deployment should have: by what waits, and by how long calls take.

A queue grows when more is asked than is done. A GPU shared with others does the same work slower
before any queue grows, so the slowest call of late counts as well.
"""

from __future__ import annotations

from typing import Any

# What a replica tells of itself: seconds of its slowest call of late, or of the oldest at work.
SLOWEST = "slowest_call_seconds"
LAG_WANTED = 0.5  # seconds; frames come at one a second, and a question wants what was just seen
STEEPEST = 2.0  # a decision at most doubles what there is: a stall is no reason for a fleet


def by_queue_and_lag(context: Any) -> tuple[float, dict[str, Any]]:
    """A Ray Serve autoscaling policy (`policy_function` of a profile): replicas wanted, and state.

    `context` is Ray's AutoscalingContext. Bounds and delays of the configuration are applied by Ray.
    """
    running = context.current_num_replicas
    if not running:
        return float(context.target_num_replicas), {}
    wanted = context.config.get_target_ongoing_requests()
    by_queue = context.total_num_requests / wanted
    told = (context.aggregated_metrics or {}).get(SLOWEST, {})
    lag = sum(told.values()) / len(told) if told else 0.0
    by_lag = running * min(lag / LAG_WANTED, STEEPEST) if lag > LAG_WANTED else 0.0
    return max(by_queue, by_lag), {}
