"""Everybody on a tenant's running record, page by page: who needs a look first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import sqlalchemy as sa

from serving.monitoring.alert import Alert, Kind
from serving.state.tables import (
    alert_table,
    decision_table,
    entry_table,
    look_table,
    observation_table,
    of_person,
    subject_table,
    watch_table,
)
from serving.state.watch.caseload import KEY, alert_in, has_consent, not_hidden
from serving.state.watch.days import NO_DATE, day_on
from stores.database import reading

Shown = Literal["all", "alerts", "silent"]
SILENT = (Kind.SILENCE.value, Kind.NOT_WORN.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRow:
    """One patient of a caseload.

    Parameters
    ----------
    subject, enrolment_day
        Who, and when enrolled (days since onset).
    today
        Today in days since onset, as far as the record tells; None where nothing is dated.
    newest
        When the newest value came: UTC, ISO 8601; empty where none has.
    alerts
        Those that nobody has acknowledged or muted, the most urgent first.
    scores
        Days since onset and values by code, by day.
    """

    subject: str
    enrolment_day: int
    today: int | None
    newest: str
    alerts: Sequence[Alert]
    scores: dict[str, list[tuple[int, float]]]


def found_today(
    engine: sa.Engine, tenant: str, subject: str, today: date
) -> tuple[int | None, list[Alert]] | None:
    """Return a person's day and open alerts as found today; None where a look is still due."""
    look, watch = look_table.c, watch_table.c
    theirs = sa.and_(look.tenant == watch.tenant, look.subject == watch.subject)
    looked = (
        sa.select(watch.onset_by)
        .select_from(watch_table.join(look_table, theirs))
        .where(
            *of_person(watch_table, tenant, subject), look.entry == watch.newest_entry,
            look.date == today.isoformat(),
        )
    )  # fmt: skip
    alerts = _open_alerts(tenant, today).where(alert_table.c.subject == subject)
    with reading(engine) as connection:
        onset = connection.execute(looked).scalar_one_or_none()
        if onset is None:
            return None
        rows = connection.execute(alerts.order_by(alert_table.c.urgency.desc())).all()
    return day_on(onset, today), [alert_in(row.facts) for row in rows]


def _open_alerts(tenant: str, today: date) -> sa.Select[tuple[object, ...]]:
    alert, decision = alert_table.c, decision_table.c
    same = sa.and_(*(alert[name] == decision[name] for name in KEY))
    return (
        sa.select(alert_table)
        .select_from(alert_table.outerjoin(decision_table, same))
        .where(alert.tenant == tenant, not_hidden(today))
    )


def patients(
    engine: sa.Engine, tenant: str, today: date, *, codes: Collection[str], shown: Shown = "all",
    named: str = "", offset: int = 0, limit: int,
) -> tuple[list[PatientRow], int]:  # fmt: skip
    """Return a page of patients, and how many there are in all.

    First those with alerts, the most urgent first; then those whose newest value is oldest. Who has
    withdrawn consent is left out.

    Parameters
    ----------
    codes
        Whose scores are returned too.
    shown, named
        Which patients: of all, those with alerts, or of silence only; and those whose identifier
        has this in it.
    """
    alert, open_alerts = alert_table.c, _open_alerts(tenant, today)
    if shown == "silent":
        open_alerts = open_alerts.where(alert.kind.in_(SILENT))
    alerts = open_alerts.subquery()
    urgency = (
        sa.select(alerts.c.subject, sa.func.max(alerts.c.urgency).label("urgency"))
        .group_by(alerts.c.subject)
        .subquery()
    )
    person, watch = subject_table.c, watch_table.c
    theirs = sa.and_(watch.tenant == person.tenant, watch.subject == person.subject)
    joined = (
        subject_table.outerjoin(watch_table, theirs)
        .outerjoin(urgency, urgency.c.subject == person.subject)
        .outerjoin(entry_table, entry_table.c.sequence == watch.newest_entry)
    )
    where = [person.tenant == tenant, has_consent(subject_table)]
    if shown != "all":
        where.append(urgency.c.urgency.is_not(None))
    if named:
        where.append(person.subject.contains(named, autoescape=True))
    columns = person.subject, person.enrolment_day, watch.onset_by, entry_table.c.time
    query = (
        sa.select(*columns)
        .select_from(joined)
        .where(*where)
        .order_by(sa.func.coalesce(urgency.c.urgency, 0).desc(), watch.newest_entry, person.subject)
        .limit(limit)
        .offset(offset)
    )
    count = sa.select(sa.func.count()).select_from(joined).where(*where)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
        total = connection.execute(count).scalar_one()
        subjects = [row.subject for row in rows]
        found = connection.execute(
            open_alerts.where(alert.subject.in_(subjects)).order_by(
                alert.urgency.desc(), alert.since_date, alert.kind
            )
        ).all()
        values = observation_table.c
        scores = connection.execute(
            sa.select(values.subject, values.code, values.day, values.value)
            .where(
                values.tenant == tenant, values.subject.in_(subjects), values.code.in_(codes),
                values.value.is_not(None), values.day >= 0,
            )
            .order_by(values.day)
        ).all()  # fmt: skip
    alerts_of: dict[str, list[Alert]] = defaultdict(list)
    for row in found:
        alerts_of[row.subject].append(alert_in(row.facts))
    scores_of: dict[str, dict[str, list[tuple[int, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for subject, code, day, value in scores:
        scores_of[subject][code].append((day, value))
    return [
        PatientRow(
            subject=row.subject, enrolment_day=row.enrolment_day,
            today=day_on(row.onset_by or NO_DATE, today), newest=row.time or "",
            alerts=alerts_of[row.subject], scores=dict(scores_of[row.subject]),
        )
        for row in rows
    ], total  # fmt: skip
