from __future__ import annotations

import numpy as np
import pandas as pd

from audits.judging.performance import performance, unavailable
from audits.judging.policy import Policy
from audits.measure.groups import by_attribute
from audits.measure.intervals import bootstrap
from audits.measure.metrics import Metric, available_measures


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


def test_of_a_single_horizon_all_horizons_together_are_that_one(
    candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    table = candidate[candidate["horizon_day"] == 84].reset_index(drop=True)
    rows = performance(table, quick_policy)
    told = {(r.axis, r.group, r.metric, r.milestone, r.horizon_day): r for r in rows}
    assert len(told) == len(rows)
    at_day = [key for key in told if key[-1] == 84]
    assert {key[2] for key in at_day} >= {Metric.MEAN_ABSOLUTE_ERROR, Metric.AUROC}
    for key in at_day:
        assert told[key].model_copy(update={"horizon_day": None}) == told[(*key[:-1], None)]


def test_a_ranking_is_the_same_whether_the_rest_is_ranked_or_not(
    candidate: pd.DataFrame, quick_policy: Policy
) -> None:
    measured = available_measures(candidate, Metric.AUROC)
    whole, quick = (
        bootstrap(
            candidate, by_attribute(candidate), measured, replicates=50, seed=1,
            thresholds=quick_policy.thresholds, ranks_rest=ranks_rest,
        )
        for ranks_rest in (True, False)
    )  # fmt: skip
    for one, other in zip(whole, quick, strict=True):
        assert np.allclose(one.value_RGM, other.value_RGM)
        assert np.isfinite(one.rest_GM).all()
        assert np.isnan(other.rest_GM).all()
