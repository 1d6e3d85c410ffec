"""The alerts of a tenant's patients, most urgent first: a bounded look at each request.

Whose record has new values, or was last looked at on another day, is looked at again, some at a
time. What was found is kept, so that a page is read from the database in its order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from contracts.observation import Observation
from serving.monitoring.alert import Alert, Kind, Urgency
from serving.monitoring.series import WINDOW_DAYS
from serving.state.consent import WITHDRAWN, is_withdrawn
from serving.state.tables import (
    alert_table,
    consent_table,
    decision_table,
    entry_table,
    look_table,
    observation_table,
    of_person,
    subject_table,
    watch_table,
)
from serving.state.watch.days import NO_DATE, day_on
from serving.state.watch.decisions import ACKNOWLEDGED, MUTED
from stores.database import reading, write

REMEMBERED = timedelta(days=7)
"""How long a look counts as the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A record as monitoring reads it: the values of the last weeks.

    Parameters
    ----------
    tenant, subject, enrolment_day, observations
        Whose, when enrolled (days since onset), and what.
    today
        Today, days since onset; None where nothing is dated.
    onset_by, entry
        The latest date that the onset can have had, and the newest entry that was read.
    """

    tenant: str
    subject: str
    enrolment_day: int
    observations: Sequence[Observation]
    today: int | None
    onset_by: str
    entry: int


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an alert stands in a caseload: more urgent first, then older, then by name."""

    less_urgent: int
    since_date: str
    subject: str
    id: str


def waiting(
    engine: sa.Engine, tenant: str | None, today: date, limit: int
) -> tuple[list[tuple[str, str]], int]:
    """Return whom to look at next, newest values first, and how many there are in all.

    Nobody looks at the record of a person who has withdrawn consent, or of one whose last value
    came before the days that are read, where no alert is left that could end.

    Parameters
    ----------
    tenant
        Whose patients; None for everybody's.
    """
    theirs = sa.and_(
        look_table.c.tenant == watch_table.c.tenant, look_table.c.subject == watch_table.c.subject
    )
    stale = sa.or_(
        look_table.c.subject.is_(None),
        look_table.c.entry != watch_table.c.newest_entry,
        look_table.c.date != today.isoformat(),
    )
    newest = watch_table.c.newest_entry == entry_table.c.sequence
    joined = watch_table.outerjoin(look_table, theirs).outerjoin(entry_table, newest)
    first_day = (today - timedelta(days=WINDOW_DAYS)).isoformat()
    # No value is later than the day on which it came (`serving.state.watch.days`).
    open_still = sa.or_(entry_table.c.time >= first_day, _has_alert())
    where = [stale, open_still, has_consent(watch_table)]
    if tenant is not None:
        where.append(watch_table.c.tenant == tenant)
    count = sa.select(sa.func.count()).select_from(joined).where(*where)
    query = (
        sa.select(watch_table.c.tenant, watch_table.c.subject)
        .select_from(joined)
        .where(*where)
        .order_by(watch_table.c.newest_entry.desc())
        .limit(limit)
    )
    with reading(engine) as connection:
        people = [(row.tenant, row.subject) for row in connection.execute(query)]
        if len(people) < limit:
            return people, len(people)
        return people, connection.execute(count).scalar_one()


def read_recent(engine: sa.Engine, tenant: str, subject: str, date_today: date) -> Watched | None:
    """Read what monitoring needs of a record; None where there is no such one."""
    theirs = sa.and_(
        subject_table.c.tenant == watch_table.c.tenant,
        subject_table.c.subject == watch_table.c.subject,
    )
    query = (
        sa.select(watch_table, subject_table.c.enrolment_day)
        .select_from(watch_table.join(subject_table, theirs))
        .where(*of_person(watch_table, tenant, subject))
    )
    with reading(engine) as connection:
        watched = connection.execute(query).one_or_none()
        if watched is None:
            return None
        today = day_on(watched.onset_by, date_today)
        columns = observation_table.c.code, observation_table.c.day, observation_table.c.value
        recent = (
            *of_person(observation_table, tenant, subject),
            observation_table.c.day > (today or 0) - WINDOW_DAYS,
            observation_table.c.value.is_not(None),
        )
        rows = connection.execute(sa.select(*columns).where(*recent)).all()
    values = [Observation(code=c, day_since_onset=d, value=v) for c, d, v in rows if d >= 0]
    return Watched(
        tenant=tenant, subject=subject, enrolment_day=watched.enrolment_day,
        observations=values, today=today, onset_by=watched.onset_by, entry=watched.newest_entry,
    )  # fmt: skip


