"""What the page's modules work out by themselves, run where they run: in a browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.conftest import Visitor
from tests.app.site import Site

pytestmark = pytest.mark.browser

EXPOSITION = """
# HELP lookback_stage_seconds Latency by stage, seconds.
lookback_stage_seconds_bucket{le="0.1",stage="search"} 50.0
lookback_stage_seconds_bucket{le="0.5",stage="search"} 90.0
lookback_stage_seconds_bucket{le="1.0",stage="search"} 100.0
lookback_stage_seconds_bucket{le="+Inf",stage="search"} 100.0
lookback_stage_seconds_count{stage="search"} 100.0
lookback_stage_seconds_sum{stage="search"} 20.0
lookback_dropped_frames{stream="a \\"b\\""} 7.0
"""

CASES = [
    ("dom.js", "clock(75.4)", "1:15"),
    ("dom.js", "clock(3723)", "1:02:03"),
    ("dom.js", "duration(4800)", "1 h 20 min"),
    ("dom.js", "bytes(463717)", "464 kB"),
    ("dom.js", "bytes(1250000)", "1.3 MB"),
    ("whip.js", "links('')", []),
    (
        "whip.js",
        """links('<stun:stun.example.org>; rel="ice-server", '
            + '<turn:turn.example.org?transport=udp>; rel="ice-server"; username="ann"; '
            + String.raw`credential="pass,\\"word"; credential-type="password", </next>; rel="next"`)""",
        [
            {"urls": "stun:stun.example.org"},
            {
                "urls": "turn:turn.example.org?transport=udp",
                "username": "ann",
                "credential": 'pass,"word',
            },
        ],
    ),
    (
        "session.js",
        "streamName('other.live-2026-03-02-0914')",
        "other, live Mon 09:14 AM",
    ),
    ("session.js", "streamName('kitchen-cam')", "kitchen-cam"),
    ("session.js", "timeOf('kitchen-cam', 90000)", "25:00:00"),
    ("session.js", "timeOf('a.live-2026-03-02-091400', 75)", "1:15"),
    ("session.js", "timeOf('a.live-2026-03-02-091400', 90000)", "Tue 10:14 AM"),
    (
        "live.js",
        "howFar('1:15', { lag: 1.25, dropped: 3, lost: 1.5 })",
        "1:15, 1.3 s behind, 3 frames skipped, 1.5 s of sound lost",
    ),
    ("live.js", "howFar('1:15', { lag: 0.2, dropped: 0, lost: 0 })", "1:15"),
    (
        "session.js",
        "recordingId({ name: 'Über: a/b.mp4', size: 100 }).split('.').slice(1)",
        ["Über-a-b", "mp4-2s"],
    ),
    (
        "session.js",
        "recordingId({ name: '会议 記録.mp4', size: 100 }).split('.').slice(1)",
        ["会议-記録", "mp4-2s"],
    ),
    (
        "api.js",
        "sentence(new it.Failure(415, 'bad_recording', 'noise.mp4: is not a recording'))",
        "noise.mp4: is not a recording.",
    ),
    (
        "api.js",
        "sentence(new it.Failure(422, 'invalid', 'end 1 is before start 5'))",
        "End 1 is before start 5.",
    ),
]


@pytest.mark.parametrize(("module", "call", "expected"), CASES, ids=[one[1][:40] for one in CASES])
async def test_a_module_gives(
    page_site: Site, visitor: Visitor, module: str, call: str, expected: Any
) -> None:
    page = await visitor.open(page_site.url)
    found = await page.evaluate(f"import('/page/{module}').then((it) => it.{call})")
    assert found == expected


async def test_quantiles_are_read_from_the_servers_own_figures(
    page_site: Site, visitor: Visitor
) -> None:
    page = await visitor.open(page_site.url)
    stages, drops = await page.evaluate(
        """(text) => import('/page/gauges.js').then((it) => [
             it.stages(it.samples(text), 'lookback_stage_seconds', 'stage'),
             it.byLabel(it.samples(text), 'lookback_dropped_frames', 'stream')])""",
        EXPOSITION,
    )
    (search,) = stages
    assert search["count"] == 100
    assert search["mean"] == pytest.approx(0.2)
    assert search["p50"] == pytest.approx(0.1)
    assert search["p95"] == pytest.approx(0.75)
    assert drops == {'a "b"': 7}
