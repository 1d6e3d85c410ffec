from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from audits.measure.ranking import Chances, auroc, auroc_in_group_and_rest

row = st.tuples(
    st.integers(0, 4), st.booleans(), st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)
)


def chances_of(rows: list[tuple[int, ...]]) -> Chances:
    table = np.array(rows, dtype=np.intp).reshape(-1, 5)
    return Chances(
        chance_N=table[:, 0].astype(float),
        reached_N=table[:, 1].astype(bool),
        group_N=table[:, 2],
        groups=3,
        weight_NR=table[:, 3:].astype(float),
    )


@given(st.lists(row, min_size=0, max_size=40))
def test_it_is_scikit_learns_weighted_area_in_every_group(rows: list[tuple[int, ...]]) -> None:
    chances = chances_of(rows)
    chance_N, reached_N, group_N = chances.chance_N, chances.reached_N, chances.group_N
    told_GR = auroc(chances)
    for group in range(3):
        here = group_N == group
        for draw in range(2):
            weight_N = chances.weight_NR[here, draw]
            kept = weight_N > 0
            if len(np.unique(reached_N[here][kept])) < 2:
                assert np.isnan(told_GR[group, draw])
                continue
            theirs = roc_auc_score(
                reached_N[here][kept], chance_N[here][kept], sample_weight=weight_N[kept]
            )
            np.testing.assert_allclose(told_GR[group, draw], theirs)


@given(st.lists(row, min_size=0, max_size=40))
def test_the_area_of_the_rest_is_that_of_everybody_else_ranked_alone(
    rows: list[tuple[int, ...]],
) -> None:
    chances = chances_of(rows)
    value_GR, told_GR = auroc_in_group_and_rest(chances)
    np.testing.assert_array_equal(value_GR, auroc(chances))
    for group in range(3):
        others_N = (chances.group_N != group).astype(np.intp)
        alone_R = auroc(replace(chances, group_N=others_N, groups=2))[1]
        np.testing.assert_allclose(told_GR[group], alone_R)
