"""Early outcomes of many deployments are counted as the product counts one week, and go with later."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audits.measure.disparity import Statistic
from audits.measure.groups import EVERYONE
from audits.sequential.betting import growth
from audits.sequential.payoffs import payoffs
from contracts.predictions import GROUP
from support.deployments import LIMIT, SD, SMALL, Setting, growth_of, numbers_of, rule_of, simulated
from support.early_outcomes import EARLY_WEEKS, Proxy, asked_early, early_of, warns_early

HARMED = Setting(harm=LIMIT + 6)


@pytest.mark.parametrize("number", [0, 2, 5, 11, 40])
def test_growth_is_that_of_the_product(number: int) -> None:
    people = early_of(simulated(HARMED, 2, seed=1), HARMED, Proxy(), seed=2)
    each = asked_early()[number]
    value_N, counts_N = numbers_of(people, each)
    here_N = (people.cell_N == 260 + 17) & counts_N
    labels = {GROUP + name: label_N[here_N] for name, label_N in people.label_N.items()}
    is_compared = each.axis != EVERYONE and rule_of(each).statistic is Statistic.DIFFERENCE
    payoff_P = payoffs(each, pd.DataFrame(labels), value_N[here_N], is_compared=is_compared)
    expected = growth(payoff_P, each.bound)
    assert growth_of(people, each)[17 + EARLY_WEEKS, 1] == pytest.approx(expected)


def test_early_errors_go_with_later_ones_as_asked() -> None:
    people = simulated(HARMED, 20, seed=3)
    early = early_of(people, HARMED, Proxy(correlation=0.6, gap=0.5), seed=4)
    late_N, early_N = (of.value_N["signed error"] for of in (people, early))
    is_small_N = people.label_N["first"] == SMALL
    for of_N in (is_small_N, ~is_small_N):
        assert np.corrcoef(late_N[of_N], early_N[of_N])[0, 1] == pytest.approx(0.6, abs=0.02)
    assert early_N[is_small_N].mean() == pytest.approx(0.5 * HARMED.harm, abs=0.1)
    assert early_N.std() > SD
    # Where outcomes come is another chance early and late.
    assert (people.observed_N & early.observed_N).mean() == pytest.approx(0.85**2, abs=0.01)


def test_harm_that_shows_early_is_warned_of_and_none_is_not() -> None:
    """Few deployments, each run; the benchmark has 200 (docs/evidence.md)."""
    found = [
        warns_early(early_of(simulated(setting, 3, seed=5), setting, Proxy(), seed=6))
        for setting in (HARMED, Setting())
    ]
    assert (found[0] < 120).all()
    assert np.isnan(found[1]).all()
