"""Which pushed points may be kept: each point whole, or not at all and why."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd

from contracts.cohort import CODE, TIME
from contracts.errors import Problem
from contracts.vocabulary import Kind, vocabulary
from features.measurements.days import within_a_day
from features.measurements.plausible import plausible_dates, plausible_values
from features.measurements.records import (
    AMOUNT,
    BEATS,
    END,
    FILE,
    PLACE,
    RECORD_COLUMNS,
    RECORD_ID,
    SUBJECT_LABEL,
    UPDATED,
    Amount,
)
from features.measurements.wall_clock import read_times
from serving.formats.pushed.reading import Read
from serving.pushed import KEPT_DAYS, Point, PointAnswer
from serving.schemas import CLOCKS

OFFSET = "write times with the wearer's offset, or name the wearer's time_zone with the request"
TO_OBSERVATIONS = "send scores and facts to /v1/observations: a gateway puts measurements on record"
UTC = "the wearer's time zone is not known: its day would be one in UTC"
NO_ZONE = "a time of day without a zone"
IF_SHIFTED = "push the true times: a record of shifted ones is no running record"
A_DATE = "2026-01-01"
KEPT = tuple(name for name in RECORD_COLUMNS if name not in {SUBJECT_LABEL, FILE, PLACE})
"""What of a record is kept: its place is that of one request only."""

Fault = tuple[str, str, str]
"""What of a point is wrong, how, and what to do."""


def judged(read: Read, subject: str, zone: str, now: datetime) -> list[Point | PointAnswer]:
    """Return each point in its order: as it can be kept, or what became of it instead."""
    faults: dict[str, Fault] = {}
    for place, fault in _faults(read, subject, zone, now):
        faults.setdefault(place, fault)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in read.records.to_dict("records"):
        if record[AMOUNT] != Amount.WITHDRAWN or record[PLACE] in read.withdraw:
            rows[record[PLACE]].append(_row(record))
    answers: list[Point | PointAnswer] = []
    for index, place in enumerate(read.places):
        if place in read.not_used:
            answers.append(_answer(index, "not used", ("", "it is no Observation", "")))
        elif place in faults and place not in read.withdraw:
            answers.append(_answer(index, "refused", faults[place]))
        elif place not in rows:
            answers.append(_answer(index, "refused", _unknown(place in read.withdraw)))
        else:
            answers.append(_point(index, rows[place]))
    return answers


def _faults(read: Read, subject: str, zone: str, now: datetime) -> Iterator[tuple[str, Fault]]:
    """Yield what is wrong with points, the first reason of each first."""
    records = read.records
    for place in records.loc[records[SUBJECT_LABEL] != subject, PLACE]:
        found = "it is about somebody else than the address says"
        yield place, ("subject", found, "send each person's points to the person's own address")
    for problem in read.problems:
        if problem.needs_action or problem.field != "time":
            yield problem.places[0], _fault(problem)
    kinds = {code: entry.kind for code, entry in vocabulary().items()}
    dated = records[records[AMOUNT] != str(Amount.WITHDRAWN)]
    for place, code in dated[[PLACE, CODE]].itertuples(index=False, name=None):
        if code == BEATS:
            yield place, (code, "single beats are not kept", "import the recording")
        elif kinds.get(code) is not Kind.DAILY:
            yield place, (code, "it is not what a wearable measures day by day", TO_OBSERVATIONS)
    yield from _faulty_times(read, zone, now)
    today = pd.Timestamp(now).tz_localize(None).normalize()
    for place in dated.loc[dated[TIME] < today - timedelta(days=KEPT_DAYS), PLACE]:
        found = f"it is older than {KEPT_DAYS} days, and the points of its day are not kept"
        yield place, ("time", found, "send the value of the whole day to /v1/observations")
    dates = partial(plausible_dates, if_shifted=IF_SHIFTED)
    for check in (dates, plausible_values, within_a_day):
        left, problems = check(dated)
        for problem in problems:
            yield problem.places[0], _fault(problem)
        dated = left


def _faulty_times(read: Read, zone: str, now: datetime) -> Iterator[tuple[str, Fault]]:
    if not read.times:
        return
    times = read_times(pd.Series([at for _, at in read.times], dtype=object), zone=zone)
    latest = np.datetime64((now + CLOCKS).replace(tzinfo=None), "ns")
    late_N = times.time_N - times.offset_N > latest
    for n, (place, at) in enumerate(read.times):
        if times.in_utc_N[n]:
            yield place, ("time", UTC, OFFSET)
        elif late_N[n]:
            yield place, ("time", "it lies in the future", "check the clock of the device")
        elif (
            not np.isnat(times.time_N[n]) and np.isnat(times.offset_N[n]) and len(at) > len(A_DATE)
        ):
            yield place, ("time", NO_ZONE, OFFSET)


def _fault(problem: Problem) -> Fault:
    return problem.field, problem.found, problem.advice


def _unknown(withdraws: bool) -> Fault:
    if withdraws:
        return "id", "it withdraws a measurement and does not say which", "send it with its id"
    return (
        "schema", "no forecast uses a point of this schema or code",
        "send steps, heart rate, sleep, or an Observation with a code of the vocabulary",
    )  # fmt: skip


def _answer(index: int, status: Any, fault: Fault) -> PointAnswer:
    field, reason, what_to_do = fault
    return PointAnswer(
        index=index, status=status, field=field, reason=reason, what_to_do=what_to_do
    )


def _point(index: int, rows: list[dict[str, Any]]) -> Point:
    rows = sorted(rows, key=_canonical)
    dates = sorted(row[name][: len(A_DATE)] for row in rows for name in (TIME, END) if name in row)
    identity = next((row[RECORD_ID] for row in rows if row[RECORD_ID]), "")
    return Point(
        index=index,
        digest=sha256(_canonical(rows).encode()).hexdigest(),
        statement=sha256(identity.encode()).hexdigest() if identity else "",
        first_date=dates[0] if dates else "",
        last_date=dates[-1] if dates else "",
        rows=rows,
    )


def _row(record: dict[Any, Any]) -> dict[str, Any]:
    """Return what a record says, as JSON has it; not where it stood."""
    row = {name: record[name] for name in KEPT if not pd.isna(record[name])}
    return row | {name: row[name].isoformat() for name in (TIME, END, UPDATED) if name in row}


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
