"""Whether all is well, asked at most once a second and never waited for long.

A probe that hangs does not say why. So the checks, which read and write the store, run in a thread
of their own, and a probe that has waited long enough says that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import anyio

from serving.faults import Fault

FRESH_SECONDS = 1.0
"""How long an answer is given again: anybody may probe, as often as they like."""

WAIT_SECONDS = 1.0
"""Longest time that a probe waits: Kubernetes gives up after a second by default."""


class Readiness:
    """What is wrong with the service, as a probe may know it."""

    def __init__(self, problems: Callable[[], Sequence[Fault]]) -> None:
        self._problems = problems
        self._found: Sequence[Fault] = ()
        self._found_at = float("-inf")
        self._begun_at = 0.0
        self._check: asyncio.Task[None] | None = None
        self._thread = anyio.CapacityLimiter(1)

    async def problems(self) -> Sequence[Fault]:
        """Return what is wrong; the checks' own silence is something wrong, too."""
        if time.monotonic() - self._found_at < FRESH_SECONDS:
            return self._found
        if self._check is None or self._check.done():
            self._begun_at = time.monotonic()
            self._check = asyncio.create_task(self._look())
        done, _ = await asyncio.wait({self._check}, timeout=WAIT_SECONDS)
        if done:
            self._check.result()
            return self._found
        silent = time.monotonic() - self._begun_at
        return [
            Fault(
                f"the service's store has not answered for {silent:.0f} s",
                "check its database: running, reachable, not locked",
            )
        ]

    async def _look(self) -> None:
        self._found = await anyio.to_thread.run_sync(self._problems, limiter=self._thread)
        self._found_at = time.monotonic()
