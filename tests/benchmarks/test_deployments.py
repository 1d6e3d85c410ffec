"""The many deployments of the benchmark are counted as the product counts one week."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audits.measure.disparity import Statistic
from audits.measure.groups import EVERYONE
from audits.sequential.betting import growth
from audits.sequential.payoffs import payoffs
from audits.sequential.plan import load_plan
from contracts.predictions import GROUP
from support.deployments import (
    LATE_WEEKS,
    LIMIT,
    Setting,
    acts,
    followed_of,
    growth_of,
    numbers_of,
    rule_of,
    simulated,
)


@pytest.mark.parametrize("number", range(0, 53, 9))
def test_growth_is_that_of_the_product(number: int) -> None:
    people = simulated(Setting(harm=LIMIT), 2, seed=1)
    each = followed_of()[number]
    grown_WDK = growth_of(people, each)
    value_N, counts_N = numbers_of(people, each)
    for deployment, week in ((0, 3), (1, 17)):
        here_N = (people.cell_N == deployment * 260 + week) & counts_N
        labels = {GROUP + name: label_N[here_N] for name, label_N in people.label_N.items()}
        is_compared = each.axis != EVERYONE and rule_of(each).statistic is Statistic.DIFFERENCE
        payoff_P = payoffs(each, pd.DataFrame(labels), value_N[here_N], is_compared=is_compared)
        expected = growth(payoff_P, each.bound)
        assert grown_WDK[week + LATE_WEEKS, deployment] == pytest.approx(expected)


def test_harm_is_acted_on_and_a_rule_at_its_limit_is_not() -> None:
    """Few deployments, each run; the benchmark has 200 (docs/evidence.md)."""
    starts = load_plan().starts
    (harmed,) = acts(simulated(Setting(harm=LIMIT + 6), 3, seed=2), starts)
    (kept,) = acts(simulated(Setting(harm=LIMIT), 3, seed=2), starts)
    assert (harmed < 120).all()
    assert np.isnan(kept).all()
