"""Everybody on a tenant's running record, page by page: who needs a look first."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import sqlalchemy as sa

from serving.monitoring.alert import Alert, Kind
from serving.state.consent import WITHDRAWN
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
from serving.state.watch.caseload import KEY, alert_in, not_hidden
from serving.state.watch.days import NO_DATE, day_on
from stores.database import reading

Shown = Literal["all", "alerts", "silent"]
SILENT = (Kind.SILENCE.value, Kind.NOT_WORN.value)
NO_ENTRY = -1
"""Stands for the newest entry of a person of whom no value came: before every entry."""


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
    same = (alert[name] == decision[name] for name in KEY)
    shown = sa.select(not_hidden(today)).where(*same).correlate(alert_table).scalar_subquery()
    return sa.select(alert_table).where(alert.tenant == tenant, sa.func.coalesce(shown, sa.true()))


_Place = tuple[int, int, str]
"""Where a patient stands: more urgent first, then whose newest entry is older, then by name."""


def patients(
    engine: sa.Engine, tenant: str, today: date, *, codes: Collection[str], shown: Shown = "all",
    named: str = "", offset: int = 0, limit: int,
) -> tuple[list[PatientRow], int]:  # fmt: skip
    """Return a page of patients, and how many there are in all.

    First those with alerts, the most urgent first; then those whose newest value is oldest, from
    whoever has none. Who has withdrawn consent is left out.

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
    with reading(engine) as connection:
        urgency = _urgency(connection, open_alerts)
        places = [
            place
            for place in _places(connection, tenant, urgency, named)
            if shown == "all" or place[2] in urgency
        ]
        people = heapq.nsmallest(offset + limit, places)[offset:]
        subjects = [subject for _, _, subject in people]
        enrolled, onsets, times = _dated(connection, tenant, people)
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
            subject=subject, enrolment_day=enrolled[subject],
            today=day_on(onsets.get(subject, NO_DATE), today), newest=times.get(entry, ""),
            alerts=alerts_of[subject], scores=dict(scores_of[subject]),
        )
        for _, entry, subject in people
    ], len(places)  # fmt: skip


def _urgency(
    connection: sa.Connection, open_alerts: sa.Select[tuple[object, ...]]
) -> dict[str, int]:
    """Return how urgent the most urgent alert of each person is."""
    alert = alert_table.c
    most = open_alerts.with_only_columns(alert.subject, sa.func.max(alert.urgency))
    return dict(connection.execute(most.group_by(alert.subject)).all())


def _places(
    connection: sa.Connection, tenant: str, urgency: Mapping[str, int], named: str
) -> Iterator[_Place]:
    """Yield where each person stands who has not withdrawn consent.

    Each table is read once, and people are found again by their identifier here: PostgreSQL plans
    a join by what it knows of the tables, which is nothing of people who have just come. It then
    compared everybody with everybody who had an alert.
    """
    person, watch, consent = subject_table.c, watch_table.c, consent_table.c
    people = sa.select(person.subject).where(person.tenant == tenant)
    if named:
        people = people.where(person.subject.contains(named, autoescape=True))
    against = consent.tenant == tenant, consent.state == WITHDRAWN
    withdrawn = set(connection.execute(sa.select(consent.subject).where(*against)).scalars())
    newest = sa.select(watch.subject, watch.newest_entry).where(watch.tenant == tenant)
    entries = dict(connection.execute(newest).all())
    for subject in connection.execute(people).scalars():
        if subject not in withdrawn:
            yield -urgency.get(subject, 0), entries.get(subject, NO_ENTRY), subject


def _dated(
    connection: sa.Connection, tenant: str, people: Sequence[_Place]
) -> tuple[dict[str, int], dict[str, str], dict[int, str]]:
    """Return days of enrolment and dates of onset by subject, and when newest entries came."""
    person, watch, entry = subject_table.c, watch_table.c, entry_table.c
    subjects, numbers = [place[2] for place in people], [place[1] for place in people]
    enrolled = sa.select(person.subject, person.enrolment_day)
    enrolled = enrolled.where(person.tenant == tenant, person.subject.in_(subjects))
    onsets = sa.select(watch.subject, watch.onset_by)
    onsets = onsets.where(watch.tenant == tenant, watch.subject.in_(subjects))
    came = sa.select(entry.sequence, entry.time).where(entry.sequence.in_(numbers))
    return (
        dict(connection.execute(enrolled).all()),
        dict(connection.execute(onsets).all()),
        dict(connection.execute(came).all()),
    )
