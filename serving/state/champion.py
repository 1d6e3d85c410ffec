"""The champion in service, and its change while requests come."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from contracts.errors import EvidenceMissing, PromotionRefused, RehabcastError, ServiceUnavailable
from serving.forecast.audit_status import Served

RECHECK_SECONDS = 2.0
"""How long a revoked or replaced champion may go on answering."""

SILENT_SECONDS = 15.0
"""A look at the ledger that lasts so long gets no answer."""

log = logging.getLogger("rehabcast.champion")


class Source(Protocol):
    """Where champions come from."""

    def moves(self) -> str:
        """Say what the ledger holds of the champion now: another text, another champion."""

    def problem(self) -> str:
        """Say what is missing for the next champion; empty when nothing is."""

    def load(self) -> Served:
        """Load the champion after checking ledger, signatures, audit and every byte."""


@dataclass(frozen=True, slots=True)
class Now:
    """What is served at a moment, read as one so that no answer mixes two.

    Parameters
    ----------
    served
        The champion.
    withdrawn
        Why it may no longer be served; empty while it may.
    problem
        What an operator should look at; empty when all is well.
    """

    served: Served
    withdrawn: str = ""
    problem: str = ""


class ChampionInService:
    """Loads the champion, and follows the ledger: a new one is loaded beside the old, then swapped.

    Raises
    ------
    RehabcastError
        There is no champion that may be served.
    """

    def __init__(self, source: Source, recheck_seconds: float = RECHECK_SECONDS) -> None:
        self._source, self._seconds = source, recheck_seconds
        self._moves = source.moves()
        self.now = Now(source.load())
        self._closing = threading.Event()
        self._looked_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="champion", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Follow the ledger no more."""
        self._closing.set()
        self._thread.join(timeout=10)

    @property
    def problem(self) -> str:
        """What an operator should look at; empty when all is well."""
        silent = time.monotonic() - self._looked_at
        if silent > max(SILENT_SECONDS, 2 * self._seconds):
            return f"the ledger has not answered for {silent:.0f} s"
        return self.now.problem

    def look(self) -> None:
        """Look once whether the champion is another, or none."""
        served = self.now.served
        try:
            moves = self._source.moves()
        except (ServiceUnavailable, DBAPIError):
            # The model whose bytes were checked goes on answering.
            self.now = Now(served, self.now.withdrawn, "the ledger cannot be reached")
            return
        except RehabcastError as error:
            self.now = Now(served, str(error), str(error))
            return
        if moves == self._moves:
            problem = self.now.withdrawn or self._source.problem()
            self.now = Now(served, self.now.withdrawn, problem)
            return
        self._swap(served, moves)

    def _swap(self, served: Served, moves: str) -> None:
        try:
            self.now = Now(self._source.load())
        except (EvidenceMissing, PromotionRefused) as error:
            self.now = Now(served, str(error), str(error))
        except (RehabcastError, DBAPIError, OSError) as error:
            log.error("the new champion cannot be loaded: %s", type(error).__name__)
            self.now = Now(served, "", "the new champion cannot be loaded; the one before answers")
            return
        self._moves = moves
        log.info("in service: %s", self.now.served.standing.model_version)

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            self.look()
            self._looked_at = time.monotonic()
