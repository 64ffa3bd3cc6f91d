"""Memory that was freed goes back to the machine.

glibc keeps what models free between calls, a few hundred megabytes in each process that runs them.
`malloc_trim` hands it back; elsewhere than on glibc this does nothing.
"""

from __future__ import annotations

import ctypes
import threading
import time
from typing import Any

EVERY = 5.0  # seconds; a call takes a few milliseconds


def keep_proxy_trimmed() -> list[Any]:
    """Ray's HTTP proxy calls this as it starts, and takes the middlewares it returns: none.

    An upload passes through it, and left 50 MB an hour's recording."""
    keep_trimmed()
    return []


def keep_trimmed() -> None:
    """Trim this process's heap from now on, in a thread that ends with it."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except AttributeError:
        return

    def forever() -> None:
        while True:
            time.sleep(EVERY)
            trim(0)

    threading.Thread(target=forever, name="trim", daemon=True).start()
