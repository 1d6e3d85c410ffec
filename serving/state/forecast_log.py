"""The chain of forecasts: who got what from which model, so that it can be proved later.

Entries follow from each other by SHA-256, like the ledger's. The output itself lies outside the
hash, which holds its digest: `forget` empties it after the time that the hospital keeps forecasts,
and the chain still shows that nothing was changed or left out.
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
from serving.state.store import Store
from serving.state.tables import forecast_table
from stores.database import reading, write

FIRST = "0" * 64
MOST_WAITING = 10_000
"""Entries kept while the database is away; later ones are counted as lost, and told by /readyz."""

AT_ONCE = 500
RETRY_SECONDS = 1.0
GATHER_SECONDS = 0.05
"""How long the first entry waits for others: a transaction costs as much as a forecast."""

log = logging.getLogger("rehabcast.recorder")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A forecast that was given, or refused.

    Parameters
    ----------
    id, time, kind, actor
        Of the answer; when (UTC, ISO 8601), by which route, to whom.
    model_version, bundle_digest
        Which model answered.
    input_digest, output_digest, output
        SHA-256 of what was asked and answered, and the answer itself.
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


class Recorder:
    """Writes the chain in a thread of its own; never makes a forecast wait."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.problem = ""
        self.lost = 0
        self._waiting: queue.Queue[Made | None] = queue.Queue(MOST_WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def note(self, made: Made) -> None:
        """Put a forecast into the chain, soon."""
        try:
            self._waiting.put_nowait(made)
        except queue.Full:
            self.lost += 1

    def close(self, seconds: float = 10.0) -> None:
        """Write what waits, and stop."""
        self._closing.set()
        try:
            self._waiting.put(None, timeout=seconds)
        except queue.Full:
            log.error("entries of the chain of forecasts were left unwritten")
        self._thread.join(timeout=seconds)

    def _run(self) -> None:
        while True:
            batch = self._next()
            told = [made for made in batch if made is not None]
            while told and not self._written(told):
                if self._closing.wait(RETRY_SECONDS) and not self._written(told):
                    log.error("%d entries of the chain of forecasts were not written", len(told))
                    return
            if None in batch:
                return

    def _next(self) -> list[Made | None]:
        batch: list[Made | None] = [self._waiting.get()]
        self._closing.wait(GATHER_SECONDS)
        while len(batch) < AT_ONCE:
            try:
                batch.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return batch

    def _written(self, told: Sequence[Made]) -> bool:
        try:
            append(self.store, told)
        except sa.exc.SQLAlchemyError as error:
            self.problem = "the chain of forecasts cannot be written"
            log.warning("%s: %s", self.problem, type(error).__name__)
            return False
        self.problem = ""
        return True


def append(store: Store, told: Sequence[Made]) -> None:
    """Append entries to the chain in one transaction."""

    def action(connection: sa.Connection) -> None:
        last = connection.execute(
            sa.select(forecast_table.c.sequence, forecast_table.c.hash)
            .order_by(forecast_table.c.sequence.desc())
            .limit(1)
        ).one_or_none()
        sequence, previous = (0, FIRST) if last is None else (last.sequence, last.hash)
        rows = []
        for sequence, made in enumerate(told, start=sequence + 1):  # noqa: B020  (goes on from it)
            row = {**asdict(made), "sequence": sequence, "previous": previous}
            row["hash"] = previous = _hash(row)
            rows.append(row)
        connection.execute(sa.insert(forecast_table), rows)

    write(store.engine, action)


def verify_chain(store: Store) -> int:
    """Recompute the chain; return its length.

    Raises
    ------
    IntegrityError
        An entry was edited, lost or moved, or an output is not the one that was given.
    """
    previous, length = FIRST, 0
    with reading(store.engine) as connection:
        query = sa.select(forecast_table).order_by(forecast_table.c.sequence)
        for stored in connection.execute(query):
            row = dict(stored._mapping)
            told = row.pop("hash")
            length += 1
            if row["sequence"] != length or row["previous"] != previous or _hash(row) != told:
                raise IntegrityError(f"forecasts: entry {length} is not what was written")
            output = row["output"]
            if output is not None and record_digest({"output": output}) != row["output_digest"]:
                raise IntegrityError(f"forecasts: the answer of entry {length} was changed")
            previous = told
    return length


def forget(store: Store, before: datetime) -> int:
    """Empty the outputs of forecasts older than a time; return how many."""

    def action(connection: sa.Connection) -> int:
        done = connection.execute(
            sa.update(forecast_table)
            .where(
                forecast_table.c.time < before.isoformat(timespec="seconds"),
                forecast_table.c.output.is_not(None),
            )
            .values(output=None)
        )
        return int(done.rowcount)

    return write(store.engine, action)


def _hash(row: dict[str, object]) -> str:
    return record_digest(
        {name: row[name] for name in sorted(row) if name not in {"output", "hash"}}
    )
