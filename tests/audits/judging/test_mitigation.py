from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audits.judging.mitigation import METHODS, MethodResult, compare
from audits.judging.policy import Policy
from audits.judging.units import POINTS
from audits.measure.metrics import Measure, Metric
from audits.report.mitigation import comparison_document
from contracts.errors import ContractError

TableOf = Callable[..., pd.DataFrame]
PLAIN, BY_GROUP = "as registered", "group-conditional calibration"


@pytest.fixture(scope="module")
def skewed(table_of: TableOf) -> pd.DataFrame:
    """Women are promised nine points too much."""
    return table_of(400, extra_error={("sex", "female"): 9.0}, models=("candidate",))


def everything(measure: Measure, group: str | None) -> bool:
    return True


def by_method(results: list[MethodResult], metric: Metric) -> dict[str, MethodResult]:
    return {result.method: result for result in results if result.measure.metric is metric}


def test_every_method_is_shown_beside_the_registered_version_with_accuracy_and_gap(
    skewed: pd.DataFrame, quick_policy: Policy
) -> None:
    results = compare(skewed, "sex", quick_policy, {"Group DRO": skewed}, may_show=everything)
    errors = by_method(results, Metric.MEAN_ABSOLUTE_ERROR)
    assert set(errors) == {PLAIN, "Group DRO", *METHODS}
    assert all(result.overall_interval and result.gap_interval for result in results)
    assert errors["Group DRO"].gap == errors[PLAIN].gap


def test_calibration_by_group_closes_a_gap_that_a_shift_made(
    skewed: pd.DataFrame, quick_policy: Policy
) -> None:
    results = compare(skewed, "sex", quick_policy, {}, may_show=everything)
    errors, coverage = (
        by_method(results, Metric.MEAN_ABSOLUTE_ERROR),
        by_method(results, Metric.COVERAGE),
    )
    assert errors[PLAIN].gap > 5
    assert errors[BY_GROUP].gap < 1
    assert errors[BY_GROUP].overall < errors[PLAIN].overall
    assert coverage[BY_GROUP].gap < 0.15 < coverage[PLAIN].gap


def test_thresholds_by_group_even_out_who_is_missed_and_leave_scores_alone(
    table_of: TableOf, quick_policy: Policy
) -> None:
    low = table_of(500, extra_error={("sex", "female"): -6.0}, models=("candidate",))
    results = compare(low, "sex", quick_policy, {}, may_show=everything)
    name = next(name for name in METHODS if "Threshold" in name)
    missed, errors = (
        by_method(results, Metric.FALSE_NEGATIVE_RATE),
        by_method(results, Metric.MEAN_ABSOLUTE_ERROR),
    )
    assert missed[name].gap < missed[PLAIN].gap / 2
    assert errors[name].gap == errors[PLAIN].gap


@pytest.mark.parametrize("name", METHODS)
def test_no_person_is_changed_by_what_was_learned_of_them(
    skewed: pd.DataFrame, quick_policy: Policy, name: str
) -> None:
    seen, rows = skewed[skewed["fold"] != 0], skewed[skewed["fold"] == 0]
    changed = METHODS[name](seen, rows.copy(), "group:sex")
    outcome = {"truth": 0.0, "reached:important gain": False}
    blind = METHODS[name](seen, rows.assign(**outcome), "group:sex")
    same = [c for c in changed.columns if c not in outcome]
    pd.testing.assert_frame_equal(changed[same], blind[same])
    quantiles = changed[[c for c in changed.columns if c[0] == "q"]].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_a_variant_is_counted_on_the_forecasts_that_the_registered_version_gives(
    skewed: pd.DataFrame, quick_policy: Policy
) -> None:
    refusing = skewed.assign(refused=skewed["subject_id"] % 3 == 0)
    by_name = by_method(
        compare(refusing, "sex", quick_policy, {"same": skewed}, may_show=everything),
        Metric.MEAN_ABSOLUTE_ERROR,
    )
    assert by_name["same"].overall == by_name[PLAIN].overall


@pytest.mark.parametrize("lost", ["fold", "group:sex"])
def test_without_folds_or_the_attribute_nothing_is_compared(
    skewed: pd.DataFrame, quick_policy: Policy, lost: str
) -> None:
    with pytest.raises(ContractError, match=lost):
        compare(skewed.drop(columns=lost), "sex", quick_policy, {}, may_show=everything)


def test_the_comparison_recommends_none_and_says_what_was_not_trained(
    skewed: pd.DataFrame, quick_policy: Policy, tmp_path: Path
) -> None:
    results = compare(skewed, "sex", quick_policy, {"Group DRO": skewed}, may_show=everything)
    document = comparison_document(results, "sex", "arm/3", tmp_path, POINTS)
    text = str(document)
    assert "None is recommended" in text
    assert "Not trained here" in text
    assert "reweighing" in text
    assert "Group DRO," not in text.split("Not trained here")[1].split(";")[0]
    assert (tmp_path / "mitigation.svg").stat().st_size > 5000


def test_a_gap_is_between_groups_that_may_be_shown_or_there_is_none(
    table_of: TableOf, quick_policy: Policy, tmp_path: Path
) -> None:
    groups = {"arm": ("left", "right", "both")}
    table = table_of(200, groups=groups, extra_error={("arm", "both"): 30.0}, models=("candidate",))

    def without(*hidden: str) -> list[MethodResult]:
        return compare(
            table, "arm", quick_policy, {}, may_show=lambda _, group: group not in hidden
        )

    shown = by_method(without("both"), Metric.MEAN_ABSOLUTE_ERROR)[PLAIN]
    assert shown.left_out == ("both",)
    assert shown.gap is not None
    assert shown.gap < 3
    results = without("both", "left")
    assert {(r.gap, r.gap_interval) for r in results} == {(None, None)}
    page = comparison_document(results, "arm", "arm/3", tmp_path, POINTS)
    assert "Left out" in str(page.as_record())
