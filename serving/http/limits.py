"""Limits on concurrent requests and on one caller's rate; beyond them the answer is 429."""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_REQUESTS = 64
"""Requests that one worker holds at a time; more get 429. They wait for each other: with twice as
many, each would only wait twice as long."""

MAX_FORECASTS = 1
"""Forecasts at the same time: a second thread would take turns with the first, and both would take
longer. To use more processors, run more workers."""

MAX_STORE_CALLS = 8
"""Requests that use the store at the same time. They have threads of their own, so that a database
that hangs does not delay forecasts. Fewer than the connections of a pool."""

PER_SECOND, BURST = 500.0, 1_000.0
"""Requests of one caller: the steady rate, and how many at once after a pause."""

MAX_CALLERS = 10_000


class RateLimit:
    """A token bucket per caller (leaky bucket as a meter, ITU-T I.371)."""

    def __init__(
        self,
        per_second: float = PER_SECOND,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._left: dict[str, tuple[float, float]] = {}

    def seconds_to_wait(self, caller: str) -> float:
        """Count one request of a caller; return the seconds to wait, 0 when it may proceed."""
        now = self._clock()
        left, seen = self._left.get(caller, (self._burst, now))
        left = min(self._burst, left + (now - seen) * self._per_second)
        if left < 1:
            self._left[caller] = (left, now)
            return (1 - left) / self._per_second
        if len(self._left) >= MAX_CALLERS and caller not in self._left:
            self._left.clear()
        self._left[caller] = (left - 1, now)
        return 0.0
