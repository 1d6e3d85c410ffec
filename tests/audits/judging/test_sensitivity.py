from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from audits.judging.policy import Policy
from audits.judging.sensitivity import LabelSensitivity, label_sensitivity


def bracket(table: pd.DataFrame, policy: Policy, metric: str, group: str) -> LabelSensitivity:
    (row,) = (r for r in label_sensitivity(table, policy) if (r.metric, r.group) == (metric, group))
    return row


def test_the_bracket_of_a_signed_error_is_the_bias_either_way(
    candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    row = bracket(candidate, quick_policy, "signed error", "female")
    error = candidate["q50"] - candidate["truth"]
    inside = candidate["group:sex"] == "female"
    assert row.observed == pytest.approx(error[inside].mean() - error[~inside].mean())
    assert (row.low, row.high) == (
        pytest.approx(row.observed - row.bias),
        pytest.approx(row.observed + row.bias),
    )


@pytest.mark.parametrize(("points", "tipping"), [(0.0, None), (3.0, 1.25), (9.0, 0.0)])
def test_the_tipping_point_is_the_smallest_bias_that_reaches_the_limit(
    table_of: Callable[..., pd.DataFrame],
    quick_policy: Policy,
    points: float,
    tipping: float | None,
) -> None:
    table = table_of(400, extra_error={("sex", "female"): points}, models=("candidate",))
    row = bracket(table, quick_policy, "signed error", "female")
    if tipping is None:
        assert row.tipping_point is None
    else:
        assert row.tipping_point == pytest.approx(tipping, abs=0.6)


def test_a_table_without_scores_has_no_label_to_be_biased(
    candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    assert label_sensitivity(candidate.drop(columns="truth"), quick_policy) == ()
