"""Calls that may take long or never end, made beside the thread that must not wait for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_ABANDONED = 16
"""Calls given up that may still be running; more are not begun until one ends."""


class Call(Generic[T]):
    """One call in a thread of its own, with its outcome once there is one."""

    def __init__(self, function: Callable[[], T]) -> None:
        self.began_at = time.monotonic()
        self._function = function
        self._value: T | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="champion-call", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """True until the call has returned or raised."""
        return self._thread.is_alive()

    @property
    def seconds(self) -> float:
        """How long ago it began."""
        return time.monotonic() - self.began_at

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; return whether the call has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def outcome(self) -> T:
        """Return what the call returned, or raise what it raised; only once it has ended."""
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def _run(self) -> None:
        try:
            self._value = self._function()
        # Whatever it is, it is raised again where the outcome is read.
        except Exception as error:
            self._error = error


class Beside(Generic[T]):
    """At most one call at a time; one that takes too long is given up, and its outcome ignored."""

    def __init__(self, limit_seconds: float) -> None:
        self.limit_seconds = limit_seconds
        self._call: Call[T] | None = None
        self._abandoned: list[Call[T]] = []

    @property
    def busy(self) -> bool:
        """True while a call runs within its time, or too many still run that were given up."""
        self._abandoned = [call for call in self._abandoned if call.running]
        return self._call is not None or len(self._abandoned) >= MOST_ABANDONED

    def begin(self, function: Callable[[], T]) -> None:
        """Begin a call; only when not `busy`."""
        self._call = Call(function)

    def ended(self, wait_seconds: float = 0.0) -> Call[T] | None:
        """Return the call if it has ended; None where it runs on, or there is none.

        Raises
        ------
        TimeoutError
            It took too long, and was given up.
        """
        call = self._call
        if call is None:
            return None
        if call.wait(wait_seconds):
            self._call = None
            return call
        if call.seconds >= self.limit_seconds:
            self.give_up()
            raise TimeoutError
        return None

    def give_up(self) -> None:
        """Ignore the outcome of the call that is running, if there is one."""
        if self._call is not None:
            self._abandoned.append(self._call)
            self._call = None
