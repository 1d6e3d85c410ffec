from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from audits.measure import reference
from audits.measure.definitions import Yardsticks
from audits.measure.intervals import bootstrap
from audits.measure.measures import Measure, Metric, measures
from audits.measure.partitions import axes, pairs
from audits.measure.reference import check_against_metric_frame, reference_values
from contracts.errors import IntegrityError

TableOf = Callable[..., pd.DataFrame]
COMPARED = (Metric.ERROR, Metric.COVERAGE, *reference.OF_CHANCES, *reference.OF_SELECTIONS)


def test_group_values_are_metric_frames_on_attributes_and_their_pairs(table_of: TableOf) -> None:
    table = table_of(200, groups={"sex": ("f", "m"), "age": ("a", "b", "c")}, models=("candidate",))
    single = axes(table)
    every = [*single, *pairs(single)]
    measured = tuple(m for metric in COMPARED for m in measures(table, metric))
    ours = bootstrap(table, every, measured, replicates=0, seed=0, yardsticks=Yardsticks())
    for scores in ours:
        theirs = reference_values(table, scores.partition, measured, Yardsticks())
        assert np.isfinite(theirs).all()
        np.testing.assert_allclose(scores.value_GM, theirs)


def test_a_difference_from_metric_frame_stops_the_audit(
    candidate: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_against_metric_frame(candidate, axes(candidate), Yardsticks()) < 1e-9
    honest = reference.bootstrap

    def wrong(*given: object, **named: object) -> object:
        (scores,) = honest(*given, **named)  # type: ignore[arg-type]
        scores.value_GM[0, 0] += 0.01
        return [scores]

    monkeypatch.setattr(reference, "bootstrap", wrong)
    with pytest.raises(IntegrityError, match=r"differ from MetricFrame's by 0\.01"):
        check_against_metric_frame(candidate, axes(candidate), Yardsticks())


def test_a_group_without_positives_has_no_false_negative_rate(candidate: pd.DataFrame) -> None:
    table = candidate.assign(**{"reached:important gain": candidate["group:sex"] == "female"})
    (missed,) = measures(table, Metric.MISSED)
    assert isinstance(missed, Measure)
    (scores,) = bootstrap(
        table, axes(table), (missed,), replicates=0, seed=0, yardsticks=Yardsticks()
    )
    male = scores.partition.labels_G.index("male")
    assert np.isnan(scores.value_GM[male, 0])
    assert check_against_metric_frame(table, axes(table), Yardsticks()) < 1e-9
