"""Monitoring tables: forecasts that were given beside their outcomes, as audits read them.

Letters: B forecasts, H horizons of the task, N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts import predictions as columns
from contracts.groups import group_column
from contracts.task import Horizon, Task
from contracts.vocabulary import NOT_RECORDED
from inference.matching.given import (
    NOTHING_KNOWN,
    GivenForecast,
    GivenHorizon,
    KnownOutcomes,
    outcome_of,
)
from inference.milestones import reached

LAST_OBSERVATION, PROPORTIONAL_RECOVERY = "last observation", "proportional recovery"
"""Comparators whose forecasts are on record beside the model's own."""

Due = tuple[GivenForecast, Sequence[Horizon]]
"""A forecast, with those of its horizons that are due."""

Columns = dict[str, NDArray[Any]]
"""Columns of a table by name, (N,) each; of groups the labels."""

_PointOf = Callable[[GivenHorizon], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringTables:
    """Both tables of `contracts.predictions`, of forecasts that were given in service.

    Parameters
    ----------
    predictions
        Candidate and comparators, one row for each outcome that was observed. A comparator is a
        point: all its quantiles are the same.
    follow_up
        One row for each outcome that was due.
    """

    predictions: pd.DataFrame
    follow_up: pd.DataFrame


def monitoring_tables(
    due: Sequence[Due], known: Mapping[tuple[str, str], KnownOutcomes], task: Task
) -> MonitoringTables:
    """Match forecasts with outcomes.

    Of several forecasts of a person from one day the first counts, so that no row repeats another.

    Parameters
    ----------
    known
        What is on record, by tenant and subject.
    """
    due = _first_of_each_day(due)
    place = {horizon.day: h for h, horizon in enumerate(task.horizons)}
    truth_BH = np.full((len(due), len(task.horizons)), np.nan, dtype=np.float32)
    status_BH = np.full(truth_BH.shape, None, dtype=object)
    for b, (forecast, horizons) in enumerate(due):
        of_person = known.get((forecast.tenant, forecast.subject), NOTHING_KNOWN)
        for horizon in horizons:
            outcome = outcome_of(of_person, task, horizon, forecast.origin_day)
            status_BH[b, place[horizon.day]] = outcome.status
            if outcome.score is not None:
                truth_BH[b, place[horizon.day]] = outcome.score
    row_N, horizon_N = np.nonzero(status_BH != None)  # noqa: E711  (elementwise)
    became: Columns = {
        columns.STATUS: status_BH[row_N, horizon_N],
        columns.TRACING_CHANCE: np.full(len(row_N), np.nan),
        columns.DRAWN: np.zeros(len(row_N), dtype=np.bool_),
        columns.EARLY_ERROR: np.full(len(row_N), np.nan),
    }
    follow_up = _table({**_keys(due, row_N, horizon_N, task), **became}, task)
    observed_N = ~np.isnan(truth_BH[row_N, horizon_N])
    return MonitoringTables(
        predictions=_predictions(
            due, known, row_N[observed_N], horizon_N[observed_N], truth_BH, task
        ),
        follow_up=follow_up,
    )


def _first_of_each_day(due: Sequence[Due]) -> list[Due]:
    first: dict[tuple[int, int], Due] = {}
    for forecast, horizons in due:
        first.setdefault((forecast.number, forecast.origin_day), (forecast, horizons))
    return list(first.values())


def _keys(
    due: Sequence[Due], row_N: NDArray[np.int64], horizon_N: NDArray[np.int64], task: Task
) -> Columns:
    forecasts = [forecast for forecast, _ in due]
    days_H = np.array([horizon.day for horizon in task.horizons], dtype=np.int64)
    keys: Columns = {
        columns.SUBJECT: np.array([f.number for f in forecasts], dtype=np.int64)[row_N],
        columns.ORIGIN: np.array([f.origin_day for f in forecasts], dtype=np.int64)[row_N],
        columns.HORIZON: days_H[horizon_N],
    }
    for attribute in task.sensitive:
        label_B = np.array([f.groups.get(attribute.name, NOT_RECORDED) for f in forecasts], object)
        keys[columns.GROUP + attribute.name] = label_B[row_N]
    return keys


def _table(of_N: Columns, task: Task) -> pd.DataFrame:
    """Return columns as a table; pandas takes longest where it is given them one after another."""
    of_groups = {
        columns.GROUP + attribute.name: group_column(
            attribute, of_N[columns.GROUP + attribute.name]
        )
        for attribute in task.sensitive
    }
    table = pd.DataFrame({**of_N, **of_groups})
    if len(table):
        return table
    # An empty array of labels does not say that they are text.
    texts = {columns.MODEL, *(name for name, of in of_groups.items() if of.dtype == object)}
    return table.astype({name: "str" for name in table if name in texts})


def _predictions(
    due: Sequence[Due],
    known: Mapping[tuple[str, str], KnownOutcomes],
    row_N: NDArray[np.int64],
    horizon_N: NDArray[np.int64],
    truth_BH: NDArray[np.float32],
    task: Task,
) -> pd.DataFrame:
    keys = _keys(due, row_N, horizon_N, task)
    given = [{each.day: each for each in forecast.horizons} for forecast, _ in due]
    days = [horizon.day for horizon in task.horizons]
    of_N = [given[b][days[h]] for b, h in zip(row_N.tolist(), horizon_N.tolist(), strict=True)]
    enrolled_B = np.array(
        [known.get((f.tenant, f.subject), NOTHING_KNOWN).enrolment_day or 0 for f, _ in due],
        dtype=np.float64,
    )
    last_B = np.array([f.horizons[0].last_observation for f, _ in due], dtype=np.float32)
    assessed_B = np.array([f.was_assessed for f, _ in due], dtype=np.bool_)
    own: Columns = {
        **keys,
        columns.MODEL: np.full(len(row_N), columns.CANDIDATE, dtype=object),
        columns.DAYS_SINCE_ONSET: enrolled_B[row_N] + keys[columns.ORIGIN],
        columns.LAST_SCORE: last_B[row_N].astype(np.float64),
        columns.TRUTH: truth_BH[row_N, horizon_N].astype(np.float64),
        **{
            name: np.array([each.quantiles[name] for each in of_N], dtype=np.float64)
            for name in columns.QUANTILE_COLUMNS
        },
        **{
            columns.CHANCE + m.name: np.array([e.chances[m.name] for e in of_N], np.float64)
            for m in task.milestones
        },
        **{
            columns.REACHED + name: was_BH[row_N, horizon_N]
            for name, was_BH in reached(truth_BH, last_B, task, assessed_B=assessed_B).items()
        },
    }
    points = {
        LAST_OBSERVATION: _points(given, days, lambda each: each.last_observation),
        PROPORTIONAL_RECOVERY: _points(given, days, lambda each: each.proportional_recovery),
    }
    models = [own] + [
        _comparator(
            own,
            name,
            point_BH,
            row_N,
            horizon_N,
            reached(point_BH, last_B, task, assessed_B=assessed_B),
        )
        for name, point_BH in points.items()
        if len(row_N) and not np.isnan(point_BH[row_N, horizon_N]).any()
    ]
    of_all = {name: np.concatenate([of[name] for of in models]) for name in own}
    return _table(of_all, task)


def _points(
    given: Sequence[Mapping[int, GivenHorizon]], days: Sequence[int], point_of: _PointOf
) -> NDArray[np.float32]:
    """Return a comparator's forecasts, (B, H); NaN where there is none."""
    missing = np.nan
    return np.array(
        [
            [missing if day not in of or (p := point_of(of[day])) is None else p for day in days]
            for of in given
        ],
        dtype=np.float32,
    ).reshape(len(given), len(days))


def _comparator(
    own: Columns,
    name: str,
    point_BH: NDArray[np.float32],
    row_N: NDArray[np.int64],
    horizon_N: NDArray[np.int64],
    reached_by_point: Mapping[str, NDArray[np.bool_]],
) -> Columns:
    point_N = point_BH[row_N, horizon_N].astype(np.float64)
    return {
        **own,
        columns.MODEL: np.full(len(row_N), name, dtype=object),
        **dict.fromkeys(columns.QUANTILE_COLUMNS, point_N),
        **{
            columns.CHANCE + milestone: by_BH[row_N, horizon_N].astype(np.float64)
            for milestone, by_BH in reached_by_point.items()
        },
    }
