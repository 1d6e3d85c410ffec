from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error

from audits.measure.disparity import Statistic, estimates
from audits.measure.groups import Grouping, by_attribute, everyone, intersections
from audits.measure.intervals import Scores, bootstrap, percentile_interval
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric, available_measures

ERROR = (Measure(metric=Metric.MEAN_ABSOLUTE_ERROR),)


def drawn(
    table: pd.DataFrame,
    grouping: Grouping,
    measured: tuple[Measure, ...] = ERROR,
    **options: int,
) -> Scores:
    settings = {"replicates": 400, "seed": 1, **options}
    (scores,) = bootstrap(table, [grouping], measured, thresholds=MetricThresholds(), **settings)
    return scores


def disparity(scores: Scores, statistic: Statistic) -> NDArray[np.float64]:
    enough_G = np.ones(len(scores.grouping.labels_G), dtype=np.bool_)
    return np.stack([e.replicate_R for e in estimates(scores, 0, statistic, enough_G)], axis=1)


def test_it_agrees_with_metric_frames_bootstrap_where_each_person_has_one_row(
    table_of: Callable[..., pd.DataFrame],
) -> None:
    table = table_of(300, horizons=(84,), models=("candidate",))
    grouping = by_attribute(table)[0]
    frame = MetricFrame(
        metrics=mean_absolute_error,
        y_true=table["truth"],
        y_pred=table["q50"],
        sensitive_features=table["group:sex"],
        n_boot=400,
        ci_quantiles=[0.025, 0.975],
        random_state=1,
    )
    ours = drawn(table, grouping, replicates=4000)
    for group, label in enumerate(grouping.labels_G):
        interval = percentile_interval(ours.value_RGM[:, group, 0], confidence=0.95)
        theirs = [float(bound[label]) for bound in frame.by_group_ci]
        assert interval is not None
        # The 2.5 % quantile of 400 normal draws has a standard error of 0.13 deviations, and the
        # interval is 3.9 deviations wide: three standard errors are a tenth of the width.
        width = interval.high - interval.low
        assert [interval.low, interval.high] == pytest.approx(theirs, abs=0.1 * width)


def test_repeating_every_row_of_a_person_tells_nothing_new(
    table_of: Callable[..., pd.DataFrame],
) -> None:
    table = table_of(80, models=("candidate",))
    twice = pd.concat([table, table], ignore_index=True)
    np.testing.assert_allclose(
        disparity(drawn(table, by_attribute(table)[0]), Statistic.DIFFERENCE),
        disparity(drawn(twice, by_attribute(twice)[0]), Statistic.DIFFERENCE),
    )


def by_hand(subjects: list[int], truths: list[float], groups: list[int]) -> Scores:
    """Score forecasts of 0, so that the error is the truth."""
    table = pd.DataFrame({"subject_id": subjects, "truth": truths, "q50": 0.0, "horizon_day": 1})
    grouping = Grouping(
        axis="x", attributes=("x",), labels_G=("a", "b"), group_N=np.array(groups, dtype=np.intp)
    )
    return drawn(table, grouping, replicates=200, seed=0)


def test_replicates_are_weighted_ratios_of_sums() -> None:
    scores = by_hand([7, 7, 8], [1.0, 3.0, 10.0], [0, 0, 1])
    value_RG = scores.value_RGM[:, :, 0]
    # Two people: a replicate draws the first twice, the second twice, or each once.
    seen = {tuple(pair) for pair in np.nan_to_num(value_RG, nan=-1).tolist()}
    assert seen == {(2.0, -1.0), (-1.0, 10.0), (2.0, 10.0)}
    np.testing.assert_array_equal(scores.rest_RGM[:, 0, 0], value_RG[:, 1])
    assert scores.value_GM[:, 0].tolist() == [2.0, 10.0]


def test_a_person_with_rows_in_two_groups_is_drawn_into_both_at_once() -> None:
    scores = by_hand([7, 7, 8, 8], [1.0, 10.0, 3.0, 30.0], [0, 1, 0, 1])
    seen = {tuple(pair) for pair in scores.value_RGM[:, :, 0].tolist()}
    assert seen == {(1.0, 10.0), (3.0, 30.0), (2.0, 20.0)}


