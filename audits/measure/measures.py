"""What is measured: each metric as a function of sums over rows, so that it can be bootstrapped.

Letters: N rows of a table, M measures, K sums, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.measure.definitions import DEFINITIONS, Definition, Rows, Yardsticks
from contracts.errors import ContractError
from contracts.predictions import CHANCE, HORIZON, REACHED, REFUSED


class Metric(StrEnum):
    """A metric of the policy; `audits.measure.definitions` says how each is computed."""

    ERROR = "mean absolute error"
    SIGNED = "signed error"
    WITHIN = "within the important difference"
    CRPS = "CRPS"
    COVERAGE = "coverage of the 80 % interval"
    WIDTH = "width of the 80 % interval"
    INTERCEPT = "calibration intercept"
    SLOPE = "calibration slope"
    BRIER = "Brier score"
    AUROC = "AUROC"
    MISSED = "false-negative rate"
    ALARM = "false-positive rate"
    PRECISION = "positive predictive value"
    SELECTION = "selection rate"
    BENEFIT = "net benefit"
    REFUSALS = "refusal rate"
    DELAY = "days from onset to forecast"
    LOST = "outcomes not observed"
    WEAR = "hours of wear"
    UNOBSERVED = "days without device data"
    GAP = "explanation gap"
    INSTABILITY = "explanation instability"

    @property
    def definition(self) -> Definition:
        """How it is computed, of whom, and in which unit."""
        return DEFINITIONS[self.value]

    @property
    def of_milestone(self) -> bool:
        """True where it is taken of one milestone."""
        return self.definition.of_milestone


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A metric; of one milestone where it is of milestones; at one horizon, or over all (None)."""

    metric: Metric
    milestone: str | None = None
    horizon_day: int | None = None

    @property
    def name(self) -> str:
        """Name in findings, such as `false-negative rate: important gain`."""
        return self.metric.value if self.milestone is None else f"{self.metric}: {self.milestone}"


def milestones(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the milestones that a table has chances for."""
    return tuple(name.removeprefix(CHANCE) for name in table.columns if name.startswith(CHANCE))


def horizons(table: pd.DataFrame) -> tuple[int, ...]:
    """Return the horizons of a table in rising order, days after enrolment."""
    return tuple(int(day) for day in np.unique(table[HORIZON].to_numpy()))


def measures(
    table: pd.DataFrame, metric: Metric, horizon_days: Iterable[int | None] = (None,)
) -> tuple[Measure, ...]:
    """Return the measures of a metric that a table has the columns for.

    One per horizon asked for (None is over all of them), and per milestone where it is of those.
    """
    needed = metric.definition.needs
    if not set(needed) <= set(table.columns):
        return ()
    named: tuple[str | None, ...] = milestones(table) if metric.of_milestone else (None,)
    return tuple(
        Measure(metric=metric, milestone=milestone, horizon_day=day)
        for day in horizon_days
        for milestone in named
    )


def addends(table: pd.DataFrame, measure: Measure, yardsticks: Yardsticks) -> NDArray[np.float64]:
    """Return what each row adds to the sums of a measure, (N, K).

    A row of another horizon adds nothing, nor does a refused one (but to the refusal rate).

    Raises
    ------
    ContractError
        A forecast or a truth is missing. It must stop the audit: skipped, a group that is forecast
        nothing would show no error at all.
    """
    definition = measure.metric.definition
    counted_N = np.ones(len(table), dtype=np.bool_)
    if measure.horizon_day is not None:
        counted_N &= table[HORIZON].to_numpy() == measure.horizon_day
    if definition.of_forecasts and REFUSED in table.columns:
        counted_N &= ~table[REFUSED].to_numpy(dtype=np.bool_)
    # A copy of a million rows for each measure would be most of the memory of an audit.
    kept = table if counted_N.all() else table[counted_N]
    rows = Rows(table=kept, milestone=measure.milestone, yardsticks=yardsticks)
    told = definition.addends(rows)
    for name in rows.used:
        _finite(name, rows.column(name))
    added_NK = np.zeros((len(table), len(told)))
    added_NK[counted_N] = np.stack(told, axis=1)
    return added_NK


def ranked(
    table: pd.DataFrame, measure: Measure
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return chance, whether it came true, and whether the row counts, (N,) each, for an AUROC."""
    counted_N = addends(table, measure, Yardsticks())[:, 0] > 0
    chance_N = table[CHANCE + str(measure.milestone)].to_numpy(dtype=np.float64)
    reached_N = table[REACHED + str(measure.milestone)].to_numpy(dtype=np.bool_)
    return chance_N, reached_N, counted_N


def _finite(name: str, values_N: NDArray[np.float64]) -> None:
    if not np.isfinite(values_N).all():
        missing = int((~np.isfinite(values_N)).sum())
        raise ContractError(f"{name}: {missing} row(s) are not finite numbers; none are skipped")
