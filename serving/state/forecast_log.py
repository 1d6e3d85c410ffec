"""The forecast log: who got which forecast from which model, so that it can be proved later.

A forecast is put into a file of its worker before it is answered (`serving.state.spool`), and from
there on record by a thread: it never waits for the database, and is not lost with its worker.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sa

from serving.faults import Fault, place_of
from serving.state import entries
from serving.state.entries import Event, Kind
from serving.state.spool import Spool, lines_in
from serving.state.store import Store
from stores.database import reading, write

MAX_IN_MEMORY = 10_000
"""Entries kept in memory while the disk takes none; later ones are lost, and /readyz says so."""

BATCH_SIZE = 500
RETRY_SECONDS = 1.0
GATHER_SECONDS = 0.05
"""How long the first entry waits for others: a transaction costs as much as a forecast."""

ADOPT_SECONDS = 5.0
"""How often the folder is searched for the files of workers that are no longer there."""

UNDECODABLE = (msgspec.DecodeError, UnicodeError)
"""What reading a line raises that is not an entry, or no text."""

UNSTORABLE = (sa.exc.DataError, UnicodeError)
"""What the database raises for a value that it cannot hold, such as a NUL in PostgreSQL."""

log = logging.getLogger("rehabcast.forecast_log")


class ForecastEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast that was given, or refused.

    Parameters
    ----------
    id, time, route, actor, tenant
        Of the answer; when (UTC, ISO 8601), by which route, to whom, of whose patients.
    subject
        The person; None where none was named.
    model_version, bundle_digest
        Which model answered.
    input_digest, output
        SHA-256 of what the model read (`serving.forecast.question`), and the answer itself.
    """

    id: str
    time: str
    route: str
    actor: str
    tenant: str
    subject: str | None
    model_version: str
    bundle_digest: str
    input_digest: str
    output: str


class ForecastLog:
    """Puts forecasts on record in a thread of its own."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.lost = 0
        self._folder, self._spool = folder, Spool(folder)
        self._in_memory: deque[ForecastEntry] = deque()
        self._store_problem: Fault | None = None
        self._disk_problem: Fault | None = None
        self._adopted_at = float("-inf")
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="forecast-log", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> Fault | None:
        """What an operator should look at; None when all is well."""
        if self._store_problem or self._disk_problem:
            return self._store_problem or self._disk_problem
        count = self._spool.unreadable()
        return fault_of_lines_set_aside(count) if count else None

    def add(self, entry: ForecastEntry) -> None:
        """Keep an entry on disk; it will be on record shortly."""
        try:
            self._spool.write(msgspec.json.encode(entry))
            self._disk_problem = None
        except OSError as error:
            self._keep_in_memory(entry, error)
        self._wake.set()

    def settle(self, seconds: float) -> bool:
        """Wait until what was added is on record; False where it is not yet."""
        deadline = time.monotonic() + seconds
        while not (self._spool.is_empty and not self._in_memory):
            if time.monotonic() >= deadline:
                return False
            time.sleep(GATHER_SECONDS / 5)
        return True

    def waiting_about(self, tenant: str, subject: str) -> int:
        """Return how many forecasts about a person any worker has not put on record yet."""
        return waiting_about(self.store, self._folder, tenant, subject)

    def close(self, seconds: float = 10.0) -> None:
        """Put on record what is waiting, and stop."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout=seconds)
        if self._in_memory:
            log.error("%d forecasts were not written", len(self._in_memory))
        self._spool.close()

    def _keep_in_memory(self, entry: ForecastEntry, error: OSError) -> None:
        self._disk_problem = Fault(
            "forecasts cannot be kept on disk until they are stored",
            "check the service's spool folder and the disk: they are kept in memory meanwhile",
        )
        log.warning("%s: %s", self._disk_problem.reason, type(error).__name__)
        if len(self._in_memory) >= MAX_IN_MEMORY:
            self.lost += 1
        else:
            self._in_memory.append(entry)

    def _run(self) -> None:
        while True:
            self._wake.wait(ADOPT_SECONDS)
            closing = self._closing.wait(GATHER_SECONDS)
            self._wake.clear()
            done = self._attempt()
            if closing:
                if not done:
                    self._attempt()
                return
            if not done:
                self._closing.wait(RETRY_SECONDS)
                self._wake.set()

    def _attempt(self) -> bool:
        """Put on record what is waiting; return whether that succeeded."""
        try:
            self._write_waiting()
            self._write_from_memory()
            if time.monotonic() - self._adopted_at >= ADOPT_SECONDS:
                self._adopt()
                self._adopted_at = time.monotonic()
        # Whatever it was, this thread goes on: the entries wait on disk, and /readyz shows it.
        except Exception as error:
            log.warning("forecasts cannot be put on record: %s", place_of(error))
            self._store_problem = Fault(
                "the forecast log cannot be written",
                "check the service's store: entries are kept on disk and written later",
            )
            return False
        self._store_problem = None
        return True

    def _write_waiting(self) -> None:
        while lines := self._spool.waiting():
            for start in range(0, len(lines), BATCH_SIZE):
                batch = lines[start : start + BATCH_SIZE]
                self._record(batch)
                self._spool.handed_on(batch)

    def _write_from_memory(self) -> None:
        while self._in_memory:
            batch = list(self._in_memory)[:BATCH_SIZE]
            self._record([msgspec.json.encode(entry) + b"\n" for entry in batch])
            for _ in batch:
                self._in_memory.popleft()
            if not self._in_memory:
                self._disk_problem = None

    def _adopt(self) -> None:
        for file, lines in self._spool.orphans():
            for start in range(0, len(lines), BATCH_SIZE):
                self._record(lines[start : start + BATCH_SIZE])
            file.unlink()

    def _record(self, lines: Sequence[bytes]) -> None:
        """Put lines on record; those that never can be are set aside, so that none waits for them.

        A line that cannot be read, or that the database refuses for its own sake, whatever the
        state of the database is.
        """
        refused: list[bytes] = []
        readable: list[tuple[bytes, ForecastEntry]] = []
        for line in lines:
            try:
                readable.append((line, _decoded(line)))
            except UNDECODABLE:
                refused.append(line)
        try:
            append(self.store, [entry for _, entry in readable])
        except UNSTORABLE:
            refused += [line for line, entry in readable if not self._is_stored(entry)]
        if refused:
            self._spool.set_aside(refused)
            log.error("%d lines of the spool cannot be put on record: set aside", len(refused))

    def _is_stored(self, entry: ForecastEntry) -> bool:
        """Put one entry on record; return False where the database refuses it for its own sake."""
        try:
            append(self.store, [entry])
        except UNSTORABLE:
            return False
        return True


