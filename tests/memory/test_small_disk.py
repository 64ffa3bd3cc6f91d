"""A disk that really fills up and really turns read-only: a small file system of the test's own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.unit

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def may_mount(folder: Path) -> bool:
    """Whether this system lets us have a mount namespace, in a user namespace."""
    if shutil.which("unshare") is None:
        return False
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    return subprocess.run([*NAMESPACE, *mount], capture_output=True).returncode == 0


def test_a_full_or_read_only_disk_loses_nothing_and_the_store_goes_on(tmp_path: Path) -> None:
    if not may_mount(tmp_path):
        pytest.skip("no mount namespaces here")
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-m", "tests.memory.small_disk", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    full, opened, room, forgot, refused = seen
    assert full["acknowledged"] > 20
    assert (full["refused"], full["again"]) == ("StoreFull", "StoreFull")
    assert opened["opened_full"] or opened["why"] == "StoreFull"
    assert room["refused"] == ""
    assert forgot["forgotten"] == 1
    assert all(step["whole"] for step in (full, opened, room, forgot))
    assert refused["why"] == "StoreReadOnly"
    assert "cannot be written" in refused["said"]