def test_pairs_are_resampled_as_if_they_were_asked_for_alone(
    table_of: Callable[..., pd.DataFrame],
) -> None:
    table = table_of(90, groups={"sex": ("f", "m"), "age": ("a", "b", "c")}, models=("candidate",))
    single = by_attribute(table)
    (pair,) = intersections(single)
    options = {"replicates": 50, "seed": 3, "thresholds": MetricThresholds()}
    together = bootstrap(table, [pair, everyone(table), *single], ERROR, **options)
    for scores in together:
        (alone,) = bootstrap(table, [scores.grouping], ERROR, **options)
        np.testing.assert_allclose(scores.value_RGM, alone.value_RGM)
        np.testing.assert_allclose(scores.rest_RGM, alone.rest_RGM)


@pytest.mark.parametrize("method", ["difference", "ratio"])
def test_the_disparity_itself_agrees_with_metric_frames_bootstrap(
    table_of: Callable[..., pd.DataFrame], method: str
) -> None:
    table = table_of(
        300, horizons=(84,), models=("candidate",), groups={"age": ("a", "b", "c")},
        extra_error={("age", "a"): 3.0},
    )  # fmt: skip
    frame = MetricFrame(
        metrics=mean_absolute_error, y_true=table["truth"], y_pred=table["q50"],
        sensitive_features=table["group:age"], n_boot=400, ci_quantiles=[0.025, 0.975],
        random_state=1,
    )  # fmt: skip
    theirs = getattr(frame, f"{method}_ci")(method="between_groups")
    statistic = {"difference": Statistic.DIFFERENCE_BETWEEN, "ratio": Statistic.RATIO_BETWEEN}[
        method
    ]
    ours = disparity(drawn(table, by_attribute(table)[0], replicates=4000), statistic)[:, 0]
    interval = percentile_interval(ours, confidence=0.95)
    assert interval is not None
    tolerance = 0.1 * (interval.high - interval.low)
    assert [interval.low, interval.high] == pytest.approx(list(theirs), abs=tolerance)


def test_every_metric_is_bootstrapped_in_one_go(table_of: Callable[..., pd.DataFrame]) -> None:
    table = table_of(60, models=("candidate",))
    measured = tuple(measure for metric in Metric for measure in available_measures(table, metric))
    scores = drawn(table, by_attribute(table)[0], measured)
    assert len({measure.metric for measure in measured}) >= 15
    assert np.isfinite(scores.value_RGM).all()
    assert np.isfinite(scores.rest_RGM).all()


def test_chunks_bound_memory_and_change_nothing(candidate: pd.DataFrame) -> None:
    grouping = by_attribute(candidate)[0]
    whole, chunked = (
        drawn(candidate, grouping, weights_at_once=most).value_RGM for most in (10**9, 1000)
    )
    np.testing.assert_array_equal(whole, chunked)


def test_the_seed_decides(candidate: pd.DataFrame) -> None:
    one, same, other = (drawn(candidate, everyone(candidate), seed=s).value_RGM for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for trial in range(200):
        person_S = rng.normal(size=60)
        value_N = np.repeat(person_S, 3) + 0.3 * rng.normal(size=180)
        table = pd.DataFrame(
            {"subject_id": np.repeat(np.arange(60), 3), "truth": 0.0, "q50": value_N}
        ).assign(horizon_day=1)
        signed = (Measure(metric=Metric.SIGNED_ERROR),)
        scores = drawn(table, everyone(table), signed, replicates=300, seed=trial)
        interval = percentile_interval(scores.value_RGM[:, 0, 0], confidence=0.95)
        assert interval is not None
        held += interval.low <= 0 <= interval.high
    # 95 % less what a percentile interval of 60 people lacks; drawing rows would hold 70 %.
    assert 0.89 <= held / 200 <= 0.99


@pytest.mark.parametrize(("undefined", "is_told"), [(0, True), (5, True), (6, False), (100, False)])
def test_more_than_one_undefined_replicate_in_twenty_leaves_no_interval(
    undefined: int, is_told: bool
) -> None:
    replicate_R: NDArray[np.float64] = np.arange(100.0)
    replicate_R[:undefined] = np.nan
    assert (percentile_interval(replicate_R, confidence=0.9) is not None) == is_told
