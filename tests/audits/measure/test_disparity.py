from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from audits.measure.clustered.draws import Draws
from audits.measure.disparity import Direction, Estimate, Statistic, estimates, p_value, paired
from audits.measure.groups import Grouping
from audits.measure.intervals import Scores
from audits.measure.metrics import Measure, Metric

VALUES = [2.0, 5.0, 3.0]
OF_PEOPLE = Draws(replicates=2, people_G=np.full(5, 9.0), clusters_KG=np.empty((0, 5)))


def scores_of(metric: Metric, value_G: list[float], overall: float = 3.0) -> Scores:
    def shaped(values: list[float]) -> NDArray[np.float64]:
        return np.array(values)[:, None]

    value_GM, rest_GM = shaped(value_G), shaped([1.0] * len(value_G))
    overall_GM = shaped([overall] * len(value_G))
    many: dict[str, Any] = {
        name: np.stack([array, array + 1])
        for name, array in (("value", value_GM), ("rest", rest_GM), ("overall", overall_GM))
    }
    return Scores(
        grouping=Grouping(
            axis="x", attributes=("x",), labels_G=tuple("abcde"[: len(value_G)]),
            group_N=np.arange(len(value_G)),
        ),
        measured=(Measure(metric=metric),),
        value_GM=value_GM, rest_GM=rest_GM, overall_GM=overall_GM,
        value_RGM=many["value"], rest_RGM=many["rest"], overall_RGM=many["overall"],
        draws=OF_PEOPLE,
    )  # fmt: skip


def values_of(
    statistic: Statistic, metric: Metric = Metric.MEAN_ABSOLUTE_ERROR, **enough: Any
) -> list[float]:
    enough_G = enough.get("enough_G", np.ones(3, dtype=np.bool_))
    return [e.value for e in estimates(scores_of(metric, VALUES), 0, statistic, enough_G)]


@pytest.mark.parametrize(
    ("statistic", "values"),
    [
        (Statistic.VALUE, [2, 5, 3]),
        (Statistic.DIFFERENCE, [1, 4, 2]),
        (Statistic.RATIO, [2, 5, 3]),
        (Statistic.DIFFERENCE_BETWEEN, [3]),
        (Statistic.RATIO_BETWEEN, [0.4]),
        (Statistic.WORST_GROUP, [2]),
    ],
)
def test_a_statistic_can_be_checked_by_hand(statistic: Statistic, values: list[float]) -> None:
    assert values_of(statistic) == values


@pytest.mark.parametrize(
    ("metric", "worst"),
    [(Metric.MEAN_ABSOLUTE_ERROR, 2), (Metric.COVERAGE, 1), (Metric.CALIBRATION_SLOPE, 2)],
)
def test_the_worst_group_depends_on_which_way_the_metric_is_better(
    metric: Metric, worst: float
) -> None:
    assert values_of(Statistic.WORST_GROUP, metric) == [worst]


def test_groups_too_small_stay_out_of_a_statistic_of_all_groups() -> None:
    assert values_of(Statistic.DIFFERENCE_BETWEEN, enough_G=np.array([True, False, True])) == [1.0]
    for enough in ([True, False, False], [False, False, False]):
        assert np.isnan(values_of(Statistic.DIFFERENCE_BETWEEN, enough_G=np.array(enough))).all()


def test_a_group_without_a_value_leaves_no_statistic_of_all_groups() -> None:
    scores = scores_of(Metric.MEAN_ABSOLUTE_ERROR, [2.0, np.nan, 3.0])
    (only,) = estimates(scores, 0, Statistic.DIFFERENCE_BETWEEN, np.ones(3, dtype=np.bool_))
    assert np.isnan(only.value)


def test_a_comparison_is_taken_draw_by_draw() -> None:
    one, other = (
        scores_of(Metric.MEAN_ABSOLUTE_ERROR, VALUES),
        scores_of(Metric.MEAN_ABSOLUTE_ERROR, [1.0, 5.0, 7.0]),
    )
    assert [e.value for e in paired(one, other, 0)] == [1.0, 0.0, -4.0]
    assert [e.replicate_R.tolist() for e in paired(one, other, 0)] == [[1, 1], [0, 0], [-4, -4]]


def drawn(value: float, error: float) -> Estimate:
    draws = norm.ppf(np.linspace(0.001, 0.999, 999), loc=value, scale=error)
    return Estimate(group=0, value=value, replicate_R=draws)


@given(st.floats(-10, 10), st.sampled_from(list(Direction)))
def test_a_p_value_is_that_of_the_limit_and_on_its_right_side(
    value: float, direction: Direction
) -> None:
    p = p_value(direction, 4.0, drawn(value, 1.0), OF_PEOPLE, is_ratio=False)
    assert p is not None
    good = {
        Direction.AT_MOST: value <= 4, Direction.AT_LEAST: value >= 4,
        Direction.WITHIN: abs(value) <= 4,
    }[direction]  # fmt: skip
    assert (p >= 0.5) == good


def test_p_values_without_spread_or_without_a_value() -> None:
    flat = Estimate(group=0, value=5.0, replicate_R=np.full(9, 5.0))
    assert p_value(Direction.AT_MOST, 4.0, flat, OF_PEOPLE, is_ratio=False) == 0.0
    assert p_value(Direction.AT_MOST, 6.0, flat, OF_PEOPLE, is_ratio=False) == 1.0
    none = Estimate(group=0, value=float("nan"), replicate_R=np.full(9, np.nan))
    assert p_value(Direction.AT_MOST, 4.0, none, OF_PEOPLE, is_ratio=False) is None
