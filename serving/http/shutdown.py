"""The end of a worker: first it asks to be left alone, and only then stops listening.

A listening socket can't be closed without resetting whoever is in its queue, and a connection kept
open can't be closed without missing a request on its way. So after SIGTERM everything is still
answered, with `Connection: close` and a /readyz that says 503: a proxy takes the worker out, and
once nobody has asked for a while the server's own shutdown finds nobody there.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

QUIET_SECONDS = 1.0
"""Nobody asked for so long: nobody will."""

LONGEST_SECONDS = 10.0
"""After this the end comes, whoever still asks."""

LOOK_SECONDS = 0.1


class Ending:
    """Whether this worker is ending, and when it may."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun_at: float | None = None
        self._asked_at = clock()

    @property
    def begun(self) -> bool:
        """Whether SIGTERM has come."""
        return self._begun_at is not None

    def asked(self) -> None:
        """Note that somebody asked for something."""
        self._asked_at = self._clock()

    def begin(self) -> None:
        """Begin the end; a second signal changes nothing."""
        if self._begun_at is None:
            self._begun_at = self._clock()

    def may_stop(self) -> bool:
        """Say whether nobody asks any more, or it has lasted too long."""
        now = self._clock()
        begun = self._begun_at
        if begun is None:
            return False
        quiet_since = max(begun, self._asked_at)
        return now - quiet_since >= QUIET_SECONDS or now - begun >= LONGEST_SECONDS

    def watch(self) -> None:
        """Take SIGTERM from the server, and hand it back once the worker may stop.

        Called in the server's event loop, after the server has set its own handlers.
        """
        loop = asyncio.get_running_loop()
        servers = signal.getsignal(signal.SIGTERM)
        loop.add_signal_handler(signal.SIGTERM, self._take, loop, servers)

    def _take(self, loop: asyncio.AbstractEventLoop, servers: _Handler) -> None:
        if not self.begun:
            self.begin()
            self._look(loop, servers)

    def _look(self, loop: asyncio.AbstractEventLoop, servers: _Handler) -> None:
        if not self.may_stop():
            loop.call_later(LOOK_SECONDS, self._look, loop, servers)
        elif callable(servers):
            servers(signal.SIGTERM, None)


_Handler = Callable[[int, FrameType | None], Any] | int | None
