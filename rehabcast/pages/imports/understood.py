"""What a table and its map say, patient by patient, beside what is on record of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import (
    ForecastRefused,
    Problem,
    RehabcastError,
    ServiceUnavailable,
    grouped,
)
from contracts.observation import Observation
from features.measurements.records import PLACE, SUBJECT_LABEL
from serving.http.decoding import RequestInvalid
from serving.pages.page import Visit
from serving.schemas import ObservationsRequest, SubjectId
from serving.state.store import NotOnRecord

MOST_VALUES = 4_000
"""That a page shows: what nobody could look through is not put on record by a page."""

NO_ONSET = RequestInvalid(
    "the file does not say when the onset was, so that no day can be counted from it",
    "add a column with the date of onset, or days since the onset instead of dates",
)
NO_PSEUDONYM = RequestInvalid(
    "this is no pseudonym", "use up to 64 letters, digits, - and _, and no name"
)
TOO_LONG_AGO = RequestInvalid(
    "the onset is longer ago than a record can hold", "correct the date of onset"
)


class State(StrEnum):
    """How a value stands beside the record."""

    NEW = "new"
    KNOWN = "known"
    OTHER = "other"
    """Another value is on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of a file.

    Parameters
    ----------
    observation
        As it would go on record.
    row
        Of the file; empty where it is made of several.
    state, on_record
        How it stands beside the record, and what is there where that is another value.
    """

    observation: Observation
    row: str
    state: State
    on_record: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What a file says of one patient.

    Parameters
    ----------
    label
        As the file has it.
    request
        What would be put on record; None where nothing can be.
    refusal
        Why not.
    """

    label: str
    values: Sequence[Value]
    request: ObservationsRequest | None = None
    refusal: RehabcastError | None = None

    @property
    def new(self) -> int:
        """How many values would be added."""
        return sum(value.state is State.NEW for value in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """What a file says, and what of it was left out."""

    people: Sequence[Person]
    left_out: Sequence[Problem]


READS_TABLES = "duckdb"
"""What an import rests on; the service's own image does without (deploy/runtime.lock)."""


def require_reader() -> None:
    """Refuse where what reads tables is not installed.

    Raises
    ------
    ServiceUnavailable
        It is not.
    """
    if importlib.util.find_spec(READS_TABLES) is None:
        raise ServiceUnavailable(
            "this service is installed without what reads tables",
            "ask whoever runs it to install everything, or send values from your record system",
        )


def understood(column_map: Path, folder: Path, visit: Visit) -> Understood:
    """Read a table through its map, as an import does, and compare it with the record.

    Parameters
    ----------
    folder
        An empty one, for what is read.

    Raises
    ------
    RehabcastError
        The map leaves something open, or the table cannot be read by it.
    """
    # Not before somebody sends a table: a service otherwise needs none of it.
    from features.importing.assemble import assemble
    from features.importing.gather import gather_tables
    from features.sources import tables
    from features.sources.mapped_columns import DAYS

    gathered = gather_tables(tables.collect_tables(column_map), tables.NAME)
    records = gathered.collected.records
    stated = pd.concat(records, ignore_index=True) if records else pd.DataFrame()
    events, ids, _ = assemble(gathered.collected, gathered.people, gathered.import_map, folder)
    if len(events) > MOST_VALUES:
        raise RequestInvalid(
            "the file has more values than anybody can look through on a page",
            "send it in parts, or let your record system send them (docs/service.md)",
        )
    if not len(stated):
        return Understood(people=(), left_out=grouped(gathered.collected.dropped))
    is_dated = gathered.rules.clock != DAYS
    people = [
        _person(label, rows, stated[stated[SUBJECT_LABEL] == label], is_dated, visit)
        for label, number in ids.items()
        if len(rows := events[events[SUBJECT] == number])
    ]
    # Of somebody of whom nothing is left, the problems say why.
    return Understood(
        people=[person for person in people if person.values],
        left_out=grouped(gathered.collected.dropped),
    )


def _person(
    label: str, events: pd.DataFrame, stated: pd.DataFrame, is_dated: bool, visit: Visit
) -> Person:
    days = dict(zip(events[CODE].astype(str), events[TIME].dt.normalize(), strict=True))
    codes = set(stated[CODE])
    onset, is_enrolled = days[ONSET], ENROLMENT in codes
    places = _places(stated)
    found = [
        (_observation(code, time, value, text, onset), places.get((code, _day(time)), ""))
        for code, time, value, text in zip(
            events[CODE].astype(str), events[TIME], events[NUMBER], events[TEXT], strict=True
        )
        if code not in {ONSET, ENROLMENT}
    ]
    try:
        subject = _pseudonym(label)
        if is_dated and ONSET not in codes:
            raise NO_ONSET
        today = (visit.now.date() - onset.date()).days if is_dated else None
        enrolled = (days[ENROLMENT] - onset).days if is_enrolled else None
        request = _request(subject, enrolled, [o for o, _ in found], today)
        on_record = _on_record(visit, subject)
    except RehabcastError as error:
        values = [Value(observation=o, row=row, state=State.NEW) for o, row in found]
        return Person(label=label, values=values, refusal=error)
    values = [_beside(o, row, on_record) for o, row in found]
    refusal = _why_not(values, on_record, enrolled)
    return Person(label=label, values=values, request=request, refusal=refusal)


def _observation(code: str, time: Any, value: float, text: Any, onset: Any) -> Observation:
    day = None if pd.isna(time) else (time.normalize() - onset).days
    return Observation(
        code=code, day_since_onset=day, value=None if pd.isna(value) else float(value),
        label=text if isinstance(text, str) else None,
    )  # fmt: skip


def _places(stated: pd.DataFrame) -> dict[tuple[str, date | None], str]:
    """Return the row of each value in the file; a value of several rows has none."""
    rows: dict[tuple[str, date | None], set[str]] = {}
    for code, time, place in zip(stated[CODE], stated[TIME], stated[PLACE], strict=True):
        rows.setdefault((str(code), _day(time)), set()).add(str(place))
    return {key: next(iter(found)) for key, found in rows.items() if len(found) == 1}


def _day(time: Any) -> date | None:
    return None if pd.isna(time) else time.date()


def _pseudonym(label: str) -> str:
    try:
        return msgspec.convert(label, SubjectId)
    except msgspec.ValidationError:
        raise NO_PSEUDONYM from None


def _request(
    subject: str, enrolled: int | None, observations: list[Observation], today: int | None
) -> ObservationsRequest:
    try:
        return msgspec.convert(
            {"subject": subject, "enrolment_day": enrolled, "today": today,
             "observations": msgspec.to_builtins(observations)},
            ObservationsRequest,
        )  # fmt: skip
    except msgspec.ValidationError:
        raise TOO_LONG_AGO from None


Recorded = Mapping[tuple[str, int | None], tuple[float | None, str | None]]


def _on_record(visit: Visit, subject: str) -> Recorded | None:
    """Return what is on record of a patient; None for a new one."""
    tenant = visit.caller.tenant
    visit.runtime.consents.require(tenant, subject)
    try:
        _, observations = visit.runtime.store.record(tenant, subject)
    except NotOnRecord:
        return None
    return {(o.code, o.day_since_onset): (o.value, o.label) for o in observations}


def _beside(observation: Observation, row: str, on_record: Recorded | None) -> Value:
    there = (on_record or {}).get((observation.code, observation.day_since_onset))
    if there is None:
        return Value(observation=observation, row=row, state=State.NEW)
    if there == (observation.value, observation.label):
        return Value(observation=observation, row=row, state=State.KNOWN)
    shown = there[1] if there[0] is None else f"{there[0]:g}"
    return Value(observation=observation, row=row, state=State.OTHER, on_record=shown or "")


def _why_not(
    values: Sequence[Value], on_record: Recorded | None, enrolled: int | None
) -> RehabcastError | None:
    if on_record is None and enrolled is None:
        return ForecastRefused(
            "the patient is new, and the file does not say when rehabilitation began",
            "add a column with the date or day of admission",
        )
    if any(value.state is State.OTHER for value in values):
        return ForecastRefused(
            "another value is on record, so nothing of this patient is added",
            "correct the file, or the record on the patient's page",
        )
    return None
