"""Limits on what callers may ask for at once and in a time; beyond them the answer is 429.

A request takes a slot once its token holds and its body is there: until then it costs what
`serving.server.connections` lets it, and what `BodyMemory` lets one caller hold.
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyrate_limiter import GCRA, Duration, Rate
from pyrate_limiter.abstracts.algorithm import State

from serving.http.refusals import RequestRefused, retry_after

MIB = 1024 * 1024

MAX_REQUESTS, MAX_REQUESTS_OF_ONE = 96, 64
"""Forecasts that one worker holds at a time, and those of one caller; more get 429. They wait for
each other: with twice as many, each would only wait twice as long."""

MAX_STORE_REQUESTS, MAX_STORE_REQUESTS_OF_ONE = 32, 24
"""The same of requests that use the store: apart, so that a database that hangs fills no slot of
forecasts."""

MAX_FORECASTS = 1
"""Forecasts at the same time: a second thread would take turns with the first, and both would take
longer. To use more processors, run more workers."""

MAX_STORE_CALLS = 8
"""Requests that use the store at the same time. They have threads of their own, so that a database
that hangs does not delay forecasts. Fewer than the connections of a pool."""

MAX_TOKENS = 4
"""Tokens that are checked at the same time, of each kind: those of an issuer, and those that a
client signed itself, which need the store."""

TOKEN_SECONDS = 6.0
"""Longest time for the check of a token: more than a statement of the store may take."""

MAX_BODIES, MAX_BODIES_OF_ONE = 64 * MIB, 32 * MIB
"""Bytes of bodies that one worker holds at a time, whole or in part, and those of one caller."""

PER_SECOND, BURST = 500, 1_000
"""Requests of one caller: the steady rate, and how many at once after a pause."""

ANONYMOUS_PER_SECOND, ANONYMOUS_BURST = 50, 100
"""Requests without a token from one address. All callers behind a proxy have one, unless it is
among the trusted proxies (`serving.access.addresses`)."""

MAX_CALLERS = 10_000


class RateLimit:
    """A leaky bucket per caller (generic cell rate algorithm, ITU-T I.371).

    Parameters
    ----------
    per_second, burst
        The steady rate, and how many at once after a pause.
    clock
        Seconds, from any origin but 0.
    """

    def __init__(
        self,
        per_second: int = PER_SECOND,
        burst: int = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rates = [Rate(per_second, Duration.SECOND, burst=burst)]
        self._algorithm, self._clock = GCRA(), clock
        self._states: OrderedDict[str, State] = OrderedDict()

    def check(self, caller: str) -> None:
        """Count one request of a caller.

        Raises
        ------
        RequestRefused
            The caller has to wait.
        """
        if wait := self.seconds_to_wait(caller):
            seconds = math.ceil(wait)
            raise RequestRefused(
                429,
                "too many requests from one caller",
                f"try again in {seconds} s",
                retry_after(seconds),
            )

    def seconds_to_wait(self, caller: str) -> float:
        """Count one request of a caller; return the seconds to wait, 0 when it may proceed."""
        state = self._states.pop(caller, None)
        if state is None:
            state = self._algorithm.initial(self._rates)
        now = int(1000 * self._clock())
        self._states[caller], decision = self._algorithm.step(self._rates, state, now, 1)
        if len(self._states) > MAX_CALLERS:
            # Of the one who asked longest ago: its bucket is likely to have run empty.
            self._states.popitem(last=False)
        return (decision.retry_after_ms or 0) / 1000


class Room:
    """A number of things that all callers share, of which one caller may have a part.

    Parameters
    ----------
    most, most_of_one
        For all callers, and for one.
    what
        What there are too many of, for the refusal.
    """

    def __init__(self, most: int, most_of_one: int, what: str) -> None:
        self._most, self._most_of_one, self._what = most, most_of_one, what
        self._taken = 0
        self._of_caller: Counter[str] = Counter()

    def take(self, caller: str, count: int = 1) -> None:
        """Take some for a caller.

        Raises
        ------
        RequestRefused
            There is no room.
        """
        if self._of_caller[caller] + count > self._most_of_one:
            raise _full(f"{self._what} from one caller")
        if self._taken + count > self._most:
            raise _full(self._what)
        self._taken += count
        self._of_caller[caller] += count

    def give_back(self, caller: str, count: int = 1) -> None:
        """Give back what was taken for a caller."""
        self._taken -= count
        self._of_caller[caller] -= count
        if not self._of_caller[caller]:
            del self._of_caller[caller]

    @contextmanager
    def taken(self, caller: str) -> Iterator[None]:
        """Take one for a caller, for a while."""
        self.take(caller)
        try:
            yield
        finally:
            self.give_back(caller)


def _full(what: str) -> RequestRefused:
    return RequestRefused(429, what, "try again in a second", retry_after(1))
