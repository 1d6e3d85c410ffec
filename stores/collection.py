"""When the garbage collector may run.

Importing a library makes objects by the hundred thousand, and next to no garbage. Yet the collector
walks all of them again and again as they become more: a fifth of the time that a command takes to
start, and a quarter of a service's. Where thousands of people are kept at once it is the same.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect nothing meanwhile."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def without_collection() -> Iterator[None]:
    """Collect nothing while something is loaded, and never walk afterwards what was loaded."""
    with uncollected():
        try:
            yield
        finally:
            gc.freeze()
