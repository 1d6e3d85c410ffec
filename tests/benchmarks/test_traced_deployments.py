"""The many deployments with tracing are counted as the product counts one week."""

from __future__ import annotations

import numpy as np
import pytest

from audits.judging.policy import load_policy
from audits.measure.groups import EVERYONE
from audits.sequential.betting import growth
from audits.sequential.payoffs import is_compared
from audits.sequential.traced import Expected, payoffs_of, with_tracing
from contracts.predictions import GROUP
from serving.state.evidence.tracing import WEEKS as TRACING_WEEKS
from support.deployments import (
    LATE_WEEKS,
    LIMIT,
    WEEKS,
    Setting,
    followed_of,
    numbers_of,
    rule_of,
    simulated,
)
from support.traced_deployments import growth_of, warns

TESTED = with_tracing(load_policy(), followed_of())


@pytest.mark.parametrize("number", range(0, len(TESTED), 7))
def test_growth_is_that_of_the_product(number: int) -> None:
    people = simulated(Setting(harm=LIMIT, lost_worst=0.3, lost=0.3), 2, seed=1)
    each, share = TESTED[number], 0.5
    drawn_N = np.random.default_rng(3).random(len(people.cell_N)) < share
    grown_WDK = growth_of(people, each, share, drawn_N)
    number_N, _ = numbers_of(people, each)
    lost_N = ~people.observed_N
    everyone_N = np.full(len(lost_N), EVERYONE, dtype=object)
    label_N = {**people.label_N, EVERYONE: everyone_N}[each.axis]
    for deployment, week in ((0, 3), (1, 17), (1, 200)):
        place_N = people.cell_N - deployment * WEEKS
        before_N = (place_N >= 0) & (place_N < week) & lost_N & drawn_N
        traced = {
            label: (float(number_N[of_N].sum()), int(of_N.sum()))
            for label in np.unique(label_N.astype(str)).tolist()
            if (of_N := before_N & (label_N == label)).any()
        }
        here_N = place_N == week
        payoff_P, bound = payoffs_of(
            each, {GROUP + each.axis: label_N[here_N]}, number_N[here_N], lost_N[here_N],
            (lost_N & drawn_N)[here_N], share,
            Expected.of(each, rule_of(each), {each.axis: traced}),
            compared=is_compared(each, load_policy()),
        )  # fmt: skip
        assert grown_WDK[week + LATE_WEEKS + TRACING_WEEKS, deployment] == pytest.approx(
            growth(payoff_P, bound)
        )


def test_what_hides_in_loss_is_found_where_the_lost_are_traced_and_nothing_at_the_limit() -> None:
    """Few deployments, each run; the benchmark has more (docs/evidence.md)."""
    harmed = simulated(Setting(harm=LIMIT + 6, people=40, lost_worst=0.33), 1, seed=2)
    kept = simulated(Setting(harm=LIMIT, people=40, lost_best=0.33), 1, seed=2)
    assert (warns(harmed, 0.5, seed=4) < 220).all()
    assert np.isnan(warns(kept, 0.5, seed=4)).all()
