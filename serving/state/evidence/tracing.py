"""Draws a random share of those whose outcome is lost, once, and keeps who is to be traced.

The draw is made in the transaction in which a person's week is counted, by a number keyed with a
secret that is made once for a service: looks, restarts and the order of people change no draw, and
nobody draws a second time. Who was seen or lost then counts in an account of its own, in the week
in which tracing is over.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import partial

import msgspec
import numpy as np
import sqlalchemy as sa

from contracts.errors import ContractError
from contracts.predictions import DRAWN, SUBJECT, TRACING_CHANCE, OutcomeStatus
from contracts.task import Task
from inference.matching.given import (
    NOTHING_KNOWN,
    GivenForecast,
    KnownOutcomes,
    followed_horizon,
    outcome_of,
)
from inference.matching.tables import MonitoringTables, monitoring_tables
from serving.state.evidence import accounts
from serving.state.evidence.accounts import Account, Sums, week_of
from serving.state.evidence.known import known_outcomes
from serving.state.evidence.reading import Person
from serving.state.store import Store
from serving.state.tables import evidence_begun_table, evidence_table, followed_table
from stores.database import reading, write

WEEKS = 8
"""How long people have to find those who were drawn, after the week that closes."""

SEEN = (OutcomeStatus.OBSERVED, OutcomeStatus.TRACED)


class Tracing(msgspec.Struct, frozen=True, kw_only=True):
    """How the lost of a service are traced; fixed before anybody is drawn.

    Parameters
    ----------
    share
        Chance of each.
    weeks
        How long tracing takes.
    key
        Of the draw, hexadecimal; shown nowhere.
    """

    share: float
    weeks: int
    key: str


class Drawn(msgspec.Struct, kw_only=True):
    """What is kept of a person until tracing is over; no chance of who was seen."""

    chance: float | None
    drawn: bool
    given: GivenForecast


_tracing = msgspec.json.Decoder(Tracing)
drawn_people = msgspec.json.Decoder(Drawn)


def account_of(service: str) -> str:
    """Return what the evidence of a service with tracing is kept under."""
    return f"tracing of {service}"


def begin(
    store: Store, service: str, terms: str, share: float | None, default: float, now: date
) -> Tracing:
    """Begin tracing, or return how it was begun.

    Parameters
    ----------
    service, terms
        As of `Followed`.
    share
        Chance of each of the lost; None for the one that it was begun with.
    default
        Share where it begins now, and none is given.

    Raises
    ------
    ContractError
        It was begun with another share.
    """

    def action(connection: sa.Connection) -> Tracing:
        known = begun(connection, service)
        if known is not None:
            if share not in {None, known.share}:
                raise ContractError(
                    f"a share of {known.share:g} of the lost has been drawn since tracing began",
                    "leave out --share: another one is for the next version in service",
                )
            return known
        made = Tracing(
            share=default if share is None else share, weeks=WEEKS, key=secrets.token_hex(16)
        )
        week = week_of(now)
        connection.execute(
            sa.insert(evidence_table).values(
                service=_draws_of(service), week=week, sums=msgspec.json.encode(made).decode()
            )
        )
        connection.execute(
            sa.insert(evidence_begun_table).values(
                service=account_of(service), terms=terms, first_week=week, closed_week=week - 1,
                sequence=0,
            )
        )  # fmt: skip
        return made

    return write(store.engine, action)


def begun(connection: sa.Connection, service: str) -> Tracing | None:
    """Return how the lost of a service are traced; None where nobody traces them."""
    columns = evidence_table.c
    kept = connection.execute(
        sa.select(columns.sums).where(columns.service == _draws_of(service))
    ).scalar_one_or_none()
    return None if kept is None else _tracing.decode(kept)


def tracing_of(store: Store, service: str) -> Tracing | None:
    """Return how the lost of a service are traced; None where nobody traces them."""
    with reading(store.engine) as connection:
        return begun(connection, service)


def draw(
    connection: sa.Connection, service: str, task: Task, week: int, this_week: int,
    given: Iterable[GivenForecast], known: Mapping[Person, KnownOutcomes],
) -> None:  # fmt: skip
    """Draw among the lost of a week that closes, where they are traced.

    Whoever was neither seen nor lost (died, withdrew, missed) has no part in it.

    Parameters
    ----------
    week, this_week
        Which one closes, and in which one: who is counted late has as long as others.
    """
    tracing = begun(connection, service)
    if tracing is None:
        return
    rows = []
    for each in given:
        horizon = followed_horizon(each, task)
        if horizon is None:
            continue
        of_person = known.get((each.tenant, each.subject), NOTHING_KNOWN)
        status = outcome_of(of_person, task, horizon, each.origin_day).status
        if status not in {*SEEN, OutcomeStatus.LOST}:
            continue
        lost = status == OutcomeStatus.LOST
        kept = Drawn(
            chance=tracing.share if lost else None,
            drawn=lost and is_drawn(tracing, each.tenant, each.subject), given=each,
        )  # fmt: skip
        rows.append(
            {
                "service": account_of(service), "tenant": each.tenant, "subject": each.subject,
                "week": max(week, this_week - 1) + tracing.weeks,
                "given_on": each.given_on.isoformat(),
                "forecast": msgspec.json.encode(kept).decode(),
            }
        )  # fmt: skip
    if rows:
        connection.execute(sa.insert(followed_table), rows)


def is_drawn(tracing: Tracing, tenant: str, subject: str) -> bool:
    """Return whether a person is drawn: the same whenever and however often it is asked."""
    named = "\0".join((tenant, subject)).encode("utf-8", "surrogateescape")
    key = bytes.fromhex(tracing.key)
    number = int.from_bytes(hashlib.blake2b(named, digest_size=8, key=key).digest())
    return number < tracing.share * 2**64


def close_traced(
    store: Store,
    account: Account,
    task: Task,
    now: date,
    sums_of: Callable[[MonitoringTables, Sums | None], Sums],
) -> int:
    """Count every week whose tracing is over; return how many had somebody in them.

    Parameters
    ----------
    account
        Named as by `account_of`.
    sums_of
        What a week's people add to the tests, by what the last week before it added.
    """
    of_week = partial(_of_week, account.name, task, sums_of)
    return accounts.close_weeks(store, account, week_of(now), of_week)


def _of_week(
    account: str,
    task: Task,
    sums_of: Callable[[MonitoringTables, Sums | None], Sums],
    connection: sa.Connection,
    week: int,
    texts: Sequence[str],
) -> Sums:
    people = [drawn_people.decode(text) for text in texts]
    given = [each.given for each in people]
    known = known_outcomes(connection, ((each.tenant, each.subject) for each in given), task)
    due = [(each, [h]) for each in given if (h := followed_horizon(each, task))]
    tables = monitoring_tables(due, known, task)
    draws = {each.given.number: (each.chance, each.drawn) for each in people}
    of_row = [draws[number] for number in tables.follow_up[SUBJECT].tolist()]
    follow_up = tables.follow_up.assign(
        **{
            TRACING_CHANCE: np.array([np.nan if c is None else c for c, _ in of_row], np.float64),
            DRAWN: np.array([drawn for _, drawn in of_row], dtype=np.bool_),
        }
    )
    columns = evidence_table.c
    before = connection.execute(
        sa.select(columns.sums)
        .where(columns.service == account, columns.week < week)
        .order_by(columns.week.desc())
        .limit(1)
    ).scalar_one_or_none()
    return sums_of(
        MonitoringTables(predictions=tables.predictions, follow_up=follow_up),
        None if before is None else json.loads(before),
    )


def _draws_of(service: str) -> str:
    return f"draws of {service}"
