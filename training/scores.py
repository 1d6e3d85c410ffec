"""Scores of a prediction table, and subject-bootstrap intervals of paired differences.

Letters: N rows of a table, Q quantile levels, R replicates, S subjects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts import predictions as columns
from contracts.forecast import LOWER_80, MEDIAN, QUANTILE_LEVELS, UPPER_80

REPLICATES = 1_000


def mean_crps(truth: NDArray[np.floating], quantiles: NDArray[np.float64]) -> float:
    """Return the mean CRPS of the known outcomes, in score points (see `losses`).

    Parameters
    ----------
    truth, quantiles
        Outcomes of any shape, NaN where unknown, and their quantiles along a further last axis.
    """
    return float(np.nanmean(_crps(truth, quantiles)))


def _crps(truth: NDArray[np.floating], quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    level_Q = np.array(QUANTILE_LEVELS)
    miss = truth[..., None] - quantiles
    return np.asarray(2 * np.maximum(level_Q * miss, (level_Q - 1) * miss).mean(axis=-1))


def losses(table: pd.DataFrame) -> pd.DataFrame:
    """Return each row's scores: absolute error, CRPS, interval score, widths and coverage.

    The interval score is of the 80 % interval: its width plus ten times the distance by which the
    truth is outside it (Gneiting and Raftery 2007). The CRPS is twice the mean pinball loss over
    the 19 levels, in score points (Laio and Tamea 2007). Without the outer 5 % on either side it is
    a few per cent above the exact CRPS, equally for every model.
    """
    quantiles_NQ = table[list(columns.QUANTILE_COLUMNS)].to_numpy()
    truth_N = table[columns.TRUTH].to_numpy()
    low_N, high_N = quantiles_NQ[:, LOWER_80], quantiles_NQ[:, UPPER_80]
    missed_N = np.maximum(low_N - truth_N, 0) + np.maximum(truth_N - high_N, 0)
    inside_90_N = (truth_N >= quantiles_NQ[:, 0]) & (truth_N <= quantiles_NQ[:, -1])
    return pd.DataFrame(
        {
            "mae": np.abs(truth_N - quantiles_NQ[:, MEDIAN]),
            "crps": _crps(truth_N, quantiles_NQ),
            "coverage_80": ((truth_N >= low_N) & (truth_N <= high_N)).astype(np.float64),
            "width_80": high_N - low_N,
            "interval_score": high_N - low_N + 2 / 0.2 * missed_N,
            "coverage_90": inside_90_N.astype(np.float64),
            "width_90": quantiles_NQ[:, -1] - quantiles_NQ[:, 0],
        },
        index=table.index,
    )


def with_losses(table: pd.DataFrame) -> pd.DataFrame:
    """Return a prediction table with `losses` and the bias as further columns."""
    return table.assign(**losses(table), bias=table["q50"] - table[columns.TRUTH])


def skill(crps: float, *, base: float, floor: float) -> float:
    """Return the skill of a CRPS: 0 at that of a baseline, 1 at that of the best possible."""
    return (base - crps) / (base - floor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean paired difference of a loss, first minus second, with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return self.with_decimals(2)

    def with_decimals(self, decimals: int) -> str:
        """Return it as text."""
        mean, low, high = (f"{each:+.{decimals}f}" for each in (self.mean, self.low, self.high))
        return f"{mean} [{low}, {high}]"


def paired_difference(
    first_N: NDArray[np.float64],
    second_N: NDArray[np.float64],
    subject_N: NDArray[np.int64],
    *,
    seed: int = 0,
) -> Difference:
    """Bootstrap the mean difference of two models' losses on the same rows, by subject.

    Parameters
    ----------
    first_N, second_N
        Losses of the same rows.
    subject_N
        Subject of each row: all rows of a subject are resampled together.
    """
    _, index_N = np.unique(subject_N, return_inverse=True)
    rows_S = np.bincount(index_N).astype(np.float64)
    total_S = np.bincount(index_N, weights=first_N - second_N)
    subjects = len(rows_S)
    generator = np.random.default_rng(seed)
    weight_RS = generator.multinomial(subjects, np.full(subjects, 1 / subjects), size=REPLICATES)
    mean_R = (weight_RS @ total_S) / (weight_RS @ rows_S)
    low, high = np.quantile(mean_R, [0.025, 0.975])
    return Difference(mean=float(total_S.sum() / rows_S.sum()), low=float(low), high=float(high))