def fault_of_lines_set_aside(count: int) -> Fault:
    """Return what an operator has to look at where lines of the spool were set aside."""
    return Fault(
        f"{count} lines of the spool cannot be put on record, and were set aside",
        "look at the .unreadable files in the service's spool folder: forecasts that were given may"
        " be missing from the record; move the files away once you have",
    )


def waiting_about(store: Store, folder: Path, tenant: str, subject: str) -> int:
    """Return how many forecasts about a person are in the spool's folder and not on record.

    A line that cannot be read counts if it has the person's identifier anywhere.
    """
    ids, unreadable = set(), 0
    for line in lines_in(folder):
        if msgspec.json.encode(subject)[1:-1] not in line:
            continue
        try:
            entry = _decoded(line)
        except UNDECODABLE:
            unreadable += 1
            continue
        if (entry.tenant, entry.subject) == (tenant, subject):
            ids.add(entry.id)
    with reading(store.engine) as connection:
        return unreadable + len(ids - entries.known_ids(connection, ids))


def append(store: Store, forecasts: Sequence[ForecastEntry]) -> int:
    """Put forecasts on record in one transaction; return how many were not there yet."""
    events = [_event(forecast) for forecast in forecasts]

    def action(connection: sa.Connection) -> int:
        return entries.append(connection, events)

    return write(store.engine, action)


def _decoded(line: bytes) -> ForecastEntry:
    return msgspec.json.decode(line, type=ForecastEntry)


def _event(forecast: ForecastEntry) -> Event:
    return Event(
        id=forecast.id,
        time=forecast.time,
        kind=Kind.FORECAST,
        tenant=forecast.tenant,
        actor=forecast.actor,
        subject=forecast.subject,
        details={
            "route": forecast.route,
            "model_version": forecast.model_version,
            "bundle_digest": forecast.bundle_digest,
        },
        content={"input_digest": forecast.input_digest, "output": forecast.output},
    )
