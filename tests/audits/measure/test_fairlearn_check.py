from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from audits.measure import fairlearn_check
from audits.measure.fairlearn_check import check_against_metric_frame, fairlearn_values
from audits.measure.groups import by_attribute, intersections
from audits.measure.intervals import bootstrap
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric, available_measures
from contracts.errors import IntegrityError

TableOf = Callable[..., pd.DataFrame]
COMPARED = (
    Metric.MEAN_ABSOLUTE_ERROR,
    Metric.COVERAGE,
    *fairlearn_check.CHANCE_METRICS,
    *fairlearn_check.SELECTION_METRICS,
)


def test_group_values_are_metric_frames_on_attributes_and_their_pairs(table_of: TableOf) -> None:
    table = table_of(200, groups={"sex": ("f", "m"), "age": ("a", "b", "c")}, models=("candidate",))
    single = by_attribute(table)
    every = [*single, *intersections(single)]
    measured = tuple(m for metric in COMPARED for m in available_measures(table, metric))
    ours = bootstrap(table, every, measured, replicates=0, seed=0, thresholds=MetricThresholds())
    for scores in ours:
        theirs = fairlearn_values(table, scores.grouping, measured, MetricThresholds())
        assert np.isfinite(theirs).all()
        np.testing.assert_allclose(scores.value_GM, theirs)


def test_a_difference_from_metric_frame_stops_the_audit(
    candidate: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_against_metric_frame(candidate, by_attribute(candidate), MetricThresholds()) < 1e-9
    honest = fairlearn_check.bootstrap

    def wrong(*given: object, **named: object) -> object:
        (scores,) = honest(*given, **named)  # type: ignore[arg-type]
        scores.value_GM[0, 0] += 0.01
        return [scores]

    monkeypatch.setattr(fairlearn_check, "bootstrap", wrong)
    with pytest.raises(IntegrityError, match=r"differ from MetricFrame's by 0\.01"):
        check_against_metric_frame(candidate, by_attribute(candidate), MetricThresholds())


def test_a_group_without_positives_has_no_false_negative_rate(candidate: pd.DataFrame) -> None:
    table = candidate.assign(**{"reached:important gain": candidate["group:sex"] == "female"})
    (missed,) = available_measures(table, Metric.FALSE_NEGATIVE_RATE)
    assert isinstance(missed, Measure)
    (scores,) = bootstrap(
        table, by_attribute(table), (missed,), replicates=0, seed=0, thresholds=MetricThresholds()
    )
    male = scores.grouping.labels_G.index("male")
    assert np.isnan(scores.value_GM[male, 0])
    assert check_against_metric_frame(table, by_attribute(table), MetricThresholds()) < 1e-9
