from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.measure.groups import Grouping
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric
from audits.measure.people import (
    Moments,
    PeopleOfGroups,
    RowSums,
    has_person_means,
    people_of_groups,
    person_weights,
    pooled_variance,
)

rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 2), st.floats(-20, 20), st.booleans()),
    min_size=4,
    max_size=40,
)


def grouping(group_N: list[int], groups: int = 3) -> Grouping:
    return Grouping(
        axis="a", attributes=("a",), labels_G=tuple("xyz"[:groups]),
        group_N=np.array(group_N, dtype=np.intp),
    )  # fmt: skip


def sums(subjects: list[int], values: list[float], counted: list[bool]) -> RowSums:
    _, subject_N = np.unique(subjects, return_inverse=True)
    kept_N = np.array(counted, dtype=np.float64)
    return RowSums(subject_N=subject_N, numerator_N=np.array(values) * kept_N, denominator_N=kept_N)


def by_hand(table: pd.DataFrame) -> tuple[float, float, int]:
    """Weighted mean and variance of the people's means, and their number."""
    each = table.groupby("subject").agg(mean=("value", "mean"), weight=("weight", "sum"))
    if each.empty:
        return np.nan, np.nan, 0
    mean = float(np.average(each["mean"], weights=each["weight"]))
    spread = float(np.average((each["mean"] - mean) ** 2, weights=each["weight"]))
    people = len(each)
    return mean, spread * people / (people - 1) if people > 1 else np.nan, people


@settings(max_examples=150, deadline=None, derandomize=True)
@given(rows)
def test_moments_are_those_of_a_plain_group_by_even_where_people_change_their_group(
    drawn: list[tuple[int, int, float, bool]],
) -> None:
    table = pd.DataFrame(drawn, columns=["subject", "group", "value", "counted"])
    counted = table[table["counted"]].copy()
    counted["weight"] = 1 / counted.groupby("subject")["value"].transform("size")
    found = people_of_groups(
        sums(table["subject"].tolist(), table["value"].tolist(), table["counted"].tolist()),
        grouping(table["group"].tolist()),
    )
    for group in range(3):
        is_inside = counted["group"] == group
        for moments, part in ((found.inside, is_inside), (found.rest, ~is_inside)):
            mean, variance, people = by_hand(counted[part])
            assert moments.people_G[group] == people
            assert moments.mean_G[group] == pytest.approx(mean, abs=1e-9, nan_ok=True)
            assert moments.variance_G[group] == pytest.approx(variance, abs=1e-7, nan_ok=True)


def test_a_person_with_more_forecasts_is_not_more_of_a_person() -> None:
    once = people_of_groups(sums([1, 2], [0.0, 10.0], [True] * 2), grouping([0, 0], 1))
    often = people_of_groups(
        sums([1] * 9 + [2], [0.0] * 9 + [10.0], [True] * 10), grouping([0] * 10, 1)
    )
    assert once.inside.mean_G[0] == often.inside.mean_G[0] == 5.0
    assert often.inside.people_G[0] == 2


def test_the_pooled_variance_weighs_groups_by_their_degrees_of_freedom() -> None:
    moments = Moments(
        people_G=np.array([2.0, 5.0, 1.0]), effective_G=np.array([2.0, 5.0, 1.0]),
        mean_G=np.zeros(3), variance_G=np.array([10.0, 5.0, np.nan]),
    )  # fmt: skip
    assert pooled_variance(moments) == pytest.approx((10 + 4 * 5) / 5)


def test_slopes_ranks_and_ratios_of_sums_are_no_means_of_people() -> None:
    assert {m for m in Metric if not has_person_means(m)} == {
        Metric.AUROC,
        Metric.CALIBRATION_INTERCEPT,
        Metric.CALIBRATION_SLOPE,
        Metric.OBSERVED_TO_EXPECTED,
    }


def test_by_the_weights_each_person_weighs_one(candidate: pd.DataFrame) -> None:
    table = candidate.drop(index=[0, 3, 5]).reset_index(drop=True)
    measure = Measure(metric=Metric.FALSE_NEGATIVE_RATE, milestone="important gain")
    weight_N = person_weights(table, measure, MetricThresholds())
    reached = table["reached:important gain"]
    totals = pd.Series(weight_N)[reached].groupby(table["subject_id"][reached]).sum()
    assert totals.to_numpy() == pytest.approx(np.ones(len(totals)))


def test_what_counts_for_nobody_has_no_people() -> None:
    found = people_of_groups(sums([1, 2], [1.0, 2.0], [False] * 2), grouping([0, 1], 2))
    assert isinstance(found, PeopleOfGroups)
    assert found.inside.people_G.tolist() == [0, 0]
    assert np.isnan(found.inside.mean_G).all()
