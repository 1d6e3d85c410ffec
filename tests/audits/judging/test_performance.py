from __future__ import annotations

import pandas as pd

from audits.judging.performance import performance, unavailable
from audits.judging.policy import Policy
from audits.measure.metrics import Metric


def test_every_metric_of_every_group_at_every_horizon_is_told(
    candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    rows = performance(candidate, quick_policy)
    groups = {("everyone", "everyone"), ("sex", "female"), ("sex", "male")}
    assert {(row.axis, row.group) for row in rows} == groups
    errors = [row for row in rows if row.metric == Metric.MEAN_ABSOLUTE_ERROR]
    assert {row.horizon_day for row in errors} == {None, 42, 84}
    covered = {row.metric for row in rows} | set(unavailable(candidate))
    assert covered == {metric.value for metric in Metric}
    for row in rows:
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
        # A width that is the same for everyone differs by rounding only.
        assert row.low - 1e-9 <= row.value <= row.high + 1e-9
        assert row.denominator


def test_what_has_no_column_is_said_to_be_not_available(candidate: pd.DataFrame) -> None:
    assert set(unavailable(candidate)) == {
        "refusal rate", "hours of wear", "days without device data", "explanation gap",
        "explanation instability",
    }  # fmt: skip
    assert "hours of wear" not in unavailable(candidate.assign(wear_hours=12.0))
