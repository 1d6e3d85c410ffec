"""Loads the champion that is awaited, beside the thread that follows the ledger."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from contracts.errors import IntegrityError, RehabcastError
from serving.faults import Fault, place_of
from serving.forecast.audit_status import ServedModel
from serving.state.beside import Beside
from serving.state.following import Terms

SHORT_SECONDS = 0.2
"""How long one turn waits for a champion that is being loaded, at most."""

LOAD_SECONDS = 120.0
"""A load of a champion that takes longer is given up, and tried again."""

FIRST_PAUSE_SECONDS = 1.0
"""Between the first attempt to load a champion and the second."""

LONGEST_PAUSE_SECONDS = 60.0
"""Between two attempts to load a champion, at most; the pause doubles from one to the next."""

CHECK_REGISTRY = (
    "check the registry and the bundle of the version; the service tries again by itself"
)
log = logging.getLogger("rehabcast.champion")


class Loader:
    """Loads one version at a time, and tries again after pauses that double.

    Parameters
    ----------
    load
        Loads the version of an entry; may take long, hang or fail.
    """

    def __init__(self, load: Callable[[Terms], ServedModel]) -> None:
        self._load = load
        self._calls: Beside[ServedModel] = Beside(LOAD_SECONDS)
        self.fault: Fault | None = None
        self._terms: Terms | None = None
        self._failures, self._due_at = 0, 0.0

    def turn(self, awaited: Terms | None, wait_seconds: float) -> tuple[Terms, ServedModel] | None:
        """Begin to load what is awaited, if it is time to; return what has been loaded.

        Parameters
        ----------
        awaited
            What is to be loaded; a load of anything else is given up.
        wait_seconds
            How long to wait for it in this turn, at most.
        """
        if awaited != self._terms:
            self._calls.give_up()
            self._terms, self.fault, self._failures, self._due_at = awaited, None, 0, 0.0
        if awaited is None:
            return None
        if not self._calls.busy and time.monotonic() >= self._due_at:
            self._calls.begin(partial(self._load, awaited))
        try:
            call = self._calls.ended(min(wait_seconds, SHORT_SECONDS))
            return None if call is None else (awaited, call.outcome())
        except Exception as error:
            log.error("the new champion cannot be loaded: %s", place_of(error))
            pause = min(FIRST_PAUSE_SECONDS * 2.0**self._failures, LONGEST_PAUSE_SECONDS)
            self._due_at = time.monotonic() + pause
            self._failures = min(self._failures + 1, 30)
            self.fault = Fault(
                f"the new champion cannot be loaded ({cause_of(error)})", CHECK_REGISTRY
            )
            return None


def cause_of(error: Exception) -> str:
    """Say why a version cannot be loaded, in words of ours: an error's own may hold an address."""
    if isinstance(error, TimeoutError):
        return "the registry did not answer in time"
    if isinstance(error, IntegrityError):
        return "its files are not those that were signed and audited"
    if isinstance(error, RehabcastError):
        return "the registry does not have it"
    return "the registry cannot be reached, or has other files"
