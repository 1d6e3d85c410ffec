"""fairlearn's MetricFrame as the reference: every audit recomputes its group values with it.

MetricFrame is asked for `by_group` only. Its gaps are not used: they skip a group whose metric is
NaN, so that a model silent for all of a group would show a difference of 0, and fairlearn's rates
give 0.0, the best false-negative rate there is, to a group without positives.
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

from audits.measure.admission import given
from audits.measure.definitions import HIGH, LOW, MEDIAN, Yardsticks
from audits.measure.intervals import bootstrap
from audits.measure.measures import Measure, Metric, measures, milestones
from audits.measure.partitions import Partition
from contracts.errors import IntegrityError
from contracts.predictions import CHANCE, REACHED, TRUTH

TOLERANCE = 1e-6
OF_CHANCES = {Metric.BRIER: brier_score_loss, Metric.AUROC: roc_auc_score}
OF_SELECTIONS = {
    Metric.MISSED: false_negative_rate,
    Metric.ALARM: false_positive_rate,
    Metric.PRECISION: precision_score,
    Metric.SELECTION: selection_rate,
}


def check_against_metric_frame(
    table: pd.DataFrame, partitions: Sequence[Partition], yardsticks: Yardsticks
) -> float:
    """Compare our value of each group with MetricFrame's; return the largest difference.

    Raises
    ------
    IntegrityError
        They differ by more than rounding: no verdict may rest on either.
    """
    compared = [Metric.ERROR, Metric.COVERAGE, *OF_CHANCES, *OF_SELECTIONS]
    measured = tuple(measure for metric in compared for measure in measures(table, metric))
    ours = bootstrap(table, partitions, measured, replicates=0, seed=0, yardsticks=yardsticks)
    worst = 0.0
    for scores in ours:
        theirs_GM = reference_values(table, scores.partition, measured, yardsticks)
        gap_GM = np.abs(scores.value_GM - theirs_GM)
        # A group without a denominator has no value here, and a made-up one there.
        worst = max(worst, float(np.nanmax(gap_GM, initial=0.0)))
    if worst > TOLERANCE:
        raise IntegrityError(f"audit: group values differ from MetricFrame's by {worst:.2g}")
    return worst


def reference_values(
    table: pd.DataFrame,
    partition: Partition,
    measured: Sequence[Measure],
    yardsticks: Yardsticks,
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return MetricFrame's value of measures in each group, (G, M)."""
    rows = table[given(table)]
    # By number, not by label: two pairs of labels may read alike.
    group = pd.Series(partition.group_N, index=table.index)[rows.index]
    told = np.full((len(partition.labels_G), len(measured)), np.nan)
    for name in (None, *milestones(table)):
        here = [place for place, measure in enumerate(measured) if measure.milestone == name]
        for kind, truth, forecast in _inputs(rows, name, yardsticks):
            places = [p for p in here if measured[p].metric in kind]
            if places and len(rows):
                frame = MetricFrame(
                    metrics={str(p): _quiet(kind[measured[p].metric], rows) for p in places},
                    y_true=truth,
                    y_pred=forecast,
                    sensitive_features=group,
                )
                by_group = frame.by_group
                for place in places:
                    told[by_group.index.astype(int), place] = by_group[str(place)]
    return told


Kind = dict[Metric, Callable[..., float]]


def _inputs(
    rows: pd.DataFrame, milestone: str | None, yardsticks: Yardsticks
) -> list[tuple[Kind, pd.Series[Any], pd.Series[Any]]]:
    if milestone is None:
        if TRUTH not in rows.columns:
            return []
        inside = (rows[TRUTH] >= rows[LOW]) & (rows[TRUTH] <= rows[HIGH])
        return [
            ({Metric.ERROR: mean_absolute_error}, rows[TRUTH], rows[MEDIAN]),
            ({Metric.COVERAGE: selection_rate}, inside.astype(int), inside.astype(int)),
        ]
    reached = rows[REACHED + milestone].astype(int)
    chance = rows[CHANCE + milestone]
    selected = (chance >= yardsticks.decision_threshold).astype(int)
    return [(OF_CHANCES, reached, chance), (OF_SELECTIONS, reached, selected)]


def _quiet(metric: Callable[..., float], rows: pd.DataFrame) -> Callable[..., float]:
    """Return a metric that says NaN for a group of one class, where it would warn or make up."""

    def measured(truth: pd.Series[Any], forecast: pd.Series[Any]) -> float:
        if metric is mean_absolute_error or metric is selection_rate or metric is brier_score_loss:
            return float(metric(truth, forecast))
        if len(np.unique(truth)) < 2 or (metric is precision_score and not np.any(forecast)):
            return float("nan")
        return float(metric(truth, forecast))

    return measured
