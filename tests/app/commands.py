"""The command line in this process: what takes its seconds in one of its own is the imports."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from app import cli


def lookback_here(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """As `tests.server.lookback`; what nothing catches comes out as it is."""
    out, err = io.StringIO(), io.StringIO()
    status: object = 0
    with pytest.MonkeyPatch.context() as here, redirect_stdout(out), redirect_stderr(err):
        here.setattr(sys, "argv", ["lookback", *arguments])
        for name, value in environment.items():
            here.setenv(name, value)
        try:
            cli.main()
        except SystemExit as ended:
            status = ended.code or 0
    assert isinstance(status, int)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())
