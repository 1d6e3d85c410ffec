"""How each metric is computed: what each row adds to its sums, and the metric from the sums.

The terms are fairlearn's and scikit-learn's where they have one. Letters: N rows, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.forecast import QUANTILE_LEVELS
from contracts.predictions import (
    CHANCE,
    DAYS_SINCE_ONSET,
    EXPLANATION_GAP,
    EXPLANATION_INSTABILITY,
    HORIZON,
    ORIGIN,
    QUANTILE_COLUMNS,
    REACHED,
    REFUSED,
    SUBJECT,
    TRUTH,
    UNOBSERVED_SHARE,
    WEAR_HOURS,
)

Array = NDArray[np.float64]
MEDIAN, LOW, HIGH = "q50", "q10", "q90"


class Unit(StrEnum):
    """What a metric's number counts."""

    POINTS = "points"
    SHARE = "share"
    NUMBER = "number"
    DAYS = "days"
    HOURS = "hours"


class Better(StrEnum):
    """Which values of a metric are better; `NEITHER` where it only describes."""

    LOWER = "lower"
    HIGHER = "higher"
    ZERO = "nearer to 0"
    ONE = "nearer to 1"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricThresholds:
    """Thresholds of the policy that metrics use.

    Parameters
    ----------
    important_difference
        Score points up to which a forecast counts as close.
    decision_threshold
        Chance from which a milestone counts as forecast.
    """

    important_difference: float = 4.25
    decision_threshold: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a table that count; `used` keeps the columns that were read."""

    table: pd.DataFrame
    counted_N: NDArray[np.bool_]
    milestone: str | None
    thresholds: MetricThresholds
    used: dict[str, Array] = field(default_factory=dict)

    def column(self, name: str) -> Array:
        """Return a column as numbers, (N,)."""
        if name not in self.used:
            self.used[name] = self.table[name].to_numpy(dtype=np.float64)[self.counted_N]
        return self.used[name]

    @property
    def error_N(self) -> Array:
        """Median minus truth."""
        return self.column(MEDIAN) - self.column(TRUTH)

    @property
    def chance_N(self) -> Array:
        """Chance of the milestone."""
        return self.column(f"{CHANCE}{self.milestone}")

    @property
    def reached_N(self) -> Array:
        """1 where the milestone was reached, else 0."""
        return self.column(f"{REACHED}{self.milestone}")

    @property
    def selected_N(self) -> Array:
        """1 where the milestone counts as forecast: a chance of the threshold or more."""
        return (self.chance_N >= self.thresholds.decision_threshold).astype(np.float64)

    @property
    def one_N(self) -> Array:
        """One for each row."""
        return np.ones(np.count_nonzero(self.counted_N))


def ratio(numerator: Array, denominator: Array) -> Array:
    """Return numerator / denominator; NaN where the denominator is 0."""
    quotient = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def _slope(n: Array, x: Array, y: Array, xx: Array, xy: Array) -> Array:
    spread = n * xx - x * x
    # Rounding errors of a forecast that is the same for everyone are not spread.
    return ratio(n * xy - x * y, np.where(spread > 1e-9 * n * xx, spread, 0.0))


def _intercept(n: Array, x: Array, y: Array, xx: Array, xy: Array) -> Array:
    return ratio(y - _slope(n, x, y, xx, xy) * x, n)


def _line(rows: Rows) -> tuple[Array, ...]:
    x, y = rows.column(MEDIAN), rows.column(TRUTH)
    return rows.one_N, x, y, x * x, x * y


def _crps(rows: Rows) -> tuple[Array, ...]:
    # Twice the mean pinball loss over evenly spaced levels (Laio and Tamea 2007).
    total_N = np.zeros_like(rows.one_N)
    for name, level in zip(QUANTILE_COLUMNS, QUANTILE_LEVELS, strict=True):
        miss_N = rows.column(TRUTH) - rows.column(name)
        total_N += np.maximum(level * miss_N, (level - 1) * miss_N)
    return 2 * total_N / len(QUANTILE_LEVELS), rows.one_N


def _inside(rows: Rows) -> tuple[Array, ...]:
    truth_N = rows.column(TRUTH)
    inside_N = (truth_N >= rows.column(LOW)) & (truth_N <= rows.column(HIGH))
    return inside_N.astype(np.float64), rows.one_N


def _within(rows: Rows) -> tuple[Array, ...]:
    near_N = np.abs(rows.error_N) <= rows.thresholds.important_difference
    return near_N.astype(np.float64), rows.one_N


def _net_benefit(rows: Rows) -> tuple[Array, ...]:
    # Vickers and Elkin 2006: true positives less false ones at the odds of the threshold.
    odds = rows.thresholds.decision_threshold / (1 - rows.thresholds.decision_threshold)
    positive_N, negative_N = rows.reached_N, 1 - rows.reached_N
    return rows.selected_N * (positive_N - odds * negative_N), rows.one_N


def _unobserved_outcomes(rows: Rows) -> tuple[Array, ...]:
    # One pair of subject and origin could have one outcome per later horizon of the table.
    table = rows.table[rows.counted_N]
    days_H = np.unique(table[HORIZON].to_numpy())
    is_first_N = (~table.duplicated([SUBJECT, ORIGIN])).to_numpy(dtype=np.float64)
    possible_N = is_first_N * (len(days_H) - np.searchsorted(days_H, rows.column(ORIGIN), "right"))
    return np.asarray(possible_N - 1.0), np.asarray(possible_N, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A metric.

    Parameters
    ----------
    unit, better
        What it counts, and whether lower or higher is better.
    denominator
        What it is a mean or share of, in words.
    addends, combine
        What each row adds to the sums, and the metric computed from the sums. An AUROC is not a
        function of sums: `audits.measure.ranking` computes it, and its addends only select rows.
    needs
        Columns without which it is not available (those of the milestone aside).
    of_milestone
        True where it is computed for one milestone.
    of_forecasts
        False where refused rows count too.
    """

    unit: Unit
    better: Better
    denominator: str
    addends: Callable[[Rows], tuple[Array, ...]]
    combine: Callable[..., Array] = ratio
    needs: tuple[str, ...] = ()
    of_milestone: bool = False
    of_forecasts: bool = True


