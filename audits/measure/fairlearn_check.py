"""Every audit recomputes its group values with fairlearn's MetricFrame as the reference.

Only MetricFrame's `by_group` is used. Its differences skip a group whose metric is NaN, so that a
model without forecasts for a whole group would show a difference of 0; and fairlearn's rates give
0.0, the best possible false-negative rate, to a group without positives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
)
from sklearn.metrics import brier_score_loss, mean_absolute_error, precision_score, roc_auc_score

from audits.measure.groups import Grouping
from audits.measure.intervals import bootstrap
from audits.measure.metric_definitions import HIGH, LOW, MEDIAN, MetricThresholds
from audits.measure.metrics import Measure, Metric, available_measures, milestones
from audits.measure.people import person_weights
from audits.measure.prediction_table import has_forecast
from contracts.errors import IntegrityError
from contracts.predictions import CHANCE, REACHED, TRUTH

TOLERANCE = 1e-6
CHANCE_METRICS = {Metric.BRIER_SCORE: brier_score_loss, Metric.AUROC: roc_auc_score}
SELECTION_METRICS = {
    Metric.FALSE_NEGATIVE_RATE: false_negative_rate,
    Metric.FALSE_POSITIVE_RATE: false_positive_rate,
    Metric.POSITIVE_PREDICTIVE_VALUE: precision_score,
    Metric.SELECTION_RATE: selection_rate,
}


def check_against_metric_frame(
    table: pd.DataFrame, groupings: Sequence[Grouping], thresholds: MetricThresholds
) -> float:
    """Compare each group's value with MetricFrame's; return the largest difference.

    Raises
    ------
    IntegrityError
        They differ by more than rounding errors: neither can be trusted.
    """
    compared = [Metric.MEAN_ABSOLUTE_ERROR, Metric.COVERAGE, *CHANCE_METRICS, *SELECTION_METRICS]
    measured = tuple(
        measure for metric in compared for measure in available_measures(table, metric)
    )
    measured_scores = bootstrap(
        table, groupings, measured, replicates=0, seed=0, thresholds=thresholds
    )
    largest = 0.0
    for scores in measured_scores:
        reference_GM = fairlearn_values(table, scores.grouping, measured, thresholds)
        gap_GM = np.abs(scores.value_GM - reference_GM)
        # A group without a denominator is NaN here; MetricFrame gives it a number.
        largest = max(largest, float(np.nanmax(gap_GM, initial=0.0)))
    if largest > TOLERANCE:
        raise IntegrityError(
            f"audit: group values differ from MetricFrame's by {largest:.2g}",
            "reinstall the locked versions (requirements.lock); if it happens again, report it",
        )
    return largest


def fairlearn_values(
    table: pd.DataFrame,
    grouping: Grouping,
    measured: Sequence[Measure],
    thresholds: MetricThresholds,
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return MetricFrame's value of each measure in each group, (G, M)."""
    rows = table[has_forecast(table)]
    # By number, not by label: the labels of two intersections may read alike.
    group = pd.Series(grouping.group_N, index=table.index)[rows.index]
    value_GM = np.full((len(grouping.labels_G), len(measured)), np.nan)
    for name in (None, *milestones(table)):
        of_milestone = [m for m, measure in enumerate(measured) if measure.milestone == name]
        for functions, truth, forecast in _inputs(rows, name, thresholds):
            columns = [m for m in of_milestone if measured[m].metric in functions]
            if columns and len(rows):
                weights = {
                    str(m): {"sample_weight": _weights(table, measured[m], thresholds)}
                    for m in columns
                }
                frame = MetricFrame(
                    metrics={str(m): _defined(functions[measured[m].metric]) for m in columns},
                    y_true=truth,
                    y_pred=forecast,
                    sensitive_features=group,
                    sample_params=weights,
                )
                by_group = frame.by_group
                for m in columns:
                    value_GM[by_group.index.astype(int), m] = by_group[str(m)]
    return value_GM


def _weights(
    table: pd.DataFrame, measure: Measure, thresholds: MetricThresholds
) -> pd.Series[float]:
    """Return the weights of rows with a forecast, by which people and not rows weigh alike."""
    weight_N = person_weights(table, measure, thresholds)
    return pd.Series(weight_N, index=table.index)[has_forecast(table)]


MetricFunctions = dict[Metric, Callable[..., float]]


def _inputs(
    rows: pd.DataFrame, milestone: str | None, thresholds: MetricThresholds
) -> list[tuple[MetricFunctions, pd.Series[Any], pd.Series[Any]]]:
    if milestone is None:
        if TRUTH not in rows.columns:
            return []
        inside = (rows[TRUTH] >= rows[LOW]) & (rows[TRUTH] <= rows[HIGH])
        return [
            ({Metric.MEAN_ABSOLUTE_ERROR: mean_absolute_error}, rows[TRUTH], rows[MEDIAN]),
            ({Metric.COVERAGE: selection_rate}, inside.astype(int), inside.astype(int)),
        ]
    reached = rows[REACHED + milestone].astype(int)
    chance = rows[CHANCE + milestone]
    selected = (chance >= thresholds.decision_threshold).astype(int)
    return [(CHANCE_METRICS, reached, chance), (SELECTION_METRICS, reached, selected)]


def _defined(metric: Callable[..., float]) -> Callable[..., float]:
    """Return a metric that is NaN, not a warning or a default, for a group of one class."""

    def value_of(
        truth: pd.Series[Any], forecast: pd.Series[Any], sample_weight: pd.Series[float]
    ) -> float:
        if metric is mean_absolute_error or metric is selection_rate or metric is brier_score_loss:
            return float(metric(truth, forecast, sample_weight=sample_weight))
        if len(np.unique(truth)) < 2 or (metric is precision_score and not np.any(forecast)):
            return float("nan")
        return float(metric(truth, forecast, sample_weight=sample_weight))

    return value_of
