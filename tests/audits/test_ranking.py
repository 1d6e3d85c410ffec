from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from audits.ranking import auroc

row = st.tuples(
    st.integers(0, 4), st.booleans(), st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)
)


@given(st.lists(row, min_size=1, max_size=40))
def test_it_is_scikit_learns_weighted_area_in_every_group(rows: list[tuple[int, ...]]) -> None:
    chance_N, reached_N, group_N = (np.array(c) for c in list(zip(*rows, strict=True))[:3])
    weight_NR = np.array([each[3:] for each in rows], dtype=np.float64)
    told_GR = auroc(
        chance_N.astype(np.float64), reached_N.astype(bool), group_N, weight_NR, groups=3
    )
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
