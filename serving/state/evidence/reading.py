"""Reads the answers that a version gave from the record."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from contracts.errors import IntegrityError
from contracts.task import Task
from inference.matching.given import GivenForecast, GivenHorizon, followed_of
from serving.state.entries import Kind, canonical
from serving.state.evidence.numbering import number_of
from serving.state.tables import entry_table, followed_table
from stores.database import among

SHADOW = "shadow"
"""Route of forecasts that nobody was shown."""

PEOPLE_AT_ONCE = 300
"""People asked for in one query: the service waits, and a server gives a query few seconds."""

Person = tuple[str, str]
"""Tenant and subject."""

T = TypeVar("T")


# Nothing of an answer refers back to it: Python need not look for that (a third of taking them in).
class Group(msgspec.Struct, gc=False):
    """A group of the person, as an answer names it."""

    attribute: str
    group: str


class _Horizon(msgspec.Struct, gc=False):
    day_after_enrolment: int
    # Read where the horizon is: of most answers one counts, and these are nearly all of them.
    quantiles: msgspec.Raw
    milestones: msgspec.Raw
    last_observation: float
    proportional_recovery: float | None = None


class _Answer(msgspec.Struct, gc=False):
    """The part of an answer that an outcome is compared with."""

    status: str
    origin_day: int | None = None
    as_of: date | None = None
    last_score: float | None = None
    horizons: list[_Horizon] = []
    groups: list[Group] = []


class _Content(msgspec.Struct, gc=False):
    output: str


_ANSWER = (
    entry_table.c.sequence, entry_table.c.time, entry_table.c.tenant, entry_table.c.subject,
    entry_table.c.content,
)  # fmt: skip
_PARTS = {"yield_per": 1000}

_content = msgspec.json.Decoder(_Content)
_answer = msgspec.json.Decoder(_Answer)
_numbers = msgspec.json.Decoder(dict[str, float])


class OnRecord(msgspec.Struct, frozen=True, gc=False):
    """An answer on record: in which entry, when, of whom, and what it holds."""

    sequence: int
    time: str
    tenant: str
    subject: str
    content: str


def answers_of(
    connection: sa.Connection, model_version: str, *, after: int = 0, upto: int, since: str = "",
    silent_too: bool = True,
) -> Generator[OnRecord]:  # fmt: skip
    """Yield the answers that a version gave, in the order of the record's entries (after, upto].

    Of people on record by name, and not before a time (UTC, ISO 8601); those that nobody was shown
    only where silent ones count too. What was erased or is past its retention is gone. Whoever
    needs only some closes it: a server keeps its place meanwhile.
    """
    query = sa.select(*_ANSWER).where(
        *_answers(model_version, after, upto, since, silent_too=silent_too)
    )
    query = query.order_by(entry_table.c.sequence)
    with connection.execute(query, execution_options=_PARTS) as rows:
        for row in rows:
            yield OnRecord(*row)


def given_in(
    answers: Iterable[OnRecord], model_version: str, followed_by: Task | None = None
) -> Iterator[GivenForecast]:
    """Yield the forecasts among answers, without those that were refused.

    Parameters
    ----------
    followed_by
        Where given, only those by which a person counts for it, with that horizon alone.

    Raises
    ------
    IntegrityError
        One is not what a service writes.
    """
    for each in answers:
        answer = decoded(each, _answer)
        horizons = answer.horizons
        if followed_by is not None:
            days = {horizon.day_after_enrolment for horizon in horizons}
            counts = followed_of(days, followed_by)
            horizons = [h for h in horizons if counts and h.day_after_enrolment == counts.day]
        if horizons and answer.origin_day is not None:
            with _readable(each):
                given = _given(each, answer, answer.origin_day, horizons, model_version)
            yield given


def first_given_to(
    connection: sa.Connection, model_version: str, *, unless_in: str, after: int, upto: int,
    since: str, silent_too: bool,
) -> list[OnRecord]:  # fmt: skip
    """Return the first answer of a version to each person in the entries (after, upto].

    Parameters
    ----------
    unless_in
        An account whose people are left out.
    """
    entry = entry_table.c
    first = (
        sa.select(sa.func.min(entry.sequence))
        .where(
            *_answers(model_version, after, upto, since, silent_too=silent_too),
            ~_is_in(unless_in),
        )
        .group_by(entry.tenant, entry.subject)
        .correlate(None)
    )
    query = sa.select(*_ANSWER).where(entry.sequence.in_(first)).order_by(entry.sequence)
    return [OnRecord(*row) for row in connection.execute(query).all()]


def given_to(
    connection: sa.Connection, model_version: str, *, unless_in: str, after: int, upto: int,
    since: str, silent_too: bool,
) -> dict[Person, list[int]]:  # fmt: skip
    """Return the entries (after, upto] with answers of a version, in their order, by person.

    Parameters
    ----------
    unless_in
        An account whose people are left out.
    """
    entry = entry_table.c
    rows = connection.execute(
        sa.select(entry.tenant, entry.subject, entry.sequence)
        .where(
            *_answers(model_version, after, upto, since, silent_too=silent_too),
            ~_is_in(unless_in),
        )
        .order_by(entry.sequence)
    )
    found: dict[Person, list[int]] = {}
    for tenant, subject, sequence in rows:
        found.setdefault((tenant, subject), []).append(sequence)
    return found


def contents_of(connection: sa.Connection, sequences: Sequence[int]) -> list[OnRecord]:
    """Return what entries hold, in their order."""
    sequence = entry_table.c.sequence
    found = [
        OnRecord(*row)
        for some in at_once(sequences)
        for row in connection.execute(sa.select(*_ANSWER).where(among(connection, sequence, some)))
    ]
    return sorted(found, key=lambda each: each.sequence)


def labels_of(groups: Iterable[Group]) -> dict[str, str]:
    """Return the label of a person by attribute."""
    return {each.attribute: each.group for each in groups}


def output_of(content: str) -> str:
    """Return what was answered, from what an entry holds.

    Raises
    ------
    msgspec.DecodeError
        It holds none.
    """
    return _content.decode(content).output


def decoded(answer: OnRecord, decoder: msgspec.json.Decoder[T]) -> T:
    """Return the part of an answer that a decoder reads.

    Raises
    ------
    IntegrityError
        It is not what a service writes.
    """
    with _readable(answer):
        return decoder.decode(output_of(answer.content))


@contextmanager
def _readable(answer: OnRecord) -> Iterator[None]:
    try:
        yield
    except msgspec.DecodeError as error:
        raise IntegrityError(
            f"the forecast of the record's entry {answer.sequence} cannot be read",
            "run `rehabcast record verify`",
        ) from error


def _answers(
    model_version: str, after: int, upto: int, since: str, *, silent_too: bool
) -> tuple[sa.ColumnElement[bool], ...]:
    entry = entry_table.c
    named = canonical({"model_version": model_version})[1:-1]
    silent = entry.details.contains(canonical({"route": SHADOW})[1:-1], autoescape=True)
    return (
        *(() if silent_too else (~silent,)),
        entry.kind == Kind.FORECAST.value,
        entry.sequence > after,
        entry.sequence <= upto,
        entry.time >= since,
        entry.subject.is_not(None),
        entry.content.is_not(None),
        entry.details.contains(named, autoescape=True),
    )


def _is_in(account: str) -> sa.ColumnElement[bool]:
    """Return the condition that an entry is about somebody who counts in an account already."""
    entry, noted = entry_table.c, followed_table.c
    about = noted.service == account, noted.tenant == entry.tenant, noted.subject == entry.subject
    return sa.select(sa.literal(1)).where(*about).correlate(entry_table).exists()


def length_of(connection: sa.Connection) -> int:
    """Return the number of the record's last entry."""
    return connection.execute(sa.select(sa.func.max(entry_table.c.sequence))).scalar() or 0


def at_once(people: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield people in parts that one query may name."""
    for start in range(0, len(people), PEOPLE_AT_ONCE):
        yield people[start : start + PEOPLE_AT_ONCE]


def _given(
    on_record: OnRecord, answer: _Answer, origin_day: int, horizons: Iterable[_Horizon],
    model_version: str,
) -> GivenForecast:  # fmt: skip
    # Without a date of onset the forecast is of a day no later than that on which it was given.
    given_on = datetime.fromisoformat(on_record.time).date()
    asked = answer.as_of or given_on
    return GivenForecast(
        tenant=on_record.tenant,
        subject=on_record.subject,
        number=number_of(on_record.tenant, on_record.subject, model_version),
        given_on=given_on,
        origin_day=origin_day,
        enrolled_on=asked - timedelta(days=origin_day),
        groups=labels_of(answer.groups),
        was_assessed=answer.last_score is not None,
        horizons=[
            GivenHorizon(
                day=each.day_after_enrolment,
                quantiles=_numbers.decode(each.quantiles),
                chances=_numbers.decode(each.milestones),
                last_observation=each.last_observation,
                proportional_recovery=each.proportional_recovery,
            )
            for each in horizons
        ],
    )
