"""The service's SQL store: running records, the forecast log, feedback, tokens used once.

SQLite by default, PostgreSQL by URL; it may be the ledger's database. Everything that must not be
lost is written before the request is answered; only the forecast log is written just after
(`serving.state.forecast_log`), so that a forecast never waits for a disk.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from contracts.errors import ForecastRefused, ServiceUnavailable
from contracts.observation import Observation
from serving.schemas import FeedbackRequest
from serving.state.tables import (
    NO_DAY,
    feedback_table,
    forecast_table,
    metadata,
    observation_table,
    probe_table,
    subject_table,
    used_token_table,
)
from stores.database import cause_of, connect, reading, write
from stores.secret_url import SecretUrl, revealed

WAIT_SECONDS = 5
"""For a lock, a statement or a server: an early error is better than a long wait."""

PROBE_SECONDS = 1.0
"""How often /readyz, which anybody may request, tries the store at most."""


class Store:
    """Opens the store at a database URL, and creates its tables where there are none.

    Raises
    ------
    ServiceUnavailable
        It cannot be opened.
    """

    def __init__(self, url: str | SecretUrl) -> None:
        self.engine = connect(_with_timeouts(revealed(url)))
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _set_busy_timeout)
        self._probe = threading.Lock()
        self._probed_at, self._writable = float("-inf"), False
        try:
            write(self.engine, metadata.create_all)
        except sa.exc.DBAPIError as error:
            raise ServiceUnavailable(
                f"the service's store cannot be opened ({cause_of(error)})",
                "check REHABCAST_STORE_URL and that the database is running",
            ) from None

    def close(self) -> None:
        """Close the connections to the database."""
        self.engine.dispose()

    def takes_writes(self) -> bool:
        """Say whether an entry could be stored now: by writing one, as a full disk can be read."""
        with self._probe:
            if time.monotonic() - self._probed_at >= PROBE_SECONDS:
                try:
                    write(self.engine, _write_probe)
                    self._writable = True
                except sa.exc.SQLAlchemyError:
                    self._writable = False
                self._probed_at = time.monotonic()
            return self._writable

    def add(
        self,
        subject: str,
        enrolment_day: int | None,
        observations: Sequence[Observation],
        now: datetime,
    ) -> int:
        """Append to a subject's running record; return how many observations it has now.

        Raises
        ------
        ForecastRefused
            The day of enrolment is missing the first time or differs, or another value is already
            on record: nothing is overwritten.
        """
        received_at = now.isoformat(timespec="seconds")

        def action(connection: sa.Connection) -> int:
            _enrol(connection, subject, enrolment_day)
            recorded = _recorded(connection, subject)
            new_rows = []
            for observation in observations:
                row = _row(subject, observation, received_at)
                key, content = (row["code"], row["day"]), (row["value"], row["label"])
                if key not in recorded:
                    recorded[key] = content
                    new_rows.append(row)
                elif recorded[key] != content:
                    raise ForecastRefused(
                        "another value is already on record for the same code and day, so nothing"
                        " was added",
                        "correct the record at its source",
                    )
            if new_rows:
                connection.execute(sa.insert(observation_table), new_rows)
            return len(recorded)

        return write(self.engine, action)

    def record(self, subject: str) -> tuple[int, list[Observation]]:
        """Return a subject's day of enrolment and observations.

        Raises
        ------
        ForecastRefused
            Nothing is on record.
        """
        with reading(self.engine) as connection:
            enrolment = _enrolment_day(connection, subject)
            rows = connection.execute(
                sa.select(observation_table)
                .where(observation_table.c.subject == subject)
                .order_by(observation_table.c.day, observation_table.c.code)
            ).all()
        if enrolment is None:
            raise ForecastRefused(
                "nothing is on record for this subject",
                "send observations with the request, or to /v1/observations first",
            )
        return enrolment, [
            Observation(
                code=row.code,
                day_since_onset=None if row.day == NO_DAY else row.day,
                value=row.value,
                label=row.label,
            )
            for row in rows
        ]

    def add_feedback(
        self, feedback: FeedbackRequest, *, actor: str, version: str, now: datetime
    ) -> None:
        """Store a clinician's feedback on a forecast, with the model version that made it.

        Parameters
        ----------
        version
            The version in service; stored only where the forecast itself is not in the log.
        """

        def action(connection: sa.Connection) -> None:
            made_by = connection.execute(
                sa.select(forecast_table.c.model_version).where(
                    forecast_table.c.id == feedback.forecast_id
                )
            ).scalar_one_or_none()
            connection.execute(
                sa.insert(feedback_table).values(
                    time=now.isoformat(timespec="seconds"),
                    actor=actor,
                    about=feedback.forecast_id,
                    outcome=feedback.outcome,
                    reason=feedback.reason,
                    model_version=made_by or version,
                )
            )

        write(self.engine, action)

    def use_once(self, token: str, expires: int, now: datetime) -> bool:
        """Mark a token's digest as used; False where it was used before."""

        def action(connection: sa.Connection) -> bool:
            seconds = int(now.timestamp())
            connection.execute(
                sa.delete(used_token_table).where(used_token_table.c.expires < seconds - 120)
            )
            query = sa.select(used_token_table).where(used_token_table.c.token == token)
            if connection.execute(query).first() is not None:
                return False
            connection.execute(sa.insert(used_token_table).values(token=token, expires=expires))
            return True

        return write(self.engine, action)


