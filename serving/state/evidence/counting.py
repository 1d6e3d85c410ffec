"""Counts outcomes week by week, when each week closes, and keeps what each added to the tests.

A person counts once for a version, by one forecast, in the week in which its outcome is due and had
time to come. A week is counted in one transaction and never again: whoever reads what was kept
gets the same sums after any crash, restart or restore, also where people were erased since.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.errors import ContractError
from contracts.task import Task
from inference.matching.given import GivenForecast, due_on, followed_horizon
from inference.matching.tables import MonitoringTables, monitoring_tables
from serving.state.evidence.reading import (
    at_once,
    forecasts_of,
    known_outcomes,
    length_of,
)
from serving.state.store import Store
from serving.state.tables import (
    entry_table,
    evidence_begun_table,
    evidence_table,
    followed_table,
)
from stores.database import reading, write

ENTRIES_AT_ONCE = 20_000
"""Entries of the record that one transaction reads: the service writes in between."""

Sums = Mapping[str, Any]
"""What a week adds to the tests, as JSON."""

_given = msgspec.json.Decoder(GivenForecast)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """By what a version is followed.

    Parameters
    ----------
    model_version, task
        The version, and what it forecasts.
    terms
        Digest of everything that was fixed beforehand: plan, policy, groups.
    grace_days
        How long an outcome has to come after its window is over.
    since
        When it was promoted, UTC in ISO 8601: who promotes a version anew begins a new account.
        Empty for a shadow, all of whose forecasts count.
    """

    model_version: str
    task: Task
    terms: str
    grace_days: int
    since: str = ""

    @property
    def service(self) -> str:
        """What its evidence is kept under."""
        return f"{self.model_version} since {self.since}" if self.since else self.model_version


def week_of(day: date) -> int:
    """Return the number of a date's week, Sunday to Saturday."""
    return day.toordinal() // 7


def take_in(store: Store, followed: Followed) -> int:
    """Note whose outcomes are awaited, of forecasts since the last time; return how many people.

    Raises
    ------
    ContractError
        The terms are not those by which the version was followed until now.
    """
    with reading(store.engine) as connection:
        length = length_of(connection)
    added = position = 0
    while position < length:
        some = partial(_take_some, followed=followed, start=position, length=length)
        position, more = write(store.engine, some)
        added += more
    return added


def close_weeks(
    store: Store, followed: Followed, now: date, sums_of: Callable[[MonitoringTables], Sums]
) -> int:
    """Count every week that is over; return how many had somebody in them.

    Parameters
    ----------
    sums_of
        What the outcomes of a week's people add to the tests.
    """
    closed = 0
    while write(store.engine, lambda c: _close_next(c, followed, week_of(now), sums_of)):
        closed += 1
    return closed


def counted(store: Store, service: str) -> tuple[int, list[tuple[int, Sums]]]:
    """Return the first week of a service, and the sums of each week that had somebody, in order."""
    with reading(store.engine) as connection:
        begun = connection.execute(
            sa.select(evidence_begun_table.c.first_week).where(
                evidence_begun_table.c.service == service
            )
        ).scalar_one_or_none()
        rows = connection.execute(
            sa.select(evidence_table.c.week, evidence_table.c.sums)
            .where(evidence_table.c.service == service)
            .order_by(evidence_table.c.week)
        ).all()
    return begun or 0, [(week, json.loads(sums)) for week, sums in rows]


def tables_until(store: Store, followed: Followed, now: date) -> MonitoringTables:
    """Return the monitoring tables of every forecast of a version with an outcome that is due."""
    with reading(store.engine) as connection:
        length = length_of(connection)
        given = list(forecasts_of(connection, followed.model_version, upto=length))
        people = ((each.tenant, each.subject) for each in given)
        known = known_outcomes(connection, people, followed.task)
    due = [
        (
            forecast,
            [
                horizon
                for horizon in followed.task.horizons
                if any(each.day == horizon.day for each in forecast.horizons)
                and due_on(forecast, horizon, followed.grace_days) <= now
            ],
        )
        for forecast in given
    ]
    return monitoring_tables([each for each in due if each[1]], known, followed.task)


