"""The forecast of one subject, and the quantile levels that all forecasts share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

QUANTILE_LEVELS: tuple[float, ...] = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Levels 0.05 to 0.95: 19, so that 10 to 90 % is the 80 % interval and 50 % the median."""

MEDIAN = QUANTILE_LEVELS.index(0.5)
LOWER_80, UPPER_80 = QUANTILE_LEVELS.index(0.1), QUANTILE_LEVELS.index(0.9)
STATED_COVERAGE = 0.8
"""Share of outcomes that the 80 % interval promises to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Quantiles and milestone chances of one subject from one origin.

    Parameters
    ----------
    horizon_days_H
        Days after enrolment.
    quantiles_HQ
        Score quantiles at `QUANTILE_LEVELS`, rising along Q, inside the scale.
    milestones
        Chance of each milestone at each horizon, (H,), by milestone name.
    """

    horizon_days_H: tuple[int, ...]
    quantiles_HQ: NDArray[np.float64]
    milestones: dict[str, NDArray[np.float64]]


def rounding_allowed(points: float, largest: float) -> float:
    """Return by how many points two computations of one score may differ by rounding alone.

    Networks compute in single precision, seven digits of a number: what is nothing on a scale of
    66 points is below the last digit of a walk of 600 m.

    Parameters
    ----------
    points
        What is allowed on a scale of 100 points, or a shorter one.
    largest
        The largest score.
    """
    return points * max(1.0, abs(largest) / 100)
