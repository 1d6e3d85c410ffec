"""Reads what a shadow and the champion forecast for the same question, beside its outcome.

The two are joined here, on the record, before anybody has a number: tables of two versions number
people apart, and the table of pairs numbers them anew, so that no table that leaves the service can
be joined with another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd

from contracts.errors import ContractError
from contracts.predictions import CANDIDATE, CHAMPION, MODEL
from contracts.task import Task
from inference.matching.given import GivenForecast, due_on, followed_horizon
from inference.matching.tables import monitoring_tables
from serving.state.evidence.known import known_outcomes
from serving.state.evidence.numbering import number_of
from serving.state.evidence.reading import (
    Person,
    answers_of,
    given_in,
    length_of,
)
from serving.state.store import Store
from stores.database import reading

Question = tuple[str, str, str]
"""Tenant, subject and time of an answer: a shadow is asked what the champion was asked, then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A version of a pair: its name, what it forecasts, and from when on it counts (UTC)."""

    model_version: str
    task: Task
    since: str = ""


def common_task(champion: Side, shadow: Side) -> Task:
    """Return what both versions forecast alike, as the shadow's task.

    Raises
    ------
    ContractError
        They forecast another score, or not the shadow's primary horizon alike.
    """
    one, other = champion.task, shadow.task
    scale = ("code", "low", "high")
    if any(getattr(one.target, name) != getattr(other.target, name) for name in scale):
        raise ContractError(
            f"{shadow.model_version} forecasts another score than {champion.model_version}",
            "compare versions of one instrument and scale",
        )
    windows = {(each.weeks, each.window_days) for each in one.horizons}
    horizons = tuple(each for each in other.horizons if (each.weeks, each.window_days) in windows)
    if other.primary_horizon_weeks not in {each.weeks for each in horizons}:
        raise ContractError(
            f"{champion.model_version} has no horizon of {other.primary_horizon_weeks} weeks with"
            f" the window of {shadow.model_version}",
            "compare versions whose primary horizon is the same",
        )
    milestones = tuple(each for each in other.milestones if each in one.milestones)
    return other.model_copy(update={"horizons": horizons, "milestones": milestones})


def pairs_until(
    store: Store, champion: Side, shadow: Side, *, grace_days: int, now: date
) -> pd.DataFrame:
    """Return a prediction table of both versions, one row a person of each, as audits read it.

    People are in the order in which they were due.

    A person counts once, by the first question that both answered with a forecast of the primary
    horizon (or of the first one after it), when its outcome is due and came: as where a version is
    followed alone (`serving.state.evidence.counting`).

    Parameters
    ----------
    grace_days
        How long an outcome has to come after its window is over.

    Raises
    ------
    ContractError
        As `common_task`.
    IntegrityError
        A forecast is not what a service writes.
    """
    task = common_task(champion, shadow)
    with reading(store.engine) as connection:
        upto = length_of(connection)

        def of(side: Side) -> Iterator[tuple[Question, GivenForecast]]:
            for each in answers_of(connection, side.model_version, upto=upto, since=side.since):
                for given in given_in([each], side.model_version):
                    yield (each.tenant, each.subject, each.time), given

        # Read first: a question that only one of them answered is no pair.
        beside: dict[Question, GivenForecast] = {}
        for question, given in of(shadow):
            beside.setdefault(question, given)
        first: dict[Person, tuple[GivenForecast, GivenForecast]] = {}
        for question, given in of(champion):
            other = beside.get(question)
            if other is not None and question[:2] not in first and _alike(given, other, task):
                first[question[:2]] = given, other
        known = known_outcomes(connection, first, task)
    name = f"{champion.model_version} beside {shadow.model_version}"
    counted = sorted(
        (
            (due, person, horizon)
            for person, (_, own) in first.items()
            for horizon in [followed_horizon(own, task)]
            if horizon is not None
            for due in [due_on(own, horizon, grace_days)]
            if due <= now
        ),
        key=lambda each: each[0],
    )
    tables = []
    for place, model in ((1, CANDIDATE), (0, CHAMPION)):
        due_of_side = []
        for _, person, horizon in counted:
            given = first[person][place]
            kept = [each for each in given.horizons if each.day == horizon.day]
            number = number_of(*person, name)
            due_of_side.append((replace(given, number=number, horizons=kept), [horizon]))
        rows = monitoring_tables(due_of_side, known, task).predictions
        tables.append(rows[rows[MODEL] == CANDIDATE].assign(**{MODEL: model}))
    return pd.concat(tables, ignore_index=True)


def _alike(given: GivenForecast, other: GivenForecast, task: Task) -> bool:
    """Return whether both forecast, of the same day, the horizon by which a person counts."""
    horizon = followed_horizon(other, task)
    return (
        horizon is not None
        and given.origin_day == other.origin_day
        and any(each.day == horizon.day for each in given.horizons)
    )
