"""The champion in service, and its replacement while requests arrive.

`serving.state.following` decides what may be served; here are the thread that asks, the loading
beside it, and the clock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from contracts.errors import PromotionRefused, RehabcastError, ServiceUnavailable
from serving.faults import Fault, place_of
from serving.forecast.audit_status import ServedModel
from serving.state.beside import Beside, Call
from serving.state.following import (
    CHECK_LEDGER,
    LEDGER_AWAY,
    Away,
    Reading,
    Refuted,
    State,
    Terms,
    Verified,
    Withdrawn,
    at,
    begin,
    begin_withdrawn,
    follow,
    loaded,
)
from serving.state.loading import LOAD_SECONDS, Loader, cause_of

RECHECK_SECONDS = 2.0
"""How long a revoked or replaced champion may go on answering."""

SILENT_SECONDS = 15.0
"""After this long without a verified reading, the ledger is reported as not answering."""

READ_SECONDS = 10.0
"""A reading of the ledger that takes longer is given up."""

REGISTRY_SECONDS = 10.0
"""How often the registry is asked whether it is there, and how long it may take to answer."""

REGISTRY_AWAY = Fault(
    "the registry cannot be reached, so no new champion can be loaded",
    "check that MLflow is running",
)

log = logging.getLogger("rehabcast.champion")


class ChampionSource(Protocol):
    """Where champions come from; each method may be called in any thread."""

    def read(self) -> Verified:
        """Read and verify the ledger."""

    def registry(self) -> Fault | None:
        """Return what would prevent a champion from being loaded; None when nothing does."""

    def load(self, terms: Terms) -> ServedModel:
        """Load the version of an entry after checking signatures, report and every byte."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is served at one moment, read as one so that no answer mixes two.

    Parameters
    ----------
    served
        The version loaded.
    withdrawn
        Why it may no longer be served; None while it may.
    problem
        What an operator should look at; None when all is well.
    """

    served: ServedModel
    withdrawn: Fault | None = None
    problem: Fault | None = None


class Clock:
    """The time, which never goes back while the process runs."""

    def __init__(self, wall: Callable[[], datetime]) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self._latest, self._read_at = wall(), time.monotonic()

    def now(self) -> datetime:
        """Return the later of the wall clock, and the latest time plus what has passed since."""
        with self._lock:
            read_at = time.monotonic()
            passed = self._latest + timedelta(seconds=read_at - self._read_at)
            self._latest, self._read_at = max(self._wall(), passed), read_at
            return self._latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A state, with the version loaded on its terms."""

    state: State
    served: ServedModel


