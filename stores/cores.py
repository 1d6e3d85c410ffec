"""How many processor cores there are for us."""

from __future__ import annotations

import os
import sys


def usable_cores() -> int:
    """Return on how many cores this process may run: a container may have fewer than its machine.

    Only Linux says so; elsewhere it is how many the machine has.
    """
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
