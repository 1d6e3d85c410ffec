"""Metrics, each a function of sums over rows, so that it can be bootstrapped.

Letters: N rows of a table, M measures, K sums, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.measure.metric_definitions import DEFINITIONS, Definition, MetricThresholds, Rows, Unit
from contracts.errors import ContractError
from contracts.predictions import CHANCE, HORIZON, REACHED, REFUSED


class Metric(StrEnum):
    """A metric; `audits.measure.metric_definitions` says how each is computed."""

    MEAN_ABSOLUTE_ERROR = "mean absolute error"
    SIGNED_ERROR = "signed error"
    WITHIN_IMPORTANT_DIFFERENCE = "within the important difference"
    CRPS = "CRPS"
    COVERAGE = "coverage of the 80 % interval"
    WIDTH = "width of the 80 % interval"
    CALIBRATION_INTERCEPT = "calibration intercept"
    CALIBRATION_SLOPE = "calibration slope"
    BRIER_SCORE = "Brier score"
    CALIBRATION_IN_THE_LARGE = "calibration in the large"
    OBSERVED_TO_EXPECTED = "observed to expected"
    AUROC = "AUROC"
    FALSE_NEGATIVE_RATE = "false-negative rate"
    FALSE_POSITIVE_RATE = "false-positive rate"
    POSITIVE_PREDICTIVE_VALUE = "positive predictive value"
    SELECTION_RATE = "selection rate"
    NET_BENEFIT = "net benefit"
    REFUSAL_RATE = "refusal rate"
    DAYS_SINCE_ONSET = "days from onset to forecast"
    UNOBSERVED_OUTCOMES = "outcomes not observed"
    WEAR_HOURS = "hours of wear"
    DAYS_WITHOUT_DATA = "days without device data"
    EXPLANATION_GAP = "explanation gap"
    EXPLANATION_INSTABILITY = "explanation instability"

    @property
    def definition(self) -> Definition:
        """How it is computed, over which rows, and in which unit."""
        return DEFINITIONS[self.value]

    @property
    def of_milestone(self) -> bool:
        """True where it is computed for one milestone."""
        return self.definition.of_milestone


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A metric, for one milestone where it needs one, at one horizon or over all of them (None)."""

    metric: Metric
    milestone: str | None = None
    horizon_day: int | None = None

    @property
    def name(self) -> str:
        """Name in findings, such as `false-negative rate: important gain`."""
        return self.metric.value if self.milestone is None else f"{self.metric}: {self.milestone}"


def ends_of(metric: Metric) -> tuple[float, float] | None:
    """Return the lowest and highest number of one person by a metric; None where there are none."""
    if metric.definition.unit is Unit.SHARE or metric is Metric.BRIER_SCORE:
        return 0.0, 1.0
    return (-1.0, 1.0) if metric is Metric.CALIBRATION_IN_THE_LARGE else None


def range_of(metric: Metric, *, points: float, limit: float = 0.0) -> float | None:
    """Return R: how large a difference of one person can be, or is let to be.

    Parameters
    ----------
    points
        Differences of score points count up to this many beyond the limit.
    """
    if metric.definition.unit is Unit.POINTS:
        return limit + points
    ends = ends_of(metric)
    return None if ends is None else ends[1] - ends[0]


def milestones(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the milestones that a table has chances for."""
    return tuple(name.removeprefix(CHANCE) for name in table.columns if name.startswith(CHANCE))


def horizons(table: pd.DataFrame) -> tuple[int, ...]:
    """Return the horizons of a table in rising order, days after enrolment."""
    return tuple(int(day) for day in np.unique(table[HORIZON].to_numpy()))


def available_measures(
    table: pd.DataFrame, metric: Metric, horizon_days: Iterable[int | None] = (None,)
) -> tuple[Measure, ...]:
    """Return the measures of a metric that a table has the columns for.

    One per given horizon (None is over all of them), and per milestone where the metric needs one.
    """
    needed = metric.definition.needs
    if not set(needed) <= set(table.columns):
        return ()
    of_milestones: tuple[str | None, ...] = milestones(table) if metric.of_milestone else (None,)
    return tuple(
        Measure(metric=metric, milestone=milestone, horizon_day=day)
        for day in horizon_days
        for milestone in of_milestones
    )


def addends(
    table: pd.DataFrame, measure: Measure, thresholds: MetricThresholds
) -> NDArray[np.float64]:
    """Return what each row adds to the sums of a measure, (N, K).

    A row of another horizon adds nothing, nor does a refused one (except to the refusal rate).

    Raises
    ------
    ContractError
        A forecast or a truth is missing. This must stop the audit: if such rows were skipped, a
        group without forecasts would show no error at all.
    """
    definition = measure.metric.definition
    counted_N = np.ones(len(table), dtype=np.bool_)
    if measure.horizon_day is not None:
        counted_N &= table[HORIZON].to_numpy() == measure.horizon_day
    if definition.of_forecasts and REFUSED in table.columns:
        counted_N &= ~table[REFUSED].to_numpy(dtype=np.bool_)
    # Of what is read alone: copies of all columns would be most of an audit's memory.
    rows = Rows(
        table=table, counted_N=counted_N, milestone=measure.milestone, thresholds=thresholds
    )
    columns = definition.addends(rows)
    for name, values_N in rows.used.items():
        _require_finite(name, values_N)
    addends_NK = np.zeros((len(table), len(columns)))
    addends_NK[counted_N] = np.stack(columns, axis=1)
    return addends_NK


def counted_column(metric: Metric) -> int:
    """Return which of a metric's addends says how much a row counts."""
    return 0 if metric in COUNTED_FIRST else -1


COUNTED_FIRST = {
    Metric.AUROC, Metric.CALIBRATION_INTERCEPT, Metric.CALIBRATION_SLOPE,
    Metric.OBSERVED_TO_EXPECTED,
}  # fmt: skip
"""Metrics whose first addend, not the last, says how much a row counts."""


def auroc_inputs(
    table: pd.DataFrame, measure: Measure
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return chance, whether the milestone was reached, and whether the row counts, (N,) each."""
    counted_N = addends(table, measure, MetricThresholds())[:, 0] > 0
    chance_N = table[CHANCE + str(measure.milestone)].to_numpy(dtype=np.float64)
    reached_N = table[REACHED + str(measure.milestone)].to_numpy(dtype=np.bool_)
    return chance_N, reached_N, counted_N


def _require_finite(name: str, values_N: NDArray[np.float64]) -> None:
    if not np.isfinite(values_N).all():
        missing = int((~np.isfinite(values_N)).sum())
        raise ContractError(
            f"{name}: {missing} row(s) are not finite numbers, and none may be skipped",
            "make the prediction table again; a refused forecast is marked in the column `refused`",
        )
