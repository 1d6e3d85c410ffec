"""An audit of fixed samples once a year: what evidence over time is compared with.

Letters: D deployments, W weeks, Y years.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from audits.measure.disparity import Statistic
from audits.measure.groups import EVERYONE
from audits.sequential.hypotheses import Hypothesis
from support.deployments import (
    LATE_WEEKS,
    WEEKS,
    YEAR,
    Array,
    People,
    first_week,
    followed_of,
    numbers_of,
    rule_of,
)


def yearly(people: People, alpha: float = 0.05) -> NDArray[np.float64]:
    """Return the week in which an audit of fixed samples, once a year, first finds a broken rule.

    A one-sided t-test of every rule and group, on all outcomes so far and on those of the year; all
    tests of all years share the same chance of error (Bonferroni).
    """
    followed = followed_of()
    looks = WEEKS // YEAR
    level = alpha / (2 * looks * len(followed))
    found_YD = np.zeros((looks, people.deployments), dtype=np.bool_)
    for each in followed:
        sums = _sums(people, each)
        for year in range(looks):
            end = (year + 1) * YEAR - LATE_WEEKS
            for begin in {0, max(0, end - YEAR)}:
                p_D = _p_value([of_DW[:, begin:end].sum(axis=1) for of_DW in sums], each)
                found_YD[year] |= p_D < level
    week_D = first_week(found_YD)
    return (week_D + 1) * YEAR


def _sums(people: People, each: Hypothesis) -> list[Array]:
    """Return count, sum and sum of squares of the group and of the rest by week, (D, W) each."""
    value_N, counts_N = numbers_of(people, each)
    in_N = (
        np.ones(len(value_N), dtype=np.bool_)
        if each.axis == EVERYONE
        else people.label_N[each.axis] == each.group
    )
    sums = []
    for side in (counts_N & in_N, counts_N & ~in_N):
        for power in (0, 1, 2):
            of_C = np.bincount(
                people.cell_N[side], value_N[side] ** power, people.deployments * WEEKS
            )
            sums.append(np.asarray(of_C.reshape(people.deployments, WEEKS), dtype=np.float64))
    return sums


def _p_value(sums: list[Array], each: Hypothesis) -> Array:
    rule = rule_of(each)
    n, x, xx, m, y, yy = sums
    with np.errstate(all="ignore"):
        number, variance = x / n, (xx - x * x / n) / (n - 1) / n
        if rule.statistic is Statistic.DIFFERENCE:
            number = number - y / m
            variance = variance + (yy - y * y / m) / (m - 1) / m
        t = each.sign * (number - each.limit) / np.sqrt(variance)
        return np.where(n >= 8, scipy.stats.t.sf(t, np.maximum(n - 1, 1)), 1.0)
