"""Reads from the record what is known of people's outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from contracts.cohort import DEATH, TRACED, WITHDRAWAL
from contracts.task import Task
from inference.matching.given import KnownOutcomes
from serving.state.consent import WITHDRAWN
from serving.state.evidence.reading import Person, at_once
from serving.state.tables import consent_table, observation_table, subject_table
from stores.database import among


def known_outcomes(
    connection: sa.Connection, people: Iterable[Person], task: Task
) -> dict[Person, KnownOutcomes]:
    """Return what is on record now of the outcomes of people."""
    found: dict[Person, KnownOutcomes] = {}
    for tenant, subjects in _by_tenant(people).items():
        for some in at_once(subjects):
            found |= _known_of(connection, tenant, some, task)
    return found


def _known_of(
    connection: sa.Connection, tenant: str, subjects: Sequence[str], task: Task
) -> dict[Person, KnownOutcomes]:
    values = observation_table.c
    enrolled = _enrolled(connection, tenant, subjects)
    rows = connection.execute(
        sa.select(values.subject, values.code, values.day, values.value).where(
            values.tenant == tenant,
            among(connection, values.subject, subjects),
            values.code.in_([task.target.code, DEATH, WITHDRAWAL, TRACED]),
        )
    ).all()
    withdrawn = _withdrawn(connection, tenant, subjects)
    by_subject: dict[str, dict[str, dict[int, float | None]]] = {}
    for subject, code, day, value in rows:
        by_subject.setdefault(subject, {}).setdefault(code, {})[day] = value
    known = {
        (tenant, subject): _known(day, by_subject.get(subject, {}), task, subject in withdrawn)
        for subject, day in enrolled.items()
    }
    unseen = {(tenant, subject): KnownOutcomes(has_withdrawn=True) for subject in withdrawn}
    return unseen | known


def enrolment_days(connection: sa.Connection, people: Iterable[Person]) -> dict[Person, int]:
    """Return the day of enrolment, days since onset, of those of some people who are on record."""
    return {
        (tenant, subject): day
        for tenant, subjects in _by_tenant(people).items()
        for some in at_once(subjects)
        for subject, day in _enrolled(connection, tenant, some).items()
    }


def _enrolled(connection: sa.Connection, tenant: str, subjects: Sequence[str]) -> dict[str, int]:
    columns = subject_table.c
    rows = connection.execute(
        sa.select(columns.subject, columns.enrolment_day).where(
            columns.tenant == tenant, among(connection, columns.subject, subjects)
        )
    )
    return {subject: day for subject, day in rows.all()}


def withdrawn_among(connection: sa.Connection, people: Iterable[Person]) -> set[Person]:
    """Return those of some people who have withdrawn their consent."""
    return {
        (tenant, subject)
        for tenant, subjects in _by_tenant(people).items()
        for some in at_once(subjects)
        for subject in _withdrawn(connection, tenant, some)
    }


def _by_tenant(people: Iterable[Person]) -> dict[str, list[str]]:
    by_tenant: dict[str, list[str]] = {}
    for tenant, subject in dict.fromkeys(people):
        by_tenant.setdefault(tenant, []).append(subject)
    return by_tenant


def _withdrawn(connection: sa.Connection, tenant: str, subjects: Sequence[str]) -> set[str]:
    columns = consent_table.c
    return set(
        connection.execute(
            sa.select(columns.subject).where(
                columns.tenant == tenant,
                among(connection, columns.subject, subjects),
                columns.state == WITHDRAWN,
            )
        ).scalars()
    )


def _known(
    enrolment_day: int,
    values: Mapping[str, Mapping[int, float | None]],
    task: Task,
    has_withdrawn: bool,
) -> KnownOutcomes:
    def days_of(code: str) -> list[int]:
        return [day - enrolment_day for day in values.get(code, {})]

    return KnownOutcomes(
        enrolment_day=enrolment_day,
        scores={
            day - enrolment_day: value
            for day, value in values.get(task.target.code, {}).items()
            if value is not None
        },
        death=min(days_of(DEATH), default=None),
        withdrawal=min(days_of(WITHDRAWAL), default=None),
        traced=frozenset(days_of(TRACED)),
        has_withdrawn=has_withdrawn,
    )
