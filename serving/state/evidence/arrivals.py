"""Counts the people about whom a version is asked, when the week is over in which they came.

A person counts once, by the first answer, whether it was a forecast or a refusal: the answer says
what was forecast and what was missing, the running record what the channels measured until then
(`inference.matching.arrivals`). Of whom no value is on the running record, the answer alone counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from contracts.evidence.arrivals import Arrivals
from contracts.forecast import LOWER_80, UPPER_80
from contracts.forecast import MEDIAN as MEDIAN_LEVEL
from contracts.predictions import QUANTILE_COLUMNS
from contracts.task import Task
from inference.matching.arrivals import (
    FEW_SIMILAR,
    MEDIAN,
    PAST_DAYS,
    REFUSED,
    SITE,
    WEAR,
    WIDTH,
    Arrival,
    Scales,
    arrivals,
)
from serving.state.evidence import accounts
from serving.state.evidence.accounts import Account, Noted, Sums, week_of
from serving.state.evidence.known import enrolment_days, withdrawn_among
from serving.state.evidence.numbering import number_of
from serving.state.evidence.reading import (
    Group,
    OnRecord,
    Person,
    at_once,
    decoded,
    labels_of,
)
from serving.state.store import Store
from serving.state.tables import observation_table, seen_table
from stores.database import among

Seen = Mapping[str, NDArray[np.int64]]
"""How many came before with each level, (Q, L), by what they are compared within."""


RANGE = tuple(QUANTILE_COLUMNS[level] for level in (LOWER_80, MEDIAN_LEVEL, UPPER_80))

# Of all quantiles an answer's range alone is read.
_Range = msgspec.defstruct("_Range", [(name, float) for name in RANGE], gc=False)


class _Horizon(msgspec.Struct, gc=False):
    weeks: int
    quantiles: _Range  # type: ignore[valid-type]


class _RestsOn(msgspec.Struct, gc=False):
    median_wear_hours: float | None
    missing_channels: list[str]


class _Answer(msgspec.Struct, gc=False):
    """The part of an answer that says who came."""

    status: str
    origin_day: int | None = None
    horizons: list[_Horizon] = []
    rests_on: _RestsOn | None = None
    groups: list[Group] = []
    similar_people: int | None = None


_answer = msgspec.json.Decoder(_Answer)
_arrival = msgspec.json.Decoder(Arrival)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """By what the people are counted about whom a version is asked.

    Parameters
    ----------
    account
        Where.
    task, scales
        What the version forecasts, and the scale of each quantity.
    """

    account: Account
    task: Task
    scales: Scales

    @property
    def attributes(self) -> tuple[str, ...]:
        """Return the attributes whose groups are compared with everyone else."""
        return (SITE, *(attribute.name for attribute in self.task.sensitive))


Compared = Callable[[Arrivals, int, Callable[[Sequence[str]], Seen]], tuple[Sums, Seen]]
"""Returns what the people of a week add, and what was seen with them, from what was seen before,
which it asks for by what they are compared within."""


def take_in(store: Store, asked: Asked) -> int:
    """Note about whom the version was asked since the last time; return how many people."""
    return accounts.take_in(store, asked.account, partial(_came, asked), _first_day)


def close_weeks(store: Store, asked: Asked, now: date, compared: Compared) -> int:
    """Count every week that is over; return how many had somebody in them."""
    name = asked.account.name

    def of_week(connection: sa.Connection, week: int, texts: Sequence[str]) -> Sums:
        people = arrivals(
            (_arrival.decode(text) for text in texts), asked.scales.quantities, asked.attributes
        )
        sums, after = compared(people, week, partial(_seen, connection, name))
        _keep_seen(connection, name, after)
        return sums

    return accounts.close_weeks(store, asked.account, week_of(now), of_week)


def _first_day(answers: Iterator[OnRecord]) -> date | None:
    first = next(answers, None)
    return None if first is None else datetime.fromisoformat(first.time).date()


def _came(
    asked: Asked, connection: sa.Connection, some: Sequence[OnRecord]
) -> Mapping[Person, Noted]:
    withdrawn = withdrawn_among(connection, [(each.tenant, each.subject) for each in some])
    answers = {
        (each.tenant, each.subject): (each, decoded(each, _answer))
        for each in some
        if (each.tenant, each.subject) not in withdrawn
    }
    number_NQ = np.full((len(answers), len(asked.scales.quantities)), np.nan)
    for n, (_, answer) in enumerate(answers.values()):
        _put_numbers(number_NQ[n], answer, asked)
    row = {person: n for n, person in enumerate(answers)}
    origins = {p: a.origin_day for p, (_, a) in answers.items() if a.origin_day is not None}
    column = {code: c for c, code in enumerate(asked.scales.channels, asked.scales.means.start)}
    for person, code, mean in _means_of(connection, origins, list(column)):
        number_NQ[row[person], column[code]] = mean
    levels = asked.scales.levels(number_NQ).tolist()
    noted = {}
    for n, (person, (on_record, answer)) in enumerate(answers.items()):
        day = datetime.fromisoformat(on_record.time).date()
        arrival = Arrival(
            number=number_of(*person, asked.account.model_version),
            groups={SITE: person[0], **labels_of(answer.groups)},
            levels=levels[n],
        )
        noted[person] = Noted(
            week=week_of(day), given_on=day, text=msgspec.json.encode(arrival).decode()
        )
    return noted


def _put_numbers(number_Q: NDArray[np.float64], answer: _Answer, asked: Asked) -> None:
    """Put the numbers of an answer in their places."""
    scales = asked.scales
    number_Q[scales.place(REFUSED)] = not answer.horizons
    if not answer.horizons:
        return
    # The primary horizon, or the first one after it, or the last that there is.
    primary = asked.task.primary_horizon_weeks
    horizon = next((h for h in answer.horizons if h.weeks >= primary), answer.horizons[-1])
    low, median, high = (getattr(horizon.quantiles, name) for name in RANGE)
    number_Q[scales.place(MEDIAN)], number_Q[scales.place(WIDTH)] = median, high - low
    number_Q[scales.place(FEW_SIMILAR)] = answer.similar_people is None
    if answer.rests_on is None:
        return
    missing = set(answer.rests_on.missing_channels)
    number_Q[scales.means.stop :] = [name in missing for name in scales.channels.values()]
    if answer.rests_on.median_wear_hours is not None:
        number_Q[scales.place(WEAR)] = answer.rests_on.median_wear_hours


def _means_of(
    connection: sa.Connection, origin_day: Mapping[Person, int], codes: Sequence[str]
) -> Iterator[tuple[Person, str, float]]:
    """Yield the mean of each channel over the last days up to a forecast, of who is on record."""
    values = observation_table.c
    together: dict[tuple[str, int], list[str]] = {}
    # Not by a join: PostgreSQL, which knows nothing of rows that have just come, then reads all
    # values of a tenant for each of its people.
    for (tenant, subject), enrolled in enrolment_days(connection, origin_day).items():
        last_day = enrolled + origin_day[tenant, subject]
        together.setdefault((tenant, last_day), []).append(subject)
    for (tenant, last_day), subjects in together.items():
        for some in at_once(subjects):
            rows = connection.execute(
                sa.select(values.subject, values.code, sa.func.avg(values.value))
                .where(
                    values.tenant == tenant,
                    among(connection, values.subject, some),
                    values.code.in_(codes),
                    values.value.is_not(None),
                    values.day <= last_day,
                    values.day > last_day - PAST_DAYS,
                )
                .group_by(values.subject, values.code)
            )
            for subject, code, mean in rows:
                yield (tenant, subject), code, float(mean)


def _seen(connection: sa.Connection, name: str, parts: Sequence[str]) -> Seen:
    columns = seen_table.c
    return {
        part: np.array(msgspec.json.decode(counts), dtype=np.int64)
        for some in at_once(parts)
        for part, counts in connection.execute(
            sa.select(columns.part, columns.counts).where(
                columns.service == name, columns.part.in_(some)
            )
        )
    }


def _keep_seen(connection: sa.Connection, name: str, seen: Seen) -> None:
    columns = seen_table.c
    for some in at_once(list(seen)):
        connection.execute(
            sa.delete(seen_table).where(columns.service == name, columns.part.in_(some))
        )
    rows = [
        {"service": name, "part": part, "counts": msgspec.json.encode(counts.tolist()).decode()}
        for part, counts in seen.items()
    ]
    if rows:
        connection.execute(sa.insert(seen_table), rows)
