"""How much is taken at once and from one caller; the rest is told to come back."""

from __future__ import annotations

import time
from collections.abc import Callable

CONCURRENT = 64
"""Requests held at once by one worker; more get 429. They wait for each other: twice as many would
only wait twice as long."""

AT_WORK = 1
"""Of these, forecast at the same time: a second thread takes turns with the first, and both take
longer. More processors are used by more workers."""

AT_STORE = 8
"""Waiting for the store at the same time: apart, so that a database that hangs holds up no
forecast. Fewer than the connections of a pool."""

PER_SECOND, BURST = 500.0, 1_000.0
"""Requests of one caller."""

MOST_CALLERS = 10_000


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

    def wait(self, caller: str) -> float:
        """Take one request of a caller; return the seconds to wait, 0 when it may pass."""
        now = self._clock()
        left, seen = self._left.get(caller, (self._burst, now))
        left = min(self._burst, left + (now - seen) * self._per_second)
        if left < 1:
            self._left[caller] = (left, now)
            return (1 - left) / self._per_second
        if len(self._left) >= MOST_CALLERS and caller not in self._left:
            self._left.clear()
        self._left[caller] = (left - 1, now)
        return 0.0
