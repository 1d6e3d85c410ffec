"""A shadow beside the champion, person by person: by how much it is worse, at every look.

Each person has one number for each version; `w` is by how much the shadow's is worse. Bets against
"the shadow is worse by more than m on average" are paid

    (m - w) / (R - m),    w clipped to -R..R,

which is never below -1, and on average at most 0 where it is worse by m or more. The wealth
(`audits.sequential.betting`) grows with m, so that the m from which it is at least 1/alpha on is an
upper bound of the mean of w: it holds at all looks together with 1 - alpha, and whoever bets
against one limit alone finds the same. People of a shadow count from its first forecast on, all of
them, so there is one start.

Letters: N people, K bets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.measure.groups import Grouping
from audits.measure.metric_definitions import Better, MetricThresholds
from audits.measure.metrics import Measure, addends
from audits.sequential.betting import growth
from contracts.predictions import CANDIDATE, CHAMPION, MODEL, SUBJECT

Array = NDArray[np.float64]

HALVINGS = 40
"""Of the interval in which a bound is looked for: 10^-12 of it is left."""
NEAREST = 1 - 1e-9
"""Of the range, up to which a bound is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """By how much the shadow is worse.

    Parameters
    ----------
    people
        Of how many it is the mean.
    mean, low, high
        The mean of the differences, each clipped to the range, and its bounds; negative where the
        shadow is better.
    """

    people: int
    mean: float
    low: float
    high: float


def worse_by(
    pairs: pd.DataFrame, measure: Measure, thresholds: MetricThresholds
) -> tuple[NDArray[np.int64], Array]:
    """Return whose shadow's number is worse by how much, (N,) each, in the order of their numbers.

    Parameters
    ----------
    pairs
        One row of the candidate and one of the champion for each person.
    """
    own, of_own_N = _numbers(pairs[pairs[MODEL] == CANDIDATE], measure, thresholds)
    other, of_other_N = _numbers(pairs[pairs[MODEL] == CHAMPION], measure, thresholds)
    people, at_own, at_other = np.intersect1d(own, other, return_indices=True)
    difference_N = of_own_N[at_own] - of_other_N[at_other]
    is_higher_better = measure.metric.definition.better is Better.HIGHER
    return people, -difference_N if is_higher_better else difference_N


def bounds(worse_N: Array, size: float, alpha: float) -> Bounds:
    """Return bounds of the mean, each of which is wrong at any look with a chance of `alpha`.

    Parameters
    ----------
    size
        R.
    """
    clipped_N = np.clip(worse_N, -size, size)
    return Bounds(
        people=len(clipped_N),
        mean=float(clipped_N.mean()) if len(clipped_N) else 0.0,
        low=-_upper(-clipped_N, size, alpha),
        high=_upper(clipped_N, size, alpha),
    )


def wealth(worse_N: Array, limit: float, size: float) -> float:
    """Return what bets against "worse by the limit or more" have made of 1.

    Parameters
    ----------
    limit
        Below `size`.
    """
    payoff_N = limit - np.clip(worse_N, -size, size)
    return float(np.exp(np.minimum(growth(payoff_N, size - limit), 690.0)).mean())


def by_group(
    rows: pd.DataFrame, grouping: Grouping, people: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each group of a grouping of some rows, and which people are in it, (N,)."""
    subjects = rows[SUBJECT].to_numpy()
    for code, label in enumerate(grouping.labels_G):
        yield label, np.isin(people, subjects[grouping.group_N == code])


def _upper(worse_N: Array, size: float, alpha: float) -> float:
    low, high = -size * NEAREST, size * NEAREST
    if wealth(worse_N, high, size) < 1 / alpha:
        return size
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if wealth(worse_N, middle, size) >= 1 / alpha:
            high = middle
        else:
            low = middle
    return high


def _numbers(
    rows: pd.DataFrame, measure: Measure, thresholds: MetricThresholds
) -> tuple[NDArray[np.int64], Array]:
    numerator_N, denominator_N = addends(rows, measure, thresholds).T
    counted_N = denominator_N > 0
    number_N = numerator_N[counted_N] / denominator_N[counted_N]
    return rows[SUBJECT].to_numpy()[counted_N], number_N