def _write_probe(connection: sa.Connection) -> None:
    # Write to a table of its own, and read the tables that other requests read and write.
    connection.execute(sa.select(observation_table.c.day).limit(1))
    connection.execute(sa.select(feedback_table.c.sequence).limit(1))
    updated = connection.execute(sa.update(probe_table).values(tries=probe_table.c.tries + 1))
    if updated.rowcount == 0:
        connection.execute(sa.insert(probe_table).values(number=1, tries=1))


def _with_timeouts(url: str) -> str:
    """Return a server's URL with timeouts, where it sets none itself."""
    parsed = make_url(url)
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        return url
    milliseconds = 1000 * WAIT_SECONDS
    limits = {
        "connect_timeout": str(WAIT_SECONDS),
        "tcp_user_timeout": str(milliseconds),
        "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}",
    }
    limited: URL = parsed.set(query={**limits, **parsed.query})
    return limited.render_as_string(hide_password=False)


def _set_busy_timeout(connection: Any, _: object) -> None:
    connection.execute(f"PRAGMA busy_timeout = {1000 * WAIT_SECONDS}")


def _enrolment_day(connection: sa.Connection, subject: str) -> int | None:
    query = sa.select(subject_table.c.enrolment_day).where(subject_table.c.subject == subject)
    return connection.execute(query).scalar_one_or_none()


def _enrol(connection: sa.Connection, subject: str, enrolment_day: int | None) -> None:
    known = _enrolment_day(connection, subject)
    if known is None and enrolment_day is None:
        raise ForecastRefused(
            "the subject is new and has no day of enrolment", "send enrolment_day with the request"
        )
    if known is None:
        connection.execute(
            sa.insert(subject_table).values(subject=subject, enrolment_day=enrolment_day)
        )
    elif enrolment_day not in {None, known}:
        raise ForecastRefused(
            f"the subject is on record as enrolled on day {known} after onset",
            f"send enrolment_day {known}, or none",
        )


def _row(subject: str, observation: Observation, received_at: str) -> dict[str, Any]:
    day = observation.day_since_onset
    return {
        "subject": subject,
        "code": observation.code,
        "day": NO_DAY if day is None else day,
        "value": observation.value,
        "label": observation.label,
        "received_at": received_at,
    }


def _recorded(
    connection: sa.Connection, subject: str
) -> dict[tuple[str, int], tuple[float | None, str | None]]:
    rows = connection.execute(
        sa.select(observation_table).where(observation_table.c.subject == subject)
    )
    return {(row.code, row.day): (row.value, row.label) for row in rows}
