"""The service's SQL store: the record, the tables that it adds up to, tokens used once.

SQLite by default, PostgreSQL by URL; it may be the ledger's database. Every patient belongs to a
tenant: the same identifier of two tenants is two people. Everything that must not be lost is
written before the request is answered; only forecasts are written just after
(`serving.state.forecast_log`), so that a forecast never waits for the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from contracts.errors import ServiceUnavailable
from contracts.naming.formats import NEWEST, OTHER_VERSION
from contracts.observation import Observation
from contracts.task import Task
from serving.possible import require_possible
from serving.schemas import FeedbackRequest
from serving.state.consent import consent_withdrawn, is_withdrawn
from serving.state.entries import append, forecast_of
from serving.state.replay import bring_up, note_values
from serving.state.running_record import NotOnRecord as NotOnRecord
from serving.state.running_record import (
    enrol,
    enrolment_day_of,
    feedback_on,
    is_card,
    not_on_record,
    received,
    recorded_of,
    refuse_second_found,
    require_past,
    row_of,
)
from serving.state.tables import (
    EARLIER_TABLE,
    NO_DAY,
    create_tables,
    entry_table,
    form_table,
    observation_table,
    of_person,
    probe_table,
    used_token_table,
)
from stores.database import Kept, cause_of, connect, is_no_text, open_kept, reading, write
from stores.secret_url import SecretUrl, revealed

WAIT_SECONDS = 5
"""For a lock, a statement or a server: an early error is better than a long wait."""

PROBE_SECONDS = 1.0
"""How often /readyz, which anybody may request, tries the store at most."""

KEPT = Kept(
    name="service's record",
    setting="REHABCAST_STORE_URL",
    tables=(entry_table.name, EARLIER_TABLE),
    made_by="rehabcast serve",
)


class Store:
    """Opens the store at a database URL.

    Parameters
    ----------
    make
        Whether its tables are created where there are none.

    Raises
    ------
    EvidenceMissing
        There is none, and none is created.
    ServiceUnavailable
        It cannot be opened.
    """

    def __init__(self, url: str | SecretUrl, *, make: bool = True) -> None:
        address = _with_timeouts(revealed(url))
        self.engine = connect(address, make=True) if make else open_kept(address, KEPT)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _set_pragmas)
        self._probe = threading.Lock()
        self._probed_at, self._writable = float("-inf"), False
        try:
            write(self.engine, _create_tables)
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
        self, tenant: str, subject: str, enrolment_day: int | None,
        observations: Sequence[Observation], *, actor: str, now: datetime,
        today: int | None = None, tasks: Sequence[Task] = (),
    ) -> int:  # fmt: skip
        """Append to a subject's running record; return how many observations it has now.

        They come on `today`, a day since onset. Of `tasks` a lost outcome is found once.

        Raises
        ------
        ForecastRefused
            The day of enrolment is missing or differs, or another value is on record. Or consent is
            withdrawn, or a value is read by no forecast, of a day to come, or found a second time.
        """
        require_possible(observations)
        require_past(observations, today)

        def action(connection: sa.Connection) -> int:
            if is_withdrawn(connection, tenant, subject):
                raise consent_withdrawn()
            enrolled = enrol(connection, tenant, subject, enrolment_day)
            recorded = recorded_of(connection, tenant, subject)
            new = not_on_record(recorded, observations)
            refuse_second_found(connection, tenant, subject, recorded, new, tasks)
            if new or enrolled is not None:
                event = received(tenant, subject, enrolled, new, actor, now, today)
                append(connection, [event])
                days = [today, *(each.day_since_onset for each in new)]
                note_values(connection, tenant, subject, days, event.time)
            if new:
                rows = [row_of(tenant, subject, each) for each in new]
                connection.execute(sa.insert(observation_table), rows)
            return len(recorded)

        return write(self.engine, action)

    def record(self, tenant: str, subject: str) -> tuple[int, list[Observation]]:
        """Return a subject's day of enrolment and observations.

        Raises
        ------
        NotOnRecord
            The tenant has no such subject.
        """
        with reading(self.engine) as connection:
            enrolment = enrolment_day_of(connection, tenant, subject)
            rows = connection.execute(
                sa.select(observation_table)
                .where(*of_person(observation_table, tenant, subject))
                .order_by(observation_table.c.day, observation_table.c.code)
            ).all()
        if enrolment is None:
            raise NotOnRecord(
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
        self,
        tenant: str,
        feedback: Sequence[FeedbackRequest],
        *,
        actor: str,
        now: datetime,
        on_cards: Sequence[datetime] | None = None,
    ) -> None:
        """Put a clinician's feedback on forecasts on record, with the version that made each.

        All of it in one transaction, or nothing: who sends it again after a failure repeats none.

        Parameters
        ----------
        on_cards
            When each was given, of feedback on cards; None of feedback on other answers.

        Raises
        ------
        NotOnRecord
            The tenant was not given one of these forecasts, or not as a card.
        ForecastRefused
            The feedback on a card is older than the card.
        """
        times = [None] * len(feedback) if on_cards is None else on_cards

        def action(connection: sa.Connection) -> None:
            events = []
            for one, given in zip(feedback, times, strict=True):
                about = forecast_of(connection, tenant, one.forecast_id)
                if about is None or (given is not None and not is_card(about)):
                    raise NotOnRecord(
                        "there is no such forecast" if given is None else "there is no such card",
                        "send the forecast_id of an answer as feedback"
                        if given is None
                        else "send the uuid of a card of this service as feedback",
                    )
                events.append(feedback_on(tenant, about, one, actor, now, given))
            append(connection, events)

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


def _create_tables(connection: sa.Connection) -> None:
    if sa.inspect(connection).has_table(EARLIER_TABLE):
        raise ServiceUnavailable(
            "the service's store was written by a development version of rehabcast from before its"
            " record was one chain, and cannot be read",
            "keep it as it is for the record, and set REHABCAST_STORE_URL to a new one",
        )
    create_tables(connection)
    newest = NEWEST["record"]
    number = connection.execute(sa.select(form_table.c.number)).scalar()
    if number is None:
        connection.execute(sa.insert(form_table).values(number=newest))
    elif number > newest:
        raise ServiceUnavailable(
            f"the service's store of REHABCAST_STORE_URL has form {number}, and this version of"
            f" rehabcast reads {newest}",
            OTHER_VERSION,
        )
    elif number < newest:
        connection.execute(sa.update(form_table).values(number=newest))
    try:
        with connection.begin_nested():
            bring_up(connection, number)
    except sa.exc.OperationalError as error:
        # Where somebody has put bytes that are no text, `verification` must be able to say so.
        if not is_no_text(error):
            raise


def _write_probe(connection: sa.Connection) -> None:
    # Write to a table of its own, and read the tables that other requests read and write.
    connection.execute(sa.select(observation_table.c.day).limit(1))
    connection.execute(sa.select(entry_table.c.sequence).limit(1))
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


def _set_pragmas(connection: Any, _: object) -> None:
    connection.execute(f"PRAGMA busy_timeout = {1000 * WAIT_SECONDS}")
    # What is erased is overwritten in the file, and not only marked as free.
    connection.execute("PRAGMA secure_delete = ON")
