"""Accounts of what forecasts on record add to tests, week by week, exactly once.

A person counts once in an account, by one forecast, in one week. A week is counted in a transaction
and never again: whoever reads what was kept gets the same sums after any crash, restart
or restore, also where people were erased since.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.errors import ContractError
from serving.state.evidence.reading import (
    OnRecord,
    Person,
    answers_of,
    contents_of,
    first_given_to,
    given_to,
    length_of,
)
from serving.state.store import Store
from serving.state.tables import evidence_begun_table, evidence_table, followed_table
from stores.collection import uncollected
from stores.database import reading, write

ENTRIES_AT_ONCE = 20_000
"""Entries of the record that one transaction reads: the service writes in between."""

SECONDS_AT_ONCE = 1.0
"""Of weeks that one transaction counts: each takes as long to write down as a few to count, and the
service waits."""

Sums = Mapping[str, Any]
"""What a week adds to the tests, as JSON."""

_sums = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Of which forecasts, and by which terms.

    Parameters
    ----------
    name
        What it is kept under.
    model_version, since
        The forecasts of a version, not before a time (UTC, ISO 8601).
    terms
        Digest of everything that was fixed beforehand.
    silent_too
        Whether forecasts count that nobody was shown.
    """

    name: str
    model_version: str
    since: str
    terms: str
    silent_too: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A person who counts: in which week, by what, and of which date that is."""

    week: int
    given_on: date
    text: str


Note = Callable[[sa.Connection, Sequence[OnRecord]], Mapping[Person, Noted]]
"""Notes those who count, of some answers, one a person."""

FirstDay = Callable[[Iterator[OnRecord]], date | None]

SumsOf = Callable[[sa.Connection, int, Sequence[str]], Sums]
"""What a week adds, from what was noted of its people."""


def week_of(day: date) -> int:
    """Return the number of a date's week, Sunday to Saturday."""
    return day.toordinal() // 7


def take_in(
    store: Store,
    account: Account,
    note: Note,
    first_day: FirstDay,
) -> int:
    """Note who counts, of answers since the last time; return how many people.

    Parameters
    ----------
    first_day
        The day of the first answer of some that an account may begin with; None if none is one.

    Raises
    ------
    ContractError
        The terms are not those by which the version was followed until now.
    """
    with reading(store.engine) as connection:
        length = length_of(connection)
    added = position = 0
    while position < length:
        some = partial(
            _take_some, account=account, note=note, first_day=first_day, start=position,
            length=length,
        )  # fmt: skip
        with uncollected():
            position, more = write(store.engine, some)
        added += more
    return added


def close_weeks(store: Store, account: Account, this_week: int, sums_of: SumsOf) -> int:
    """Count every week that is over; return how many had somebody in them."""

    def some(connection: sa.Connection) -> tuple[int, bool]:
        until, weeks = time.monotonic() + SECONDS_AT_ONCE, 0
        while _close_next(connection, account.name, this_week, sums_of):
            weeks += 1
            if time.monotonic() >= until:
                return weeks, True
        return weeks, False

    closed, is_more = 0, True
    while is_more:
        with uncollected():
            weeks, is_more = write(store.engine, some)
        closed += weeks
    return closed


def counted(
    store: Store, name: str, until: int | None = None
) -> tuple[int, list[tuple[int, Sums]]]:
    """Return an account's first week, and the sums of each week that had somebody, in order.

    Parameters
    ----------
    until
        Only weeks before this one.
    """
    columns = evidence_table.c
    asked = columns.service == name
    if until is not None:
        asked &= columns.week < until
    with reading(store.engine) as connection:
        begun = connection.execute(
            sa.select(evidence_begun_table.c.first_week).where(
                evidence_begun_table.c.service == name
            )
        ).scalar_one_or_none()
        rows = connection.execute(
            sa.select(columns.week, columns.sums).where(asked).order_by(columns.week)
        ).all()
    return begun or 0, [(week, _sums.decode(sums)) for week, sums in rows]


