"""Graceful shutdown of a worker: it asks callers to leave, and only then stops listening.

A listening socket can't be closed without resetting the connections in its queue, and an idle
connection can't be closed without losing a request that is on its way. So after SIGTERM every
request is still answered, with `Connection: close` and a /readyz that says 503: a proxy takes the
worker out, and once no request has come for a while the server's own shutdown interrupts nobody.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

QUIET_SECONDS = 1.0
"""After this long without a request, no more are expected."""

MAX_SECONDS = 10.0
"""After this long the worker stops, even if requests still come."""

POLL_SECONDS = 0.1


class Shutdown:
    """Whether this worker is shutting down, and when it may stop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun_at: float | None = None
        self._last_request_at = clock()

    @property
    def begun(self) -> bool:
        """Whether SIGTERM has been received."""
        return self._begun_at is not None

    def note_request(self) -> None:
        """Note that a request came."""
        self._last_request_at = self._clock()

    def begin(self) -> None:
        """Begin to shut down; a second signal changes nothing."""
        if self._begun_at is None:
            self._begun_at = self._clock()

    def may_stop(self) -> bool:
        """Say whether requests have ceased, or the shutdown has lasted too long."""
        now = self._clock()
        begun = self._begun_at
        if begun is None:
            return False
        quiet_since = max(begun, self._last_request_at)
        return now - quiet_since >= QUIET_SECONDS or now - begun >= MAX_SECONDS

    def watch(self) -> None:
        """Take SIGTERM from the server, and hand it back once the worker may stop.

        Called in the server's event loop, after the server has set its own handlers.
        """
        loop = asyncio.get_running_loop()
        server_handler = signal.getsignal(signal.SIGTERM)
        loop.add_signal_handler(signal.SIGTERM, self._on_sigterm, loop, server_handler)

    def _on_sigterm(self, loop: asyncio.AbstractEventLoop, server_handler: _Handler) -> None:
        if not self.begun:
            self.begin()
            self._stop_when_quiet(loop, server_handler)

    def _stop_when_quiet(self, loop: asyncio.AbstractEventLoop, server_handler: _Handler) -> None:
        if not self.may_stop():
            loop.call_later(POLL_SECONDS, self._stop_when_quiet, loop, server_handler)
        elif callable(server_handler):
            server_handler(signal.SIGTERM, None)


_Handler = Callable[[int, FrameType | None], Any] | int | None