FORECASTS = "forecasts given"
SCORE = (MEDIAN, TRUTH)


def _score(
    unit: Unit, better: Better, addends: Callable[[Rows], tuple[Array, ...]],
    combine: Callable[..., Array] = ratio,
) -> Definition:  # fmt: skip
    return Definition(unit=unit, better=better, denominator=FORECASTS, addends=addends,
                      combine=combine, needs=SCORE)  # fmt: skip


def _milestone(
    unit: Unit, better: Better, denominator: str, addends: Callable[[Rows], tuple[Array, ...]],
    combine: Callable[..., Array] = ratio,
) -> Definition:  # fmt: skip
    return Definition(
        unit=unit, better=better, denominator=denominator, addends=addends, combine=combine,
        of_milestone=True,
    )  # fmt: skip


def _mean(column: str, unit: Unit, better: Better, denominator: str) -> Definition:
    return Definition(
        unit=unit, better=better, denominator=denominator, needs=(column,),
        addends=lambda rows: (rows.column(column), rows.one_N), of_forecasts=False,
    )  # fmt: skip


def _explained(column: str) -> Definition:
    def addends(rows: Rows) -> tuple[Array, ...]:
        # Not through `rows.column`: only a sample is explained, the other rows are NaN.
        value_N = rows.table[column].to_numpy(dtype=np.float64)[rows.counted_N]
        explained_N = ~np.isnan(value_N)
        return np.where(explained_N, value_N, 0.0), explained_N.astype(np.float64)

    return Definition(
        unit=Unit.POINTS, better=Better.LOWER, denominator="forecasts explained, a sample of all",
        needs=(column,), addends=addends,
    )  # fmt: skip


