"""Whom a version served until a day, what became of them, and what clinicians said of it.

Each person counts once, by the first forecast, the forecast whose outcome counts and the first
feedback; the groups are those of the first forecast.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa

from contracts.groups import EVERYONE
from inference.matching.given import (
    NOTHING_KNOWN,
    GivenForecast,
    KnownOutcomes,
    Outcome,
    due_on,
    followed_horizon,
    outcome_of,
)
from serving.state.entries import Kind, canonical
from serving.state.evidence.counting import Followed
from serving.state.evidence.known import known_outcomes
from serving.state.evidence.reading import SHADOW, OnRecord, Person, given_in
from serving.state.people.predictions import PREDICTED
from serving.state.store import Store
from serving.state.tables import entry_table
from stores.database import reading

Cell = tuple[str, str, str]
"""What is counted, and of which attribute and label; `EVERYONE` twice for all."""

FORECAST, REFUSED, DUE, REASON = "forecast", "refused", "due", "reason"
ACCEPTED, OVERRIDDEN, UNCLEAR = "accepted", "overridden", "unclear"
SAID = {"accepted": ACCEPTED, "overridden": OVERRIDDEN, "wrong": OVERRIDDEN, "unclear": UNCLEAR}
"""What feedback is counted as."""

CLINICIAN, MODEL, NEITHER = "clinician nearer", "forecast nearer", "equally near"
"""Of a clinician's own prediction and the forecast of the same week, which was nearer."""

INSIDE, OUTSIDE = "in range", "out of range"
LOW, MEDIAN, HIGH = "q10", "q50", "q90"
OTHER_REASON, NO_REASON = "in own words", "none given"


@dataclass(slots=True, kw_only=True)
class _People:
    """What was read of the record, by person."""

    first: dict[Person, GivenForecast] = field(default_factory=dict)
    counted: dict[Person, GivenForecast] = field(default_factory=dict)
    refused: set[Person] = field(default_factory=set)
    feedback: dict[Person, tuple[str, str, GivenForecast | None]] = field(default_factory=dict)
    predicted: dict[Person, tuple[int, float]] = field(default_factory=dict)
    """By a clinician before the forecast: for which week, and what."""


def served_until(
    store: Store, followed: Followed, day: date, *, is_shown: bool, codes: Collection[str]
) -> Mapping[Cell, int]:
    """Return how many people are in each cell, by what was on record before a day.

    Outcomes are as they are on record now.

    Parameters
    ----------
    is_shown
        Whether forecasts were shown to people: those of a shadow then do not count.
    codes
        Of reasons for an override; of what is said in other words nothing is told.
    """
    with reading(store.engine) as connection:
        people = _read(connection, followed, day, is_shown, codes)
        known = known_outcomes(connection, people.first, followed.task)
    cells: Counter[Cell] = Counter()
    for person, given in people.first.items():
        counts = [FORECAST, *_became(people, person, known, followed, day)]
        for attribute, label in {EVERYONE: EVERYONE, **given.groups}.items():
            cells.update((measure, attribute, label) for measure in counts)
    only_refused = people.refused - people.first.keys()
    cells[(REFUSED, EVERYONE, EVERYONE)] = len(only_refused)
    for person, (said, reason, _) in people.feedback.items():
        if said == OVERRIDDEN and person in people.first:
            cells[(REASON, REASON, reason)] += 1
    return cells


def _became(
    people: _People,
    person: Person,
    known: Mapping[Person, KnownOutcomes],
    followed: Followed,
    day: date,
) -> Iterator[str]:
    """Yield what else a person is counted as."""
    if person in people.counted:
        outcome = _due(people.counted[person], known, followed, day)
        if outcome is not None:
            yield DUE
            yield str(outcome.status)
            if outcome.score is not None and person in people.predicted:
                yield from _nearer(people, person, outcome.score, followed)
    if person in people.feedback:
        said, _, about = people.feedback[person]
        yield said
        if about is not None and said != UNCLEAR:
            came = _due(about, known, followed, day)
            if came is not None and came.score is not None:
                yield f"{said}, {_place(about, came.score, followed)}"


def _nearer(people: _People, person: Person, score: float, followed: Followed) -> Iterator[str]:
    """Yield whose prediction of the week that counts was nearer to the score."""
    given, (weeks, own) = people.counted[person], people.predicted[person]
    horizon = followed_horizon(given, followed.task)
    if horizon is not None and horizon.weeks == weeks:
        median = next(e for e in given.horizons if e.day == horizon.day).quantiles[MEDIAN]
        further = abs(own - score) - abs(median - score)
        yield PREDICTED
        yield NEITHER if further == 0 else MODEL if further > 0 else CLINICIAN


def _due(
    given: GivenForecast, known: Mapping[Person, KnownOutcomes], followed: Followed, day: date
) -> Outcome | None:
    """Return what became of a forecast's outcome; None where it is not due before a day."""
    horizon = followed_horizon(given, followed.task)
    if horizon is None or due_on(given, horizon, followed.grace_days) >= day:
        return None
    of_person = known.get((given.tenant, given.subject), NOTHING_KNOWN)
    return outcome_of(of_person, followed.task, horizon, given.origin_day)


def _place(given: GivenForecast, score: float, followed: Followed) -> str:
    horizon = followed_horizon(given, followed.task)
    of_day = next(each for each in given.horizons if horizon and each.day == horizon.day)
    return INSIDE if of_day.quantiles[LOW] <= score <= of_day.quantiles[HIGH] else OUTSIDE


def _read(
    connection: sa.Connection, followed: Followed, day: date, is_shown: bool, codes: Collection[str]
) -> _People:
    """Read the entries of a version before a day, in order."""
    entry, version = entry_table.c, followed.model_version
    named = canonical({"model_version": version})[1:-1]
    before = (
        sa.select(entry_table)
        .where(
            entry.time >= followed.since,
            entry.time < day.isoformat(),
            entry.subject.is_not(None),
            entry.content.is_not(None),
            entry.details.contains(named, autoescape=True),
        )
        .order_by(entry.sequence)
    )
    people, about = _People(), {}
    for row in connection.execute(before.where(entry.kind == Kind.FEEDBACK.value)):
        details, content = json.loads(row.details), json.loads(row.content)
        person = (row.tenant, row.subject)
        if details["outcome"] == PREDICTED:
            if content["code"] == followed.task.target.code:
                people.predicted.setdefault(person, (content["weeks"], content["score"]))
        elif person not in people.feedback:
            code = _code(content["reason"], codes)
            people.feedback[person] = (SAID[details["outcome"]], code, None)
            about[details["about"]] = person
    forecasts = before.where(entry.kind == Kind.FORECAST.value)
    for row in connection.execute(forecasts, execution_options={"yield_per": 1000}):
        if is_shown and json.loads(row.details).get("route") == SHADOW:
            continue
        person = (row.tenant, row.subject)
        answer = OnRecord(row.sequence, row.time, row.tenant, row.subject, row.content)
        given = next(given_in([answer], version), None)
        if given is None:
            people.refused.add(person)
            continue
        people.first.setdefault(person, given)
        if followed_horizon(given, followed.task) is not None:
            people.counted.setdefault(person, given)
        if row.id in about:
            said, code, _ = people.feedback[about[row.id]]
            people.feedback[about[row.id]] = (said, code, given)
    return people


def _code(reason: str, codes: Collection[str]) -> str:
    """Return the code that a reason begins with: of the words that follow nothing is told."""
    code = reason.partition(" ")[0]
    if code in codes:
        return code
    return OTHER_REASON if reason else NO_REASON
