"""Who was drawn of the lost, while there is time to find them: a list for who may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from contracts.predictions import OutcomeStatus
from contracts.task import Horizon, Task
from inference.matching.given import NOTHING_KNOWN, followed_horizon, outcome_of
from serving.state.entries import Event, Kind, append, new_id
from serving.state.evidence.accounts import week_of
from serving.state.evidence.known import known_outcomes
from serving.state.evidence.tracing import account_of, drawn_people
from serving.state.store import Store
from serving.state.tables import followed_table
from stores.database import reading, write

LIST = "people to be found"
"""What an entry of the record says was handed out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCall:
    """A person who was drawn, while there is time to find him or her.

    Parameters
    ----------
    horizon, origin_day
        Of the outcome that is lost, and of its forecast: days after enrolment.
    enrolment_day
        Days since onset; None where the person is not on the running record.
    until
        The last day on which what is found counts.
    status
        What became of the outcome since the draw.
    traced
        Scores on record that tracing brought, by day after enrolment.
    """

    subject: str
    horizon: Horizon
    origin_day: int
    enrolment_day: int | None
    until: date
    status: OutcomeStatus
    traced: Mapping[int, float]

    @property
    def is_lost(self) -> bool:
        """Whether to call: not who was found, came later, died or withdrew."""
        return self.status == OutcomeStatus.LOST

    @property
    def can_be_found(self) -> bool:
        """Whether a score is the first of this outcome: also of who was assessed later only."""
        return self.status in {OutcomeStatus.LOST, OutcomeStatus.MISSED}

    @property
    def first_day(self) -> int:
        """The first day after enrolment on which a score is the lost outcome."""
        return max(self.horizon.window_days[0], self.origin_day + 1)

    @property
    def last_day(self) -> int:
        """The last one."""
        return self.horizon.window_days[1] - 1


def to_call(store: Store, service: str, task: Task, tenant: str, now: date) -> list[ToCall]:
    """Return who of a tenant was drawn and can still be found in time."""
    columns = followed_table.c
    with reading(store.engine) as connection:
        rows = connection.execute(
            sa.select(columns.week, columns.forecast)
            .where(
                columns.service == account_of(service), columns.tenant == tenant,
                columns.week >= week_of(now), columns.forecast != "",
            )
            .order_by(columns.week, columns.subject)
        ).all()  # fmt: skip
        people = [(week, drawn_people.decode(text)) for week, text in rows]
        called = [(week, each.given) for week, each in people if each.drawn]
        known = known_outcomes(connection, ((tenant, given.subject) for _, given in called), task)
    found = []
    for week, given in called:
        horizon = followed_horizon(given, task)
        assert horizon is not None  # noqa: S101  (nobody is drawn without)
        of_person = known.get((tenant, given.subject), NOTHING_KNOWN)
        status = outcome_of(of_person, task, horizon, given.origin_day).status
        found.append(
            ToCall(
                subject=given.subject, horizon=horizon, origin_day=given.origin_day,
                enrolment_day=of_person.enrolment_day, until=date.fromordinal(7 * week + 6),
                status=status,
                traced={
                    day: of_person.scores[day]
                    for day in of_person.traced
                    if day in of_person.scores
                },
            )
        )  # fmt: skip
    return found


def note_handed_out(
    store: Store, tenant: str, model_version: str, people: int, *, actor: str, now: datetime
) -> None:
    """Put on record that a list of people of a tenant was handed out."""
    event = Event(
        id=new_id(), time=now.isoformat(timespec="seconds"), kind=Kind.EXPORT, tenant=tenant,
        actor=actor, details={"list": LIST, "model_version": model_version, "count": people},
    )  # fmt: skip
    write(store.engine, lambda connection: append(connection, [event]))
