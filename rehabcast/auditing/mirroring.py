"""Mirrors the ledger's champions to MLflow without ever waiting long for it.

The ledger decides; MLflow's alias is for people who look there. A change is on record before MLflow
is asked, and stays there whatever MLflow does.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from audits.judging.wording import scope_in_words
from audits.ledger.ledger import Ledger
from audits.ledger.mirror import Drift, find_drift, mirror_aliases
from audits.ledger.records import Champion
from contracts.errors import ServiceUnavailable
from contracts.verdict import Outcome, Verdict
from rehabcast.output import stderr_console
from rehabcast.settings import Settings
from serving.faults import place_of
from training.registry.model_versions import ChampionAliases, ModelVersion

BOUNDS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DOWNLOAD_CHUNK_TIMEOUT": "30",
}
"""MLflow's client waits two minutes, seven times, unless it is told otherwise; seconds."""

PATIENCE_SECONDS = 10.0
"""How long a command waits for MLflow's aliases after its change is on record."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0

LATER = "run `rehabcast ledger mirror` once MLflow answers; a service that runs tries again itself"

log = logging.getLogger("rehabcast.champion")

T = TypeVar("T")


def bound_registry_calls() -> None:
    """Have MLflow's client give up within seconds, unless its own settings say otherwise."""
    for name, value in BOUNDS.items():
        os.environ.setdefault(name, value)


def show_champions(settings: Settings, ledger: Ledger) -> tuple[Drift, ...]:
    """Make MLflow's aliases show the ledger's champions; return the ones that had drifted.

    Raises
    ------
    ServiceUnavailable
        MLflow refused, or did not answer in time; the ledger is as it was.
    """
    return tuple(_soon(lambda: _mirrored(settings, ledger)))


def try_to_show_champion(settings: Settings, ledger: Ledger, champion: Champion) -> bool:
    """Mirror a change that is on record; say where MLflow does not show it yet.

    Returns
    -------
    bool
        Whether the aliases show the ledger's champions.
    """
    try:
        drifts = show_champions(settings, ledger)
    except ServiceUnavailable as error:
        stderr_console.print(
            "The change is in the ledger and in force, but MLflow's alias does not show it yet:"
            f" {error.reason}. Next: {LATER}"
        )
        return False
    for drift in drifts:
        stderr_console.print(f"Drift: {drift}. Corrected, and recorded in the ledger.")
    tags = {"champion_epoch": str(champion.epoch)}
    try_to_tag(settings, champion.model, champion.version, tags)
    return True


def drifted_aliases(settings: Settings, ledger: Ledger) -> tuple[Drift, ...] | None:
    """Return the aliases that do not show the ledger's champions; None, and said, if unknown."""
    try:
        return tuple(_soon(lambda: find_drift(ledger, ChampionAliases(store=settings.store))))
    except ServiceUnavailable as error:
        stderr_console.print(f"MLflow's aliases were not compared with the ledger: {error.reason}")
        return None


def try_to_tag(settings: Settings, name: str, version: str, tags: Mapping[str, str]) -> None:
    """Show in MLflow what the ledger has on record of a version; say so where MLflow fails."""

    def tag() -> None:
        client = settings.store.client()
        for tag, text in tags.items():
            client.set_model_version_tag(name, version, tag, text)

    try:
        _soon(tag)
    except ServiceUnavailable as error:
        stderr_console.print(
            f"It is on record in the ledger, but MLflow's tags do not show it: {error.reason}"
        )


def show_verdict(settings: Settings, version: ModelVersion, verdict: Verdict) -> None:
    """Show a verdict and its scope in MLflow's tags."""
    nobody = "Nobody." if verdict.outcome is Outcome.BLOCKED else "Nobody without an override."
    scope = nobody if verdict.scope is None else " ".join(scope_in_words(verdict.scope))
    tags = {"audit": str(verdict.outcome), "audit_scope": scope}
    try_to_tag(settings, version.name, version.version, tags)


class ServiceMirror:
    """Mirrors from a running service: beside it, one at a time, until it succeeds."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings, self._ledger = settings, ledger
        self._lock = threading.Lock()
        self._wanted = self._is_running = False

    def start(self) -> None:
        """Have the aliases set, without waiting for it."""
        with self._lock:
            self._wanted = True
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, daemon=True, name="mirror").start()

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while self._take():
            try:
                _mirrored(self._settings, self._ledger)
            # Nothing relies on the alias; a failure is said and tried again.
            except Exception as error:
                log.error("MLflow's alias lags behind the ledger: %s", place_of(error))
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                with self._lock:
                    self._wanted = True

    def _take(self) -> bool:
        """Return whether there is work; where there is none, the thread ends."""
        with self._lock:
            is_wanted, self._wanted = self._wanted, False
            self._is_running = is_wanted
            return is_wanted


def _soon(ask: Callable[[], T]) -> T:
    """Return what a question to MLflow gives, if it comes within `PATIENCE_SECONDS`.

    MLflow's own limits hold for each step of each request, and not at all for a database.

    Raises
    ------
    ServiceUnavailable
        It failed, or did not come in time; it may still come afterwards.
    """
    bound_registry_calls()
    answers: queue.SimpleQueue[T | Exception] = queue.SimpleQueue()

    def answer() -> None:
        try:
            answers.put(ask())
        # Whatever fails in the thread is the caller's to say.
        except Exception as error:
            answers.put(error)

    # A daemon, so that a command ends although MLflow does not answer.
    threading.Thread(target=answer, daemon=True, name="mlflow").start()
    try:
        found = answers.get(timeout=PATIENCE_SECONDS)
    except queue.Empty:
        raise ServiceUnavailable(
            f"MLflow did not answer within {PATIENCE_SECONDS:.0f} s", LATER
        ) from None
    if isinstance(found, Exception):
        raise ServiceUnavailable(f"MLflow failed ({place_of(found)})", LATER) from None
    return found


def _mirrored(settings: Settings, ledger: Ledger) -> list[Drift]:
    return mirror_aliases(
        ledger,
        ChampionAliases(store=settings.store),
        actor=settings.actor,
        now=datetime.now(UTC),
    )
