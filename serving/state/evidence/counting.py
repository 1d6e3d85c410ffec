"""Counts outcomes when their week closes, and keeps what they added to the tests.

A person counts once for a version, by one forecast, in the week in which its outcome is due and had
time to come (`serving.state.evidence.accounts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import msgspec
import sqlalchemy as sa

from contracts.task import Task
from inference.matching.given import GivenForecast, due_on, followed_horizon
from inference.matching.tables import MonitoringTables, monitoring_tables
from serving.state.evidence import accounts
from serving.state.evidence.accounts import Account, Noted, Sums, week_of
from serving.state.evidence.known import known_outcomes
from serving.state.evidence.reading import (
    OnRecord,
    Person,
    answers_of,
    given_in,
    length_of,
)
from serving.state.evidence.tracing import draw
from serving.state.store import Store
from serving.state.tables import entry_table
from stores.database import reading

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
    silent_too
        Whether forecasts count that nobody was shown: of a champion they are of people whom it may
        not serve, so they say nothing of its service.
    purpose
        What it is followed for, if not for its service: an account of its own.
    """

    model_version: str
    task: Task
    terms: str
    grace_days: int
    since: str = ""
    silent_too: bool = True
    purpose: str = ""

    @property
    def service(self) -> str:
        """What its evidence is kept under."""
        name = f"{self.model_version} since {self.since}" if self.since else self.model_version
        return f"{self.purpose} of {name}" if self.purpose else name

    @property
    def account(self) -> Account:
        """Where its outcomes are counted."""
        return Account(
            name=self.service, model_version=self.model_version, since=self.since, terms=self.terms,
            silent_too=self.silent_too,
        )  # fmt: skip


def take_in(store: Store, followed: Followed) -> int:
    """Note whose outcomes are awaited, of forecasts since the last time; return how many people.

    Raises
    ------
    ContractError
        The terms are not those by which the version was followed until now.
    """

    def first_day(answers: Iterator[OnRecord]) -> date | None:
        first = next(given_in(answers, followed.model_version), None)
        return None if first is None else first.given_on

    return accounts.take_in(store, followed.account, partial(_awaited, followed), first_day)


def close_weeks(
    store: Store, followed: Followed, now: date, sums_of: Callable[[MonitoringTables], Sums]
) -> int:
    """Count every week that is over; return how many had somebody in them.

    Where the lost are traced (`serving.state.evidence.tracing`), they are drawn among as well.

    Parameters
    ----------
    sums_of
        What the outcomes of a week's people add to the tests.
    """
    task = followed.task

    def of_week(connection: sa.Connection, week: int, texts: Sequence[str]) -> Sums:
        given = [_given.decode(text) for text in texts]
        known = known_outcomes(connection, ((each.tenant, each.subject) for each in given), task)
        due = [(each, [h]) for each in given if (h := followed_horizon(each, task))]
        draw(connection, followed.service, task, week, week_of(now), given, known)
        return sums_of(monitoring_tables(due, known, task))

    return accounts.close_weeks(store, followed.account, week_of(now), of_week)


def tables_until(store: Store, followed: Followed, now: date) -> MonitoringTables:
    """Return the monitoring tables of every forecast of a version with an outcome that is due."""
    with reading(store.engine) as connection:
        length = length_of(connection)
        version = followed.model_version
        given = list(given_in(answers_of(connection, version, upto=length), version))
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


def _awaited(
    followed: Followed, connection: sa.Connection, some: Sequence[OnRecord]
) -> Mapping[Person, Noted]:
    noted = {}
    for forecast in given_in(some, followed.model_version, followed_by=followed.task):
        horizon = followed_horizon(forecast, followed.task)
        assert horizon is not None  # noqa: S101  (as asked for)
        noted[forecast.tenant, forecast.subject] = Noted(
            week=week_of(due_on(forecast, horizon, followed.grace_days)),
            given_on=forecast.given_on,
            text=msgspec.json.encode(forecast).decode(),
        )
    return noted


def head_of(store: Store) -> str:
    """Return the hash of the record's last entry; empty where it has none."""
    query = sa.select(entry_table.c.hash).order_by(entry_table.c.sequence.desc()).limit(1)
    with reading(store.engine) as connection:
        return connection.execute(query).scalar_one_or_none() or ""
