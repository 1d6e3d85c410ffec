"""Reads the forecasts of a version, and what is known of their outcomes, from the record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from contracts.cohort import DEATH, TRACED, WITHDRAWAL
from contracts.errors import IntegrityError
from contracts.task import Task
from inference.matching.given import GivenForecast, GivenHorizon, KnownOutcomes
from serving.state.consent import WITHDRAWN
from serving.state.entries import Kind, canonical
from serving.state.tables import consent_table, entry_table, observation_table, subject_table

PEOPLE_AT_ONCE = 300
"""People asked for in one query: SQLite takes few variables."""

Person = tuple[str, str]
"""Tenant and subject."""

T = TypeVar("T")


class _Group(msgspec.Struct):
    attribute: str
    group: str


class _Horizon(msgspec.Struct):
    day_after_enrolment: int
    quantiles: dict[str, float]
    milestones: dict[str, float]
    last_observation: float
    proportional_recovery: float | None = None


class _Answer(msgspec.Struct):
    """The part of an answer that an outcome is compared with."""

    status: str
    origin_day: int | None = None
    as_of: date | None = None
    last_score: float | None = None
    horizons: list[_Horizon] = []
    groups: list[_Group] = []


class _Content(msgspec.Struct):
    output: str


_content = msgspec.json.Decoder(_Content)
_answer = msgspec.json.Decoder(_Answer)


def forecasts_of(
    connection: sa.Connection, model_version: str, *, after: int = 0, upto: int, since: str = ""
) -> Iterator[GivenForecast]:
    """Yield the forecasts that a version gave, in the order of the record's entries (after, upto].

    Of people on record by name, not refused, and not before a time (UTC, ISO 8601). What was
    erased or is past its retention is gone.

    Raises
    ------
    IntegrityError
        One is not what a service writes.
    """
    entry = entry_table.c
    named = canonical({"model_version": model_version})[1:-1]
    query = (
        sa.select(entry.sequence, entry.time, entry.tenant, entry.subject, entry.content)
        .where(
            entry.kind == Kind.FORECAST.value,
            entry.sequence > after,
            entry.sequence <= upto,
            entry.time >= since,
            entry.subject.is_not(None),
            entry.content.is_not(None),
            entry.details.contains(named, autoescape=True),
        )
        .order_by(entry.sequence)
    )
    for row in connection.execute(query, execution_options={"yield_per": 1000}):
        if (given := given_in(row, model_version)) is not None:
            yield given


def given_in(row: sa.Row[*tuple[Any, ...]], model_version: str) -> GivenForecast | None:
    """Return the forecast of an entry of the record; None where there was none.

    Raises
    ------
    IntegrityError
        As `forecasts_of`.
    """
    try:
        answer = _answer.decode(_content.decode(row.content).output)
    except msgspec.DecodeError as error:
        raise IntegrityError(
            f"the forecast of the record's entry {row.sequence} cannot be read",
            "run `rehabcast record verify`",
        ) from error
    if not answer.horizons or answer.origin_day is None:
        return None
    return _given(row.tenant, row.subject, row.time, answer, answer.origin_day, model_version)


def length_of(connection: sa.Connection) -> int:
    """Return the number of the record's last entry."""
    return connection.execute(sa.select(sa.func.max(entry_table.c.sequence))).scalar() or 0


def at_once(people: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield people in parts that one query may name."""
    for start in range(0, len(people), PEOPLE_AT_ONCE):
        yield people[start : start + PEOPLE_AT_ONCE]


def known_outcomes(
    connection: sa.Connection, people: Iterable[Person], task: Task
) -> dict[Person, KnownOutcomes]:
    """Return what is on record now of the outcomes of people."""
    found: dict[Person, KnownOutcomes] = {}
    by_tenant: dict[str, list[str]] = {}
    for tenant, subject in dict.fromkeys(people):
        by_tenant.setdefault(tenant, []).append(subject)
    for tenant, subjects in by_tenant.items():
        for some in at_once(subjects):
            found |= _known_of(connection, tenant, some, task)
    return found


def _known_of(
    connection: sa.Connection, tenant: str, subjects: Sequence[str], task: Task
) -> dict[Person, KnownOutcomes]:
    people, values = subject_table.c, observation_table.c
    enrolled = connection.execute(
        sa.select(people.subject, people.enrolment_day).where(
            people.tenant == tenant, people.subject.in_(subjects)
        )
    ).all()
    rows = connection.execute(
        sa.select(values.subject, values.code, values.day, values.value).where(
            values.tenant == tenant,
            values.subject.in_(subjects),
            values.code.in_([task.target.code, DEATH, WITHDRAWAL, TRACED]),
        )
    ).all()
    withdrawn = set(
        connection.execute(
            sa.select(consent_table.c.subject).where(
                consent_table.c.tenant == tenant,
                consent_table.c.subject.in_(subjects),
                consent_table.c.state == WITHDRAWN,
            )
        ).scalars()
    )
    by_subject: dict[str, dict[str, dict[int, float | None]]] = {}
    for subject, code, day, value in rows:
        by_subject.setdefault(subject, {}).setdefault(code, {})[day] = value
    known = {
        (tenant, subject): _known(day, by_subject.get(subject, {}), task, subject in withdrawn)
        for subject, day in enrolled
    }
    unseen = {(tenant, subject): KnownOutcomes(has_withdrawn=True) for subject in withdrawn}
    return unseen | known


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


def _given(
    tenant: str, subject: str, time: str, answer: _Answer, origin_day: int, model_version: str
) -> GivenForecast:
    # Without a date of onset the forecast is of a day no later than that on which it was given.
    given_on = datetime.fromisoformat(time).date()
    asked = answer.as_of or given_on
    return GivenForecast(
        tenant=tenant,
        subject=subject,
        number=number_of(tenant, subject, model_version),
        given_on=given_on,
        origin_day=origin_day,
        enrolled_on=asked - timedelta(days=origin_day),
        groups={group.attribute: group.group for group in answer.groups},
        was_assessed=answer.last_score is not None,
        horizons=[
            GivenHorizon(
                day=each.day_after_enrolment,
                quantiles=each.quantiles,
                chances=each.milestones,
                last_observation=each.last_observation,
                proportional_recovery=each.proportional_recovery,
            )
            for each in answer.horizons
        ],
    )


def number_of(tenant: str, subject: str, model_version: str) -> int:
    """Return a person's number in the tables of a version: an order that no outcome can follow."""
    named = "\0".join((model_version, tenant, subject)).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(named, digest_size=8).digest()) >> 1