def _take_some(
    connection: sa.Connection,
    account: Account,
    note: Note,
    first_day: FirstDay,
    start: int,
    length: int,
) -> tuple[int, int]:
    """Take in some entries after one; return up to which, and of how many new people."""
    of_account = evidence_begun_table.c.service == account.name
    begun = connection.execute(sa.select(evidence_begun_table).where(of_account)).one_or_none()
    if begun is not None and begun.terms != account.terms:
        raise ContractError(
            f"{account.model_version} was followed by another monitoring plan, policy or set of"
            " groups until now",
            "use those again; another plan is for the next version that comes into service",
        )
    after = start if begun is None else max(start, begun.sequence)
    upto = min(length, after + ENTRIES_AT_ONCE)
    if begun is not None:
        closed = begun.closed_week
        connection.execute(sa.update(evidence_begun_table).where(of_account).values(sequence=upto))
    else:
        answers = answers_of(
            connection, account.model_version, after=after, upto=upto, since=account.since,
            silent_too=account.silent_too,
        )  # fmt: skip
        with closing(answers):
            day = first_day(answers)
        if day is None:
            return upto, 0
        closed = week_of(day) - 1
        connection.execute(
            sa.insert(evidence_begun_table).values(
                service=account.name, terms=account.terms, first_week=closed + 1,
                closed_week=closed, sequence=upto,
            )
        )  # fmt: skip
    added = 0
    for noted in _noted(connection, account, note, after, upto):
        rows = [
            {
                "service": account.name, "tenant": tenant, "subject": subject,
                # Whoever comes on record late counts in the next week that is not closed.
                "week": max(each.week, closed + 1),
                "given_on": each.given_on.isoformat(), "forecast": each.text,
            }
            for (tenant, subject), each in noted.items()
        ]  # fmt: skip
        connection.execute(sa.insert(followed_table), rows)
        added += len(rows)
    return upto, added


def _noted(
    connection: sa.Connection, account: Account, note: Note, after: int, upto: int
) -> Iterator[Mapping[Person, Noted]]:
    """Yield those who count; who does not by one answer may by the next.

    Who was yielded must be kept before the next are asked for.
    """
    first = first_given_to(
        connection, account.model_version, unless_in=account.name, after=after, upto=upto,
        since=account.since, silent_too=account.silent_too,
    )  # fmt: skip
    noted = note(connection, first)
    if noted:
        yield noted
    if len(noted) == len(first):
        return
    others = given_to(
        connection, account.model_version, unless_in=account.name, after=after, upto=upto,
        since=account.since, silent_too=account.silent_too,
    )  # fmt: skip
    waiting = {person: numbers[1:] for person, numbers in others.items() if len(numbers) > 1}
    while waiting:
        some = contents_of(connection, [numbers[0] for numbers in waiting.values()])
        if noted := note(connection, some):
            yield noted
        waiting = {
            person: numbers[1:]
            for person, numbers in waiting.items()
            if person not in noted and len(numbers) > 1
        }


def _close_next(connection: sa.Connection, name: str, this_week: int, sums_of: SumsOf) -> bool:
    """Count the next week that somebody is in and that is over; return whether there was one."""
    columns = followed_table.c
    begun = evidence_begun_table.c.service == name
    closed = connection.execute(
        sa.select(evidence_begun_table.c.closed_week).where(begun)
    ).scalar_one_or_none()
    if closed is None:
        return False
    week = connection.execute(
        sa.select(sa.func.min(columns.week)).where(
            columns.service == name, columns.week > closed, columns.week < this_week
        )
    ).scalar()
    last = this_week - 1 if week is None else week
    connection.execute(
        sa.update(evidence_begun_table).where(begun).values(closed_week=max(closed, last))
    )
    if week is None:
        return False
    of_week = columns.service == name, columns.week == week
    texts = connection.execute(sa.select(columns.forecast).where(*of_week)).scalars().all()
    sums = sums_of(connection, week, texts)
    # Nothing of it is needed any more, but that the person was counted.
    connection.execute(sa.update(followed_table).where(*of_week).values(forecast=""))
    text = json.dumps(sums, sort_keys=True, separators=(",", ":"))
    connection.execute(sa.insert(evidence_table).values(service=name, week=week, sums=text))
    return True
