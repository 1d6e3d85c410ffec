"""Threads for requests, and slots for those who wait for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio

from serving.http.admission import limits

T = TypeVar("T")


class Pool:
    """Threads, and slots for those who wait for one.

    Parameters
    ----------
    slots, slots_of_one
        Requests that wait or are worked on, of all callers and of one; more get 429.
    threads
        Requests that are worked on at the same time.
    """

    def __init__(self, slots: int, slots_of_one: int, threads: int) -> None:
        self._slots = limits.Room(slots, slots_of_one, "too many requests at once")
        self._threads = anyio.CapacityLimiter(threads)

    async def run(self, work: Callable[[], T], caller: str) -> T:
        """Run a caller's work as soon as a thread is free, if a slot is."""
        with self._slots.taken(caller):
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
