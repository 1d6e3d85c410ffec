"""Keeps the points of the last weeks, and computes the days that they come to as an import does."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd
import sqlalchemy as sa

from contracts.cohort import CODE, NUMBER, TEXT, TIME
from contracts.errors import ForecastRefused
from features.measurements.reconcile import reconcile
from features.measurements.records import (
    AMOUNT,
    END,
    PLACE,
    RECORD_ID,
    SOURCE,
    SUBJECT_LABEL,
    Amount,
    record_table,
)
from features.measurements.versions import newest_versions
from serving.pushed import EXTRA, KEPT_DAYS, Point, Status
from serving.state.tables import of_person, point_table

MOST_KEPT = 100_000
"""Points of one person: a value a minute for the weeks that they are kept, of two quantities."""

SAID = (TIME, END, CODE, NUMBER, TEXT, AMOUNT, SOURCE)
"""By these a point is known again that comes under another identifier."""

POINT = "point "

Values = dict[tuple[str, date], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A kept point: its statement, its days, and its records."""

    digest: str
    statement: str
    first_date: str
    last_date: str
    rows: str


def forget_old(connection: sa.Connection, now: datetime) -> None:
    """Delete the points of everybody that no point to come can be added to."""
    limit = (now.date() - timedelta(days=KEPT_DAYS) - EXTRA).isoformat()
    connection.execute(sa.delete(point_table).where(point_table.c.last_date < limit))


def not_kept(
    connection: sa.Connection, tenant: str, subject: str, points: Sequence[Point]
) -> list[Point]:
    """Return the points that are not kept yet, each once."""
    query = sa.select(point_table.c.point).where(
        *of_person(point_table, tenant, subject),
        point_table.c.point.in_({point.digest for point in points}),
    )
    known = set(connection.execute(query).scalars())
    return [
        point
        for digest, point in {point.digest: point for point in reversed(points)}.items()
        if digest not in known
    ]


def keep(
    connection: sa.Connection, tenant: str, subject: str, points: Sequence[Point], now: datetime
) -> None:
    """Keep points.

    Raises
    ------
    ForecastRefused
        The person has too many.
    """
    theirs = of_person(point_table, tenant, subject)
    count = connection.execute(sa.select(sa.func.count()).select_from(point_table).where(*theirs))
    if count.scalar_one() + len(points) > MOST_KEPT:
        raise ForecastRefused(
            f"more than {MOST_KEPT:,} points of {KEPT_DAYS} days would be kept of this person",
            "send amounts of an hour, or a mean of several minutes, instead of each reading",
        )
    today = now.date().isoformat()
    rows = [
        {
            "tenant": tenant, "subject": subject, "point": point.digest,
            "statement": point.statement, "first_date": point.first_date or today,
            "last_date": point.last_date or today, "rows": json.dumps(point.rows),
        }
        for point in points
    ]  # fmt: skip
    connection.execute(sa.insert(point_table), rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What must be known to decide about new points.

    Parameters
    ----------
    first, last
        The days whose values may have changed.
    kept
        The points that can matter for these days, the new ones included.
    """

    first: date
    last: date
    kept: Sequence[Kept]


def around(
    connection: sa.Connection, tenant: str, subject: str, points: Sequence[Point], now: datetime
) -> Around:
    """Return the days that points may change: their own and the nights beside, in every version."""
    theirs = of_person(point_table, tenant, subject)
    statements = {point.statement for point in points} - {""}
    versions = _kept(connection, *theirs, point_table.c.statement.in_(statements))
    days = [day for p in points for day in (p.first_date, p.last_date)]
    days += [day for v in versions for day in (v.first_date, v.last_date)]
    known = [date.fromisoformat(day) for day in days if day] or [now.date()]
    first = max(min(known) - EXTRA, now.date() - timedelta(days=KEPT_DAYS))
    # A night that began this evening is of tomorrow, which is not yet there.
    last = min(max(known) + EXTRA, now.date())
    near = _kept(
        connection,
        *theirs,
        point_table.c.last_date >= (first - EXTRA).isoformat(),
        point_table.c.first_date <= (last + EXTRA).isoformat(),
    )
    more = _kept(
        connection, *theirs, point_table.c.statement.in_({each.statement for each in near} - {""})
    )
    everything = {each.digest: each for each in (*versions, *near, *more)}
    return Around(first=first, last=last, kept=list(everything.values()))


def _kept(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[Kept]:
    columns = point_table.c
    query = sa.select(
        columns.point.label("digest"), columns.statement, columns.first_date, columns.last_date,
        columns.rows,
    ).where(*conditions)  # fmt: skip
    return [Kept(**row._mapping) for row in connection.execute(query)]


def records_of(kept: Iterable[Kept], subject: str) -> pd.DataFrame:
    """Return kept points as records; a point's place is its digest, the same in every request."""
    rows = [
        {**row, SUBJECT_LABEL: subject, PLACE: f"{POINT}{each.digest}"}
        for each in kept
        for row in json.loads(each.rows)
    ]
    return record_table(pd.DataFrame(rows))


def day_values(records: pd.DataFrame, first: date, last: date) -> Values:
    """Return the value of each code on each day of a span."""
    values = reconcile([records]).values
    return {
        (code, time.date()): float(number)
        for code, time, number in values[[CODE, TIME, NUMBER]].itertuples(index=False, name=None)
        if first <= time.date() <= last
    }


def statuses(records: pd.DataFrame, points: Sequence[Point], new: set[str]) -> list[Status]:
    """Return what became of each point, in the order of the request.

    Parameters
    ----------
    records
        Of the new points and of those kept before.
    new
        Digests of the points that were not kept before.
    """
    counted, _ = newest_versions(records)
    cells = records[list(SAID)].astype(object).where(records[list(SAID)].notna(), "")
    said_N = list(cells.itertuples(index=False, name=None))
    # Of what is there twice only one row stays, which stands for both.
    counting = {said_N[n] for n in counted.index}
    rows: dict[str, list[int]] = defaultdict(list)
    for n, place in enumerate(records[PLACE]):
        rows[place.removeprefix(POINT)].append(n)
    before = [n for digest, found in rows.items() if digest not in new for n in found]
    known = {said_N[n] for n in before}
    identity_N, amount_N = records[RECORD_ID].tolist(), records[AMOUNT].tolist()
    earlier = {identity_N[n] for n in before} - {""}
    found: dict[str, Status] = {}
    for digest in new & set(rows):
        said = {said_N[n] for n in rows[digest]}
        is_version = any(identity_N[n] in earlier for n in rows[digest])
        if any(amount_N[n] == Amount.WITHDRAWN for n in rows[digest]):
            found[digest] = "corrected"
        elif not said <= counting:
            found[digest] = "superseded"
        elif said <= known:
            found[digest] = "already known"
        else:
            found[digest] = "corrected" if is_version else "recorded"
    answered: list[Status] = []
    for point in points:
        # The same point twice in one request is recorded once.
        answered.append(found.get(point.digest, "already known"))
        found[point.digest] = "already known"
    return answered
