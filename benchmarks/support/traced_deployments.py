"""SIMULATED deployments in which a random share of the lost is traced, many at once.

A test compares them with what the product computes week by week.

Letters: N people of all deployments, D deployments, W weeks, C cells (a deployment and a week), P
payoffs, L labels, K bets.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from audits.judging.policy import load_policy
from audits.measure.groups import EVERYONE
from audits.sequential.betting import BETS_K, e_process
from audits.sequential.hypotheses import Hypothesis
from audits.sequential.payoffs import is_compared
from audits.sequential.plan import load_plan
from audits.sequential.traced import ASSUMED, range_of_number, with_tracing
from serving.state.evidence.tracing import WEEKS as TRACING_WEEKS
from support.deployments import (
    WEEKS,
    People,
    first_week,
    followed_of,
    late,
    numbers_of,
    piles,
    rule_of,
)

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


def warns(people: People, share: float, seed: int) -> Array:
    """Return the week in which each deployment is warned; NaN where never."""
    rng, plan = np.random.default_rng(seed), load_plan()
    drawn_N = rng.random(len(people.cell_N)) < share
    tested = with_tracing(load_policy(), followed_of())
    mean_WD = np.zeros((WEEKS, people.deployments))
    for each in tested:
        growth_WDK = growth_of(people, each, share, drawn_N)
        mean_WD += e_process(growth_WDK, plan.starts) / len(tested)
    return first_week(mean_WD >= 1 / plan.alpha)


def growth_of(people: People, each: Hypothesis, share: float, drawn_N: Flags) -> Array:
    """Return what each week in which tracing is over adds to a test, (W, D, K)."""
    number_N, _ = numbers_of(people, each)
    lost_N = ~people.observed_N
    found_N = lost_N & drawn_N
    low, high = range_of_number(each, rule_of(each))
    everyone = each.axis == EVERYONE
    own_N = (
        np.zeros(len(number_N), dtype=np.int64)
        if everyone
        else (people.label_N[each.axis] != each.group).astype(np.int64)
    )
    expected_CL = _expected(people, number_N, own_N, found_N, low, high)
    expected_N = expected_CL[people.cell_N, own_N]
    within_N = np.clip(number_N, low, high)
    found_as_N = expected_N + (within_N - expected_N) / share
    value_N = np.where(lost_N, np.where(found_N, found_as_N, expected_N), within_N)
    lowest_CL = expected_CL + (low - expected_CL) / share
    highest_CL = expected_CL + (high - expected_CL) / share
    lowest_C, highest_C = lowest_CL[:, 0], highest_CL[:, 0]
    cells = people.deployments * WEEKS
    if is_compared(each, load_policy()):
        cell_P, number_P = piles(people.cell_N, value_N, own_N == 0, own_N == 1, cells)
        # The rest may have people of a group of whom nobody was traced, who is in the middle.
        middle = (low + high) / 2
        lowest_C = lowest_C - np.maximum(highest_CL[:, 1], middle + (high - middle) / share)
        highest_C = highest_C - np.minimum(lowest_CL[:, 1], middle + (low - middle) / share)
    else:
        cell_P, number_P = people.cell_N[own_N == 0], value_N[own_N == 0]
    bound_C = each.limit - lowest_C if each.sign > 0 else highest_C - each.limit
    payoff_P = each.sign * (number_P - each.limit) / bound_C[cell_P]
    growth_CK: Array = np.stack(
        [np.bincount(cell_P, np.log1p(payoff_P * bet), cells) for bet in BETS_K], axis=1
    ).astype(np.float64)
    return late(growth_CK, replace(people, late_weeks=people.late_weeks + TRACING_WEEKS))


def _expected(
    people: People, number_N: Array, own_N: NDArray[np.int64], found_N: Flags, low: float,
    high: float,
) -> Array:  # fmt: skip
    """Return what is expected in each cell of the group and of the rest, (C, 2).

    All simulated attributes have two groups, so that the rest is one.
    """
    middle = (low + high) / 2
    columns = []
    for side in (0, 1):
        chosen_N = found_N & (own_N == side)
        cells = people.deployments * WEEKS
        total_C = np.bincount(people.cell_N[chosen_N], number_N[chosen_N], cells)
        count_C = np.bincount(people.cell_N[chosen_N], minlength=cells)
        total_DW, count_DW = (
            of.reshape(people.deployments, WEEKS).cumsum(axis=1) - of.reshape(-1, WEEKS)
            for of in (total_C, count_C)
        )
        mean_DW = (ASSUMED * middle + total_DW) / (ASSUMED + count_DW)
        columns.append(np.clip(mean_DW, low, high).ravel())
    return np.stack(columns, axis=1)
