from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audits.measure.definitions import Yardsticks
from audits.measure.intervals import bootstrap
from audits.measure.measures import Measure, Metric, addends, horizons, measures
from audits.measure.partitions import everyone
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
        table, [everyone(table)], (measure,), replicates=0, seed=0, yardsticks=Yardsticks()
    )
    return float(scores.value_GM[0, 0])


def test_explanations_are_measured_on_those_explained_only() -> None:
    table = TABLE.assign(explanation_gap=[0.0, 0.5, np.nan, np.nan])
    assert measured(Metric.GAP, table) == pytest.approx(0.25)
    assert np.isnan(measured(Metric.GAP, table, horizon_day=84))


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (Metric.ERROR, (1 + 5 + 2 + 2) / 4),
        (Metric.SIGNED, (1 + 5 - 2 + 2) / 4),
        (Metric.WITHIN, 3 / 4),
        (Metric.COVERAGE, 3 / 4),
        (Metric.WIDTH, (7 + 9 + 10 + 20) / 4),
        (Metric.BRIER, (0.25 + 0.51**2 + 0.36 + 0.01) / 4),
        (Metric.AUROC, 2 / 4),
        (Metric.MISSED, 1 / 2),
        (Metric.ALARM, 1 / 2),
        (Metric.PRECISION, 1 / 2),
        (Metric.SELECTION, 2 / 4),
        (Metric.BENEFIT, (1 - 1) / 4),
        (Metric.DELAY, 25.0),
        (Metric.LOST, 4 / 8),
    ],
)
def test_a_metric_can_be_checked_by_hand(metric: Metric, value: float) -> None:
    assert measured(metric) == pytest.approx(value)


def test_calibration_is_the_line_of_truth_on_forecast() -> None:
    slope, intercept = np.polyfit(TABLE["q50"], TABLE["truth"], 1)
    assert measured(Metric.SLOPE) == pytest.approx(slope)
    assert measured(Metric.INTERCEPT) == pytest.approx(intercept)
    same = TABLE.assign(q50=28.0)
    assert np.isnan(measured(Metric.SLOPE, same))


def test_crps_of_a_certain_forecast_is_its_error() -> None:
    certain = TABLE.assign(**{name: TABLE["q50"] for name in QUANTILE_COLUMNS})
    assert len(QUANTILE_LEVELS) == len(QUANTILE_COLUMNS)
    assert measured(Metric.CRPS, certain) == pytest.approx(measured(Metric.ERROR, certain))


def test_a_horizon_is_measured_alone() -> None:
    assert horizons(TABLE) == (42, 84)
    assert measured(Metric.ERROR, horizon_day=42) == 3.0
    assert measured(Metric.ERROR, horizon_day=84) == 2.0
    assert np.isnan(measured(Metric.ERROR, horizon_day=21))


def test_a_refused_row_counts_for_the_refusal_rate_and_for_nothing_else() -> None:
    told = TABLE.assign(refused=[False, True, False, False], q50=[11.0, np.nan, 28.0, 42.0])
    assert measured(Metric.REFUSALS, told) == 1 / 4
    assert measured(Metric.ERROR, told) == pytest.approx(5 / 3)


def test_a_metric_of_milestones_is_measured_once_per_milestone() -> None:
    (missed,) = measures(TABLE, Metric.MISSED)
    assert missed.name == "false-negative rate: walks"
    assert [measure.name for measure in measures(TABLE, Metric.ERROR)] == ["mean absolute error"]
    assert len(measures(TABLE, Metric.ERROR, (None, *horizons(TABLE)))) == 3


@pytest.mark.parametrize("metric", [Metric.WEAR, Metric.GAP, Metric.REFUSALS])
def test_a_metric_without_its_column_is_not_available(metric: Metric) -> None:
    assert measures(TABLE, metric) == ()


def test_every_metric_says_of_whom_it_is() -> None:
    assert all(len(metric.definition.denominator) > 5 for metric in Metric)


@pytest.mark.parametrize("column", ["truth", "q50"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_missing_number_is_refused_and_never_skipped(column: str, value: float) -> None:
    broken = TABLE.assign(**{column: [value, *TABLE[column][1:]]})
    with pytest.raises(ContractError, match=rf"{column}: 1 row\(s\) are not finite"):
        addends(broken, Measure(metric=Metric.ERROR), Yardsticks())