def _first(reading: Verified, now: datetime, *, may_be_withdrawn: bool) -> State:
    """Return the first state; where nothing may be served, only if that is allowed."""
    state = begin(reading, now)
    if not isinstance(state, Fault):
        return state
    withdrawn = begin_withdrawn(reading, state, now) if may_be_withdrawn else None
    if withdrawn is None:
        raise PromotionRefused(state.reason, state.what_to_do)
    return withdrawn


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class ChampionInService:
    """Loads the champion, and follows the ledger: a new one is loaded beside the old, then swapped.

    Parameters
    ----------
    may_be_withdrawn
        Whether it begins with a champion that may not be served, and says so, instead of refusing.

    Raises
    ------
    RehabcastError
        There is no champion that may be served, or it cannot be loaded.
    """

    def __init__(
        self,
        source: ChampionSource,
        recheck_seconds: float = RECHECK_SECONDS,
        wall_clock: Callable[[], datetime] = _wall_clock,
        *,
        may_be_withdrawn: bool = False,
    ) -> None:
        self._source, self._seconds = source, recheck_seconds
        self._clock = Clock(wall_clock)
        self._reads: Beside[Verified] = Beside(READ_SECONDS)
        self._loader = Loader(source.load)
        self._registry: Beside[Fault | None] = Beside(REGISTRY_SECONDS)
        self._registry_fault: Fault | None = None
        self._registry_asked_at = float("-inf")
        self._unexpected: Fault | None = None
        self._held = self._begin(may_be_withdrawn=may_be_withdrawn)
        self._verified_at = time.monotonic()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="champion", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following the ledger."""
        self._closing.set()
        self._thread.join(timeout=10)

    @property
    def current(self) -> Snapshot:
        """What is served now; an audit that has expired withdraws it though nobody answers."""
        held = self._held
        state = at(held.state, self._clock.now())
        withdrawn = state.why if isinstance(state, Withdrawn) else None
        not_loaded = None if state.awaited is None else self._loader.fault
        problem = not_loaded or withdrawn or state.problem or self._registry_fault
        return Snapshot(held.served, withdrawn, problem)

    @property
    def problem(self) -> Fault | None:
        """What an operator should look at; None when all is well."""
        silent = time.monotonic() - self._verified_at
        problem = self._unexpected or self.current.problem
        if silent <= max(SILENT_SECONDS, 2 * self._seconds):
            return problem
        fault = Fault(f"the ledger has not been verified for {silent:.0f} s", CHECK_LEDGER)
        if problem is None:
            return fault
        return Fault(f"{fault.reason}; {problem.reason}", problem.what_to_do)

    def refresh(self) -> None:
        """Read the ledger once and act on it; begin, or finish, what is loaded beside."""
        reading = self._read()
        held = self._held
        self._hold(Held(state=follow(held.state, reading, self._clock.now()), served=held.served))
        if isinstance(reading, Verified):
            self._verified_at = time.monotonic()
        self._load()
        self._ask_registry()

    def _begin(self, *, may_be_withdrawn: bool) -> Held:
        try:
            reading = self._source.read()
        except (SQLAlchemyError, OSError) as error:
            log.error("the ledger cannot be read: %s", place_of(error))
            raise ServiceUnavailable(LEDGER_AWAY.reason, LEDGER_AWAY.what_to_do) from None
        state = _first(reading, self._clock.now(), may_be_withdrawn=may_be_withdrawn)
        call = Call(partial(self._source.load, state.terms))
        try:
            if not call.wait(LOAD_SECONDS):
                raise TimeoutError
            return Held(state=state, served=call.outcome())
        except RehabcastError:
            raise
        except Exception as error:
            log.error("the champion cannot be loaded: %s", place_of(error))
            raise ServiceUnavailable(
                f"the champion cannot be loaded ({cause_of(error)})",
                "check the registry and the bundle of the version, then start the service again",
            ) from None

    def _read(self) -> Reading:
        try:
            if not self._reads.busy:
                self._reads.begin(self._source.read)
            call = self._reads.ended(READ_SECONDS)
            return Away() if call is None else call.outcome()
        except (ServiceUnavailable, SQLAlchemyError, OSError):
            return Away()
        except RehabcastError as error:
            return Refuted(Fault.of(error))
        except Exception as error:
            log.error("the ledger cannot be checked: %s", place_of(error))
            # Nobody knows what the ledger says, though it answers.
            return Refuted(
                Fault(
                    f"the ledger cannot be checked ({type(error).__name__})",
                    "look at the service's log, and verify the ledger (`rehabcast ledger verify`)",
                )
            )

    def _load(self) -> None:
        ready = self._loader.turn(self._held.state.awaited, self._seconds)
        if ready is not None:
            terms, served = ready
            state = loaded(self._held.state, terms, self._clock.now())
            if state.terms == terms:
                self._hold(Held(state=state, served=served))
                log.info("in service: %s", terms.model_version)

    def _hold(self, held: Held) -> None:
        before, self._held = self._held.state, held
        if type(held.state) is not type(before):
            why = held.state.why.reason if isinstance(held.state, Withdrawn) else "may be served"
            log.warning("%s: %s", held.state.terms.model_version, why)

    def _ask_registry(self) -> None:
        now = time.monotonic()
        if not self._registry.busy and now - self._registry_asked_at >= REGISTRY_SECONDS:
            self._registry.begin(self._source.registry)
            self._registry_asked_at = now
        try:
            call = self._registry.ended()
            if call is not None:
                self._registry_fault = call.outcome()
        except Exception as error:
            log.error("the registry cannot be asked: %s", place_of(error))
            self._registry_fault = REGISTRY_AWAY

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            try:
                self.refresh()
                self._unexpected = None
            # A thread that ended here would leave a revoked model in service, unnoticed.
            except Exception as error:
                log.error("an unexpected error while following the ledger: %s", place_of(error))
                self._unexpected = Fault(
                    f"an unexpected error while following the ledger ({type(error).__name__})",
                    "look at the service's log, and report it",
                )