def keep(
    engine: sa.Engine, looked: Sequence[tuple[Watched, Sequence[Alert] | None]], today: date
) -> None:
    """Keep what was found, in place of what was found before; None leaves what was found before."""

    def action(connection: sa.Connection) -> None:
        for watched, alerts in looked:
            theirs = {"tenant": watched.tenant, "subject": watched.subject}
            there = of_person(watch_table, watched.tenant, watched.subject)
            for table in (look_table,) if alerts is None else (alert_table, look_table):
                connection.execute(sa.delete(table).where(*of_person(table, **theirs)))
            # Erased or withdrawn meanwhile: nothing is kept of the person.
            if connection.execute(sa.select(watch_table.c.subject).where(*there)).first() is None:
                continue
            if is_withdrawn(connection, watched.tenant, watched.subject):
                continue
            row = {"entry": watched.entry, "date": today.isoformat()}
            connection.execute(sa.insert(look_table).values(**theirs, **row))
            if alerts:
                rows = [{**theirs, **_row(alert, watched.onset_by)} for alert in alerts]
                connection.execute(sa.insert(alert_table), rows)

    if looked:
        write(engine, action)


def kept(engine: sa.Engine, watched: Watched, today: date) -> list[Alert]:
    """Return what was found at the last look, if it was in the last week."""
    theirs = sa.and_(
        look_table.c.tenant == alert_table.c.tenant, look_table.c.subject == alert_table.c.subject
    )
    query = (
        sa.select(alert_table.c.facts)
        .select_from(alert_table.join(look_table, theirs))
        .where(
            *of_person(alert_table, watched.tenant, watched.subject),
            look_table.c.date >= (today - REMEMBERED).isoformat(),
        )
    )
    with reading(engine) as connection:
        return [alert_in(facts) for facts in connection.execute(query).scalars()]


def _row(alert: Alert, onset: str) -> dict[str, object]:
    return {
        "kind": alert.kind.value, "code": alert.code, "urgency": int(alert.urgency),
        "since_day": alert.since_day, "since_date": since_date(alert, onset),
        "facts": json.dumps(asdict(alert), sort_keys=True),
    }  # fmt: skip


def since_date(alert: Alert, onset: str) -> str:
    """Return the date of an alert's first day, or an earlier one, by the record's own days."""
    if onset == NO_DATE:
        return NO_DATE
    return (date.fromisoformat(onset) + timedelta(days=alert.since_day)).isoformat()


def page(
    engine: sa.Engine, tenant: str, today: date, after: Place | None, limit: int,
    code: str | None = None,
) -> list[tuple[Place, Alert]]:  # fmt: skip
    """Return the alerts of a tenant that nobody has acknowledged or muted, in their order.

    Those of people who have withdrawn consent are left out.

    Parameters
    ----------
    code
        What they are about; None for all.
    """
    alert, decision = alert_table.c, decision_table.c
    place = (-alert.urgency, alert.since_date, alert.subject, alert.kind + ":" + alert.code)
    same = sa.and_(*(alert[name] == decision[name] for name in KEY))
    query = (
        sa.select(alert_table)
        .select_from(alert_table.outerjoin(decision_table, same))
        .where(alert.tenant == tenant, not_hidden(today), has_consent(alert_table))
        .order_by(*place)
        .limit(limit)
    )
    if code is not None:
        query = query.where(alert.code == code)
    if after is not None:
        before = after.less_urgent, after.since_date, after.subject, after.id
        query = query.where(sa.tuple_(*place) > sa.tuple_(*(sa.literal(part) for part in before)))
    with reading(engine) as connection:
        return [(_place(row), alert_in(row.facts)) for row in connection.execute(query)]


def has_consent(table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition that the person of a row has not withdrawn consent."""
    # One value by the whole key, which every database looks up: joined, PostgreSQL read the consent
    # of everybody for each person who had just come.
    consent = consent_table.c
    theirs = consent.tenant == table.c.tenant, consent.subject == table.c.subject
    state = sa.select(consent.state).where(*theirs).correlate(table).scalar_subquery()
    return sa.func.coalesce(state, "") != WITHDRAWN


def _has_alert() -> sa.ColumnElement[bool]:
    # All of them at once: PostgreSQL, which knows nothing of alerts that have just come, would read
    # those of the whole tenant for each person.
    alert, watch = alert_table.c, watch_table.c
    return sa.tuple_(watch.tenant, watch.subject).in_(sa.select(alert.tenant, alert.subject))


def not_hidden(today: date) -> sa.ColumnElement[bool]:
    """Return the condition that no decision hides an alert, where they are joined."""
    alert, decision = alert_table.c, decision_table.c
    hidden = sa.and_(
        decision.subject.is_not(None),
        alert.urgency <= decision.urgency,
        sa.or_(
            sa.and_(decision.decision == MUTED, decision.until > today.isoformat()),
            sa.and_(decision.decision == ACKNOWLEDGED, alert.since_day <= decision.day),
        ),
    )
    return sa.not_(sa.func.coalesce(hidden, sa.false()))


KEY = ("tenant", "subject", "kind", "code")


def _place(row: sa.Row[tuple[object, ...]]) -> Place:
    return Place(-row.urgency, row.since_date, row.subject, f"{row.kind}:{row.code}")


def alert_in(facts: str) -> Alert:
    """Return an alert as it was kept."""
    read = json.loads(facts)
    return Alert(**{**read, "kind": Kind(read["kind"]), "urgency": Urgency(read["urgency"])})
