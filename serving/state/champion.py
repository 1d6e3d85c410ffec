"""The champion in service, and its replacement while requests arrive."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from contracts.errors import EvidenceMissing, PromotionRefused, RehabcastError, ServiceUnavailable
from serving.faults import Fault
from serving.forecast.audit_status import ServedModel

RECHECK_SECONDS = 2.0
"""How long a revoked or replaced champion may go on answering."""

SILENT_SECONDS = 15.0
"""After this long without an answer, the ledger is reported as not answering."""

CHECK_LEDGER = "check that the ledger's database is running and can be reached"

log = logging.getLogger("rehabcast.champion")


class ChampionSource(Protocol):
    """Where champions come from."""

    def revision(self) -> str:
        """Identify what the ledger says about the champion now: it changes with the champion."""

    def problem(self) -> Fault | None:
        """Return what prevents the next champion from being loaded; None when nothing does."""

    def load(self) -> ServedModel:
        """Load the champion after checking ledger, signatures, audit and every byte."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is served at one moment, read as one so that no answer mixes two.

    Parameters
    ----------
    served
        The champion.
    withdrawn
        Why it may no longer be served; None while it may.
    problem
        What an operator should look at; None when all is well.
    """

    served: ServedModel
    withdrawn: Fault | None = None
    problem: Fault | None = None


class ChampionInService:
    """Loads the champion, and follows the ledger: a new one is loaded beside the old, then swapped.

    Raises
    ------
    RehabcastError
        There is no champion that may be served.
    """

    def __init__(self, source: ChampionSource, recheck_seconds: float = RECHECK_SECONDS) -> None:
        self._source, self._seconds = source, recheck_seconds
        self._revision = source.revision()
        self.current = Snapshot(source.load())
        self._closing = threading.Event()
        self._refreshed_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="champion", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following the ledger."""
        self._closing.set()
        self._thread.join(timeout=10)

    @property
    def problem(self) -> Fault | None:
        """What an operator should look at; None when all is well."""
        silent = time.monotonic() - self._refreshed_at
        if silent > max(SILENT_SECONDS, 2 * self._seconds):
            return Fault(f"the ledger has not answered for {silent:.0f} s", CHECK_LEDGER)
        return self.current.problem

    def refresh(self) -> None:
        """Check once whether the champion was replaced or withdrawn."""
        served = self.current.served
        try:
            revision = self._source.revision()
        except (ServiceUnavailable, DBAPIError):
            # The model whose bytes were verified goes on answering.
            unreachable = Fault("the ledger cannot be reached", CHECK_LEDGER)
            self.current = Snapshot(served, self.current.withdrawn, unreachable)
            return
        except RehabcastError as error:
            self._withdraw(served, error)
            return
        if revision == self._revision:
            problem = self.current.withdrawn or self._source.problem()
            self.current = Snapshot(served, self.current.withdrawn, problem)
            return
        self._swap(served, revision)

    def _withdraw(self, served: ServedModel, error: RehabcastError) -> None:
        fault = Fault.of(error)
        self.current = Snapshot(served, withdrawn=fault, problem=fault)

    def _swap(self, served: ServedModel, revision: str) -> None:
        try:
            self.current = Snapshot(self._source.load())
        except (EvidenceMissing, PromotionRefused) as error:
            self._withdraw(served, error)
        except (RehabcastError, DBAPIError, OSError) as error:
            log.error("the new champion cannot be loaded: %s", type(error).__name__)
            problem = Fault(
                "the new champion cannot be loaded; the previous one still answers",
                "check the registry and the bundle of the new version",
            )
            self.current = Snapshot(served, problem=problem)
            return
        self._revision = revision
        log.info("in service: %s", self.current.served.audit_status.model_version)

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            self.refresh()
            self._refreshed_at = time.monotonic()
