from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audits.measure.groups import everyone
from audits.measure.intervals import bootstrap
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric, addends, available_measures, horizons
from contracts.errors import ContractError
from contracts.forecast import QUANTILE_LEVELS
from contracts.predictions import QUANTILE_COLUMNS

TABLE = pd.DataFrame(
    {
        "subject_id": [1, 2, 3, 4],
        "origin_day": [0, 0, 0, 0],
        "horizon_day": [42, 42, 84, 84],
        "days_since_onset": [10.0, 20.0, 30.0, 40.0],
        "truth": [10.0, 20.0, 30.0, 40.0],
        "q10": [8.0, 21.0, 20.0, 30.0],
        "q50": [11.0, 25.0, 28.0, 42.0],
        "q90": [15.0, 30.0, 30.0, 50.0],
        "chance:walks": [0.5, 0.49, 0.6, 0.1],
        "reached:walks": [True, True, False, False],
    }
)


def measured(metric: Metric, table: pd.DataFrame = TABLE, horizon_day: int | None = None) -> float:
    measure = Measure(
        metric=metric, milestone="walks" if metric.of_milestone else None, horizon_day=horizon_day
    )
    (scores,) = bootstrap(
        table, [everyone(table)], (measure,), replicates=0, seed=0, thresholds=MetricThresholds()
    )
    return float(scores.value_GM[0, 0])


def test_explanations_are_measured_on_those_explained_only() -> None:
    table = TABLE.assign(explanation_gap=[0.0, 0.5, np.nan, np.nan])
    assert measured(Metric.EXPLANATION_GAP, table) == pytest.approx(0.25)
    assert np.isnan(measured(Metric.EXPLANATION_GAP, table, horizon_day=84))


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (Metric.MEAN_ABSOLUTE_ERROR, (1 + 5 + 2 + 2) / 4),
        (Metric.SIGNED_ERROR, (1 + 5 - 2 + 2) / 4),
        (Metric.WITHIN_IMPORTANT_DIFFERENCE, 3 / 4),
        (Metric.COVERAGE, 3 / 4),
        (Metric.WIDTH, (7 + 9 + 10 + 20) / 4),
        (Metric.BRIER_SCORE, (0.25 + 0.51**2 + 0.36 + 0.01) / 4),
        (Metric.CALIBRATION_IN_THE_LARGE, (1.69 - 2) / 4),
        (Metric.OBSERVED_TO_EXPECTED, 2 / 1.69),
        (Metric.AUROC, 2 / 4),
        (Metric.FALSE_NEGATIVE_RATE, 1 / 2),
        (Metric.FALSE_POSITIVE_RATE, 1 / 2),
        (Metric.POSITIVE_PREDICTIVE_VALUE, 1 / 2),
        (Metric.SELECTION_RATE, 2 / 4),
        (Metric.NET_BENEFIT, (1 - 1) / 4),
        (Metric.DAYS_SINCE_ONSET, 25.0),
        (Metric.UNOBSERVED_OUTCOMES, 4 / 8),
    ],
)
def test_a_metric_can_be_checked_by_hand(metric: Metric, value: float) -> None:
    assert measured(metric) == pytest.approx(value)


def test_calibration_is_the_line_of_truth_on_forecast() -> None:
    slope, intercept = np.polyfit(TABLE["q50"], TABLE["truth"], 1)
    assert measured(Metric.CALIBRATION_SLOPE) == pytest.approx(slope)
    assert measured(Metric.CALIBRATION_INTERCEPT) == pytest.approx(intercept)
    same = TABLE.assign(q50=28.0)
    assert np.isnan(measured(Metric.CALIBRATION_SLOPE, same))


def test_crps_of_a_certain_forecast_is_its_error() -> None:
    certain = TABLE.assign(**{name: TABLE["q50"] for name in QUANTILE_COLUMNS})
    assert len(QUANTILE_LEVELS) == len(QUANTILE_COLUMNS)
    assert measured(Metric.CRPS, certain) == pytest.approx(
        measured(Metric.MEAN_ABSOLUTE_ERROR, certain)
    )


def test_a_horizon_is_measured_alone() -> None:
    assert horizons(TABLE) == (42, 84)
    assert measured(Metric.MEAN_ABSOLUTE_ERROR, horizon_day=42) == 3.0
    assert measured(Metric.MEAN_ABSOLUTE_ERROR, horizon_day=84) == 2.0
    assert np.isnan(measured(Metric.MEAN_ABSOLUTE_ERROR, horizon_day=21))


def test_a_refused_row_counts_for_the_refusal_rate_and_for_nothing_else() -> None:
    table = TABLE.assign(refused=[False, True, False, False], q50=[11.0, np.nan, 28.0, 42.0])
    assert measured(Metric.REFUSAL_RATE, table) == 1 / 4
    assert measured(Metric.MEAN_ABSOLUTE_ERROR, table) == pytest.approx(5 / 3)


def test_a_metric_of_milestones_is_measured_once_per_milestone() -> None:
    (missed,) = available_measures(TABLE, Metric.FALSE_NEGATIVE_RATE)
    assert missed.name == "false-negative rate: walks"
    assert [measure.name for measure in available_measures(TABLE, Metric.MEAN_ABSOLUTE_ERROR)] == [
        "mean absolute error"
    ]
    assert len(available_measures(TABLE, Metric.MEAN_ABSOLUTE_ERROR, (None, *horizons(TABLE)))) == 3


@pytest.mark.parametrize("metric", [Metric.WEAR_HOURS, Metric.EXPLANATION_GAP, Metric.REFUSAL_RATE])
def test_a_metric_without_its_column_is_not_available(metric: Metric) -> None:
    assert available_measures(TABLE, metric) == ()


def test_every_metric_says_of_whom_it_is() -> None:
    assert all(len(metric.definition.denominator) > 5 for metric in Metric)


@pytest.mark.parametrize("column", ["truth", "q50"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_missing_number_is_refused_and_never_skipped(column: str, value: float) -> None:
    broken = TABLE.assign(**{column: [value, *TABLE[column][1:]]})
    with pytest.raises(ContractError, match=rf"{column}: 1 row\(s\) are not finite"):
        addends(broken, Measure(metric=Metric.MEAN_ABSOLUTE_ERROR), MetricThresholds())