REQUESTED = "forecasts requested"
DEFINITIONS: dict[str, Definition] = {
    "mean absolute error": _score(Unit.POINTS, Better.LOWER, lambda r: (abs(r.error_N), r.one_N)),
    "signed error": _score(Unit.POINTS, Better.ZERO, lambda rows: (rows.error_N, rows.one_N)),
    "within the important difference": _score(Unit.SHARE, Better.HIGHER, _within),
    "CRPS": _score(Unit.POINTS, Better.LOWER, _crps),
    "coverage of the 80 % interval": _score(Unit.SHARE, Better.HIGHER, _inside),
    "width of the 80 % interval": _score(
        Unit.POINTS, Better.LOWER, lambda rows: (rows.column(HIGH) - rows.column(LOW), rows.one_N)
    ),
    "calibration intercept": _score(Unit.POINTS, Better.ZERO, _line, _intercept),
    "calibration slope": _score(Unit.NUMBER, Better.ONE, _line, _slope),
    "Brier score": _milestone(
        Unit.NUMBER, Better.LOWER, FORECASTS,
        lambda rows: ((rows.chance_N - rows.reached_N) ** 2, rows.one_N),
    ),
    "calibration in the large": _milestone(
        Unit.NUMBER, Better.ZERO, FORECASTS, lambda r: (r.chance_N - r.reached_N, r.one_N)
    ),
    "observed to expected": _milestone(
        Unit.NUMBER, Better.ONE, "people expected to reach it, the sum of their chances",
        lambda rows: (rows.one_N, rows.reached_N, rows.chance_N),
        lambda _, observed, expected: ratio(observed, expected),
    ),
    "AUROC": _milestone(
        Unit.NUMBER, Better.HIGHER, "pairs of one who reached it and one who did not",
        lambda rows: (rows.one_N, rows.chance_N, rows.reached_N),
    ),
    "false-negative rate": _milestone(
        Unit.SHARE, Better.LOWER, "forecasts of those who reached it",
        lambda rows: (rows.reached_N * (1 - rows.selected_N), rows.reached_N),
    ),
    "false-positive rate": _milestone(
        Unit.SHARE, Better.LOWER, "forecasts of those who did not reach it",
        lambda rows: ((1 - rows.reached_N) * rows.selected_N, 1 - rows.reached_N),
    ),
    "positive predictive value": _milestone(
        Unit.SHARE, Better.HIGHER, "forecasts that said it would be reached",
        lambda rows: (rows.reached_N * rows.selected_N, rows.selected_N),
    ),
    "selection rate": _milestone(
        Unit.SHARE, Better.NEITHER, FORECASTS, lambda rows: (rows.selected_N, rows.one_N)
    ),
    "net benefit": _milestone(Unit.NUMBER, Better.HIGHER, FORECASTS, _net_benefit),
    "refusal rate": _mean(REFUSED, Unit.SHARE, Better.LOWER, REQUESTED),
    "days from onset to forecast": _mean(DAYS_SINCE_ONSET, Unit.DAYS, Better.NEITHER, REQUESTED),
    "outcomes not observed": Definition(
        unit=Unit.SHARE, better=Better.LOWER, addends=_unobserved_outcomes, of_forecasts=False,
        denominator="outcomes possible for people with at least one",
    ),
    "hours of wear": _mean(WEAR_HOURS, Unit.HOURS, Better.NEITHER, REQUESTED),
    "days without device data": _mean(UNOBSERVED_SHARE, Unit.SHARE, Better.LOWER, REQUESTED),
    "explanation gap": _explained(EXPLANATION_GAP),
    "explanation instability": _explained(EXPLANATION_INSTABILITY),
}  # fmt: skip
