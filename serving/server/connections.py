"""How many connections a worker has, how long each may take, and who makes room for another.

A connection costs memory and a file descriptor before anybody has shown a token. So every state of
one has a deadline, and where there are too many, the one that has kept the service waiting longest
makes room: a prober or an honest caller always gets in.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from enum import Enum, auto
from typing import Protocol

MAX_CONNECTIONS = 1_024
"""Open connections of one worker."""

MAX_PER_PEER = 512
"""Open connections from one address: half of all. A proxy is one address."""

FIRST_SECONDS = 5.0
"""From the connection to the first byte of a request."""

HEAD_SECONDS = 5.0
"""From the first byte of a request to the end of its head."""

BODY_SECONDS = 10.0
"""From the end of the head to the end of the body: 8 MiB in it are 6.7 Mbit/s."""

IDLE_SECONDS = 30.0
"""From an answer to the next request; proxies close theirs earlier."""

SEND_SECONDS = 10.0
"""From an answer that the caller does not take to the end of the connection."""

SWEEP_SECONDS = 0.25
"""How often deadlines are checked: one pass over all costs less than a timer for each."""


class Phase(Enum):
    """What a connection waits for, or is waited for."""

    NEW = auto()
    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    ANSWERING = auto()


DEADLINES = {
    Phase.NEW: FIRST_SECONDS,
    Phase.IDLE: IDLE_SECONDS,
    Phase.HEAD: HEAD_SECONDS,
    Phase.BODY: BODY_SECONDS,
}
"""Seconds by phase. While a request is answered it is the service that has a time limit."""


class Waiting(Protocol):
    """A connection, as far as its deadlines are concerned."""

    peer: str
    phase: Phase
    since: float
    unsent_since: float | None

    def unsent(self) -> bool:
        """Say whether bytes of an answer wait for the caller to take them."""

    def time_out(self) -> None:
        """End the connection that kept the service waiting, and say so if a request had begun."""

    def drop(self) -> None:
        """End the connection without a word."""


class Connections:
    """All connections of a worker."""

    def __init__(self, most: int = MAX_CONNECTIONS, most_per_peer: int = MAX_PER_PEER) -> None:
        self._most, self._most_per_peer = most, most_per_peer
        self._open: dict[Waiting, None] = {}
        self._of_peer: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Waiting) -> bool:
        """Count a new connection; False where there is no room and nobody to make it."""
        peer = connection.peer
        if self._of_peer[peer] >= self._most_per_peer:
            made = self._make_room([one for one in self._open if one.peer == peer])
        elif len(self._open) >= self._most:
            made = self._make_room(list(self._open))
        else:
            made = True
        if made:
            self._open[connection] = None
            self._of_peer[peer] += 1
        return made

    def remove(self, connection: Waiting) -> None:
        """Forget a connection that has ended."""
        if connection in self._open:
            del self._open[connection]
            self._of_peer[connection.peer] -= 1
            if not self._of_peer[connection.peer]:
                del self._of_peer[connection.peer]

    def _make_room(self, among: list[Waiting]) -> bool:
        waiting = [one for one in among if one.phase is not Phase.ANSWERING]
        if not waiting:
            return False
        longest = min(waiting, key=lambda one: one.since)
        self.remove(longest)
        longest.drop()
        return True

    def sweep(self, now: float) -> None:
        """End the connections whose time is over."""
        for connection in list(self._open):
            if not connection.unsent():
                connection.unsent_since = None
            elif connection.unsent_since is None:
                connection.unsent_since = now
            elif now - connection.unsent_since > SEND_SECONDS:
                connection.drop()
                continue
            limit = DEADLINES.get(connection.phase)
            if limit is not None and now - connection.since > limit:
                connection.time_out()

    def keep_sweeping(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sweep now and again, until the loop ends."""
        self.sweep(loop.time())
        loop.call_later(SWEEP_SECONDS, self.keep_sweeping, loop)
