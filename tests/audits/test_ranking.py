from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from audits.ranking import auroc, auroc_of_the_rest

row = st.tuples(
    st.integers(0, 4), st.booleans(), st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)
)


def columns(
    rows: list[tuple[int, ...]],
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp], NDArray[np.float64]]:
    table = np.array(rows, dtype=np.intp).reshape(-1, 5)
    return (
        table[:, 0].astype(float),
        table[:, 1].astype(bool),
        table[:, 2],
        table[:, 3:].astype(float),
    )


@given(st.lists(row, min_size=0, max_size=40))
def test_it_is_scikit_learns_weighted_area_in_every_group(rows: list[tuple[int, ...]]) -> None:
    chance_N, reached_N, group_N, weight_NR = columns(rows)
    told_GR = auroc(chance_N, reached_N, group_N, weight_NR, groups=3)
    for group in range(3):
        here = group_N == group
        for draw in range(2):
            weight_N = weight_NR[here, draw]
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
    chance_N, reached_N, group_N, weight_NR = columns(rows)
    told_GR = auroc_of_the_rest(chance_N, reached_N, group_N, weight_NR, groups=3)
    for group in range(3):
        others_N = (group_N != group).astype(np.intp)
        alone_R = auroc(chance_N, reached_N, others_N, weight_NR, groups=2)[1]
        np.testing.assert_allclose(told_GR[group], alone_R)
