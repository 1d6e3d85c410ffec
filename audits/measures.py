"""What is measured: each metric as a ratio of two sums over rows, so that it can be bootstrapped.

Letters: N rows of a table, M measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import ContractError
from contracts.predictions import CHANCE, REACHED, TRUTH

MEDIAN, LOW, HIGH = "q50", "q10", "q90"
LIKELY = 0.5
"""A milestone counts as forecast from this chance on."""


class Metric(StrEnum):
    """A metric of the policy."""

    ERROR = "mean absolute error"
    """Of the median, in score points."""
    SIGNED = "signed error"
    """Median minus truth, in score points: above 0 where the forecast promised too much."""
    COVERAGE = "coverage of the 80 % interval"
    """Share of truths from q10 to q90, both ends included."""
    MISSED = "false-negative rate"
    """Of those who reached a milestone, the share forecast not to (chance below 0.5)."""

    @property
    def is_share(self) -> bool:
        """True for a share of 0 to 1, False for score points."""
        return self in {Metric.COVERAGE, Metric.MISSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A metric, and for `Metric.MISSED` the milestone it is taken of."""

    metric: Metric
    milestone: str | None = None

    @property
    def name(self) -> str:
        """Name in findings, such as `false-negative rate: important gain`."""
        return self.metric.value if self.milestone is None else f"{self.metric}: {self.milestone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What each row adds to the two sums of each measure, both (N, M): metric = sum / sum."""

    numerator_NM: NDArray[np.float64]
    denominator_NM: NDArray[np.float64]


def milestones(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the milestones that a table has chances for."""
    return tuple(name.removeprefix(CHANCE) for name in table.columns if name.startswith(CHANCE))


def measures(table: pd.DataFrame, metric: Metric) -> tuple[Measure, ...]:
    """Return the measures of a metric: one per milestone for `Metric.MISSED`, else one."""
    if metric is not Metric.MISSED:
        return (Measure(metric=metric),)
    return tuple(Measure(metric=metric, milestone=name) for name in milestones(table))


def terms(table: pd.DataFrame, measured: tuple[Measure, ...]) -> Terms:
    """Return the terms of every row for measures, at least one.

    Raises
    ------
    ContractError
        A forecast or a truth is missing.
    """
    both = [_row_terms(table, measure) for measure in measured]
    return Terms(
        numerator_NM=np.stack([numerator_N for numerator_N, _ in both], axis=1),
        denominator_NM=np.stack([denominator_N for _, denominator_N in both], axis=1),
    )


def known(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Return a column as numbers, (N,).

    Raises
    ------
    ContractError
        A row has none. It must stop the audit: skipped, a group that is forecast nothing would
        show no error at all.
    """
    values_N = table[column].to_numpy(dtype=np.float64)
    if not np.isfinite(values_N).all():
        missing = int((~np.isfinite(values_N)).sum())
        raise ContractError(f"{column}: {missing} row(s) are not finite numbers; none are skipped")
    return values_N


def _row_terms(
    table: pd.DataFrame, measure: Measure
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if measure.milestone is not None:
        reached_N = known(table, REACHED + measure.milestone)
        return reached_N * (known(table, CHANCE + measure.milestone) < LIKELY), reached_N
    truth_N = known(table, TRUTH)
    one_N = np.ones(len(table))
    if measure.metric is Metric.COVERAGE:
        inside_N = (truth_N >= known(table, LOW)) & (truth_N <= known(table, HIGH))
        return inside_N.astype(np.float64), one_N
    error_N = known(table, MEDIAN) - truth_N
    return (error_N if measure.metric is Metric.SIGNED else np.abs(error_N)), one_N
