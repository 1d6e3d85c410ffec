"""The forecast log: who got which forecast from which model, so that it can be proved later.

Entries are chained by SHA-256, like the ledger's. The output itself is not part of the hash, only
its digest is: `forget` deletes the output after the time that the hospital keeps forecasts, and the
chain still shows that nothing was changed or left out.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from contracts.digests import record_digest
from contracts.errors import IntegrityError
from serving.faults import Fault
from serving.state.store import Store
from serving.state.tables import forecast_table
from stores.database import reading, write

NO_PREVIOUS = "0" * 64
"""Stands for the hash before the first entry."""

MAX_WAITING = 10_000
"""Entries kept while the database is away; later ones are counted as lost, and /readyz says so."""

BATCH_SIZE = 500
RETRY_SECONDS = 1.0
GATHER_SECONDS = 0.05
"""How long the first entry waits for others: a transaction costs as much as a forecast."""

COMPARE_WITH_BACKUP = "compare the store with its last backup, and find out who could change it"

log = logging.getLogger("rehabcast.forecast_log")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastEntry:
    """A forecast that was given, or refused.

    Parameters
    ----------
    id, time, kind, actor
        Of the answer; when (UTC, ISO 8601), by which route, to whom.
    model_version, bundle_digest
        Which model answered.
    input_digest, output_digest, output
        SHA-256 of the request and of the answer, and the answer itself.
    """

    id: str
    time: str
    kind: str
    actor: str
    model_version: str
    bundle_digest: str
    input_digest: str
    output_digest: str
    output: str


class ForecastLog:
    """Writes entries in a thread of its own, so that a forecast never waits for the database."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.problem: Fault | None = None
        self.lost = 0
        self._waiting: queue.Queue[ForecastEntry | None] = queue.Queue(MAX_WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forecast-log", daemon=True)
        self._thread.start()

    def add(self, entry: ForecastEntry) -> None:
        """Queue an entry to be written shortly."""
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            self.lost += 1

    def close(self, seconds: float = 10.0) -> None:
        """Write the entries that are waiting, and stop."""
        self._closing.set()
        try:
            self._waiting.put(None, timeout=seconds)
        except queue.Full:
            log.error("entries of the forecast log were left unwritten")
        self._thread.join(timeout=seconds)

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            entries = [entry for entry in batch if entry is not None]
            while entries and not self._write(entries):
                if self._closing.wait(RETRY_SECONDS) and not self._write(entries):
                    log.error("%d entries of the forecast log were not written", len(entries))
                    return
            if None in batch:
                return

    def _next_batch(self) -> list[ForecastEntry | None]:
        batch: list[ForecastEntry | None] = [self._waiting.get()]
        self._closing.wait(GATHER_SECONDS)
        while len(batch) < BATCH_SIZE:
            try:
                batch.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return batch

    def _write(self, entries: Sequence[ForecastEntry]) -> bool:
        try:
            append(self.store, entries)
        except sa.exc.SQLAlchemyError as error:
            self.problem = Fault(
                "the forecast log cannot be written",
                "check the service's store: entries are kept in memory and written later",
            )
            log.warning("%s: %s", self.problem.reason, type(error).__name__)
            return False
        self.problem = None
        return True


def append(store: Store, entries: Sequence[ForecastEntry]) -> None:
    """Append entries to the log in one transaction."""

    def action(connection: sa.Connection) -> None:
        last = connection.execute(
            sa.select(forecast_table.c.sequence, forecast_table.c.hash)
            .order_by(forecast_table.c.sequence.desc())
            .limit(1)
        ).one_or_none()
        length, previous = (0, NO_PREVIOUS) if last is None else (last.sequence, last.hash)
        rows = []
        for sequence, entry in enumerate(entries, start=length + 1):
            row = {**asdict(entry), "sequence": sequence, "previous": previous}
            row["hash"] = previous = _hash(row)
            rows.append(row)
        connection.execute(sa.insert(forecast_table), rows)

    write(store.engine, action)


def verify_chain(store: Store) -> int:
    """Recompute the hash chain; return its length.

    Raises
    ------
    IntegrityError
        An entry was edited, lost or moved, or an output is not the one that was given.
    """
    previous, length = NO_PREVIOUS, 0
    with reading(store.engine) as connection:
        query = sa.select(forecast_table).order_by(forecast_table.c.sequence)
        for stored in connection.execute(query):
            row = dict(stored._mapping)
            stored_hash = row.pop("hash")
            length += 1
            if (
                row["sequence"] != length
                or row["previous"] != previous
                or _hash(row) != stored_hash
            ):
                raise IntegrityError(
                    f"forecasts: entry {length} is not what was written", COMPARE_WITH_BACKUP
                )
            output = row["output"]
            if output is not None and record_digest({"output": output}) != row["output_digest"]:
                raise IntegrityError(
                    f"forecasts: the answer of entry {length} was changed", COMPARE_WITH_BACKUP
                )
            previous = stored_hash
    return length


def forget(store: Store, before: datetime) -> int:
    """Delete the outputs of forecasts older than a time; return how many."""

    def action(connection: sa.Connection) -> int:
        updated = connection.execute(
            sa.update(forecast_table)
            .where(
                forecast_table.c.time < before.isoformat(timespec="seconds"),
                forecast_table.c.output.is_not(None),
            )
            .values(output=None)
        )
        return int(updated.rowcount)

    return write(store.engine, action)


def _hash(row: dict[str, object]) -> str:
    return record_digest(
        {name: row[name] for name in sorted(row) if name not in {"output", "hash"}}
    )