def _take_some(
    connection: sa.Connection, followed: Followed, start: int, length: int
) -> tuple[int, int]:
    """Take in some entries after one; return up to which, and of how many new people."""
    version = followed.model_version
    of_version = evidence_begun_table.c.service == followed.service
    begun = connection.execute(sa.select(evidence_begun_table).where(of_version)).one_or_none()
    if begun is not None and begun.terms != followed.terms:
        raise ContractError(
            f"{version} was followed by another monitoring plan, policy or set of groups until now",
            "use those again; another plan is for the next version that comes into service",
        )
    after = start if begun is None else max(start, begun.sequence)
    upto = min(length, after + ENTRIES_AT_ONCE)
    given = list(forecasts_of(connection, version, after=after, upto=upto, since=followed.since))
    if not given and begun is None:
        return upto, 0
    closed = week_of(given[0].given_on) - 1 if begun is None else begun.closed_week
    new = _not_followed_yet(connection, followed.service, list(_awaited(given, followed, closed)))
    if new:
        connection.execute(sa.insert(followed_table), new)
    if begun is not None:
        connection.execute(sa.update(evidence_begun_table).where(of_version).values(sequence=upto))
    else:
        connection.execute(
            sa.insert(evidence_begun_table).values(
                service=followed.service, terms=followed.terms, first_week=closed + 1,
                closed_week=closed, sequence=upto,
            )
        )  # fmt: skip
    return upto, len(new)


def _awaited(
    given: Iterable[GivenForecast], followed: Followed, closed_week: int
) -> Iterator[dict[str, Any]]:
    for forecast in given:
        horizon = followed_horizon(forecast, followed.task)
        if horizon is None:
            continue
        week = week_of(due_on(forecast, horizon, followed.grace_days))
        kept = [each for each in forecast.horizons if each.day == horizon.day]
        yield {
            "service": followed.service,
            "tenant": forecast.tenant,
            "subject": forecast.subject,
            # Whoever comes on record late counts in the next week that is not closed.
            "week": max(week, closed_week + 1),
            "given_on": forecast.given_on.isoformat(),
            "forecast": msgspec.json.encode(replace(forecast, horizons=kept)).decode(),
        }


def _not_followed_yet(
    connection: sa.Connection, service: str, rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the first row of each person who is not followed yet."""
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        first.setdefault((row["tenant"], row["subject"]), row)
    columns = followed_table.c
    for some in at_once(list(first)):
        known = connection.execute(
            sa.select(columns.tenant, columns.subject).where(
                columns.service == service,
                columns.subject.in_([subject for _, subject in some]),
            )
        )
        for tenant, subject in known:
            first.pop((tenant, subject), None)
    return list(first.values())


def _close_next(
    connection: sa.Connection,
    followed: Followed,
    this_week: int,
    sums_of: Callable[[MonitoringTables], Sums],
) -> bool:
    """Count the next week that somebody is in and that is over; return whether there was one."""
    service, columns = followed.service, followed_table.c
    begun = evidence_begun_table.c.service == service
    closed = connection.execute(
        sa.select(evidence_begun_table.c.closed_week).where(begun)
    ).scalar_one_or_none()
    if closed is None:
        return False
    week = connection.execute(
        sa.select(sa.func.min(columns.week)).where(
            columns.service == service, columns.week > closed, columns.week < this_week
        )
    ).scalar()
    last = this_week - 1 if week is None else week
    connection.execute(
        sa.update(evidence_begun_table).where(begun).values(closed_week=max(closed, last))
    )
    if week is None:
        return False
    rows = connection.execute(
        sa.select(columns.forecast).where(columns.service == service, columns.week == week)
    ).scalars()
    given = [_given.decode(text) for text in rows]
    known = known_outcomes(
        connection, ((each.tenant, each.subject) for each in given), followed.task
    )
    due = [(each, [h]) for each in given if (h := followed_horizon(each, followed.task))]
    sums = sums_of(monitoring_tables(due, known, followed.task))
    # Nothing of it is needed any more, but that the person was counted.
    connection.execute(
        sa.update(followed_table)
        .where(columns.service == service, columns.week == week)
        .values(forecast="")
    )
    text = json.dumps(sums, sort_keys=True, separators=(",", ":"))
    connection.execute(sa.insert(evidence_table).values(service=service, week=week, sums=text))
    return True


def head_of(store: Store) -> str:
    """Return the hash of the record's last entry; empty where it has none."""
    query = sa.select(entry_table.c.hash).order_by(entry_table.c.sequence.desc()).limit(1)
    with reading(store.engine) as connection:
        return connection.execute(query).scalar_one_or_none() or ""
