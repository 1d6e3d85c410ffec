"""Accuracy per group, by fairlearn's MetricFrame. Letters: N rows of a table, G groups.

MetricFrame is asked for `by_group` and `overall` only. Its gaps are not used: they skip a group
whose metric is NaN, so that a model silent for all of a group would show a difference of 0, and
fairlearn's rates give 0.0, the best false-negative rate there is, to a group without positives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error

from audits.measures import HIGH, LIKELY, LOW, MEDIAN, Measure, Metric, known, terms
from audits.partitions import Partition
from contracts.predictions import CHANCE, REACHED, SUBJECT, TRUTH


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScore:
    """One measure of one group.

    Parameters
    ----------
    group
        Its label.
    rows, subjects
        Forecasts, and the people they are of.
    events
        People with the milestone reached in at least one row; None for other measures.
    value, rest
        The measure in the group and in everyone else; NaN where it has no denominator.
    """

    group: str
    rows: int
    subjects: int
    events: int | None
    value: float
    rest: float


def group_scores(
    table: pd.DataFrame, partition: Partition, measured: tuple[Measure, ...]
) -> dict[Measure, tuple[GroupScore, ...]]:
    """Score every group of a partition.

    Parameters
    ----------
    table
        Rows of one model (`contracts.predictions`), at least one.
    partition
        The groups.
    measured
        What to measure, at least one.

    Raises
    ------
    ContractError
        A forecast or a truth is missing.
    """
    frame = _metric_frame(table, partition, measured)
    denominator_NM = terms(table, measured).denominator_NM
    counts = [_counts(table, partition.group_N == group) for group in range(_groups(partition))]
    scores = {}
    for column, measure in enumerate(measured):
        denominator_N = denominator_NM[:, column]
        value_G = frame.by_group[measure.name].to_numpy(dtype=np.float64)
        rest_G = _rest(value_G, frame.overall[measure.name], denominator_N, partition)
        events = _events(table, partition, denominator_N) if measure.milestone is not None else None
        scores[measure] = tuple(
            GroupScore(
                group=label,
                rows=counts[group][0],
                subjects=counts[group][1],
                events=None if events is None else events[group],
                value=float(value_G[group]),
                rest=float(rest_G[group]),
            )
            for group, label in enumerate(partition.labels_G)
        )
    return scores


def _metric_frame(
    table: pd.DataFrame, partition: Partition, measured: tuple[Measure, ...]
) -> MetricFrame:
    functions = {
        Metric.ERROR: mean_absolute_error,
        Metric.SIGNED: _signed_error,
        Metric.COVERAGE: _coverage,
        Metric.MISSED: _false_negative_rate,
    }
    return MetricFrame(
        metrics={measure.name: functions[measure.metric] for measure in measured},
        y_true=known(table, TRUTH),
        y_pred=known(table, MEDIAN),
        # By number, not by label: two pairs of labels may read alike.
        sensitive_features=pd.Series(partition.group_N, name=partition.axis),
        sample_params={measure.name: _sample_params(table, measure) for measure in measured},
    )


def _sample_params(table: pd.DataFrame, measure: Measure) -> dict[str, NDArray[np.float64]]:
    if measure.milestone is not None:
        return {
            "chance_N": known(table, CHANCE + measure.milestone),
            "reached_N": known(table, REACHED + measure.milestone),
        }
    if measure.metric is Metric.COVERAGE:
        return {"low_N": known(table, LOW), "high_N": known(table, HIGH)}
    return {}


def _signed_error(truth_N: NDArray[np.float64], median_N: NDArray[np.float64]) -> float:
    return float(np.mean(median_N - truth_N))


def _coverage(
    truth_N: NDArray[np.float64],
    _: NDArray[np.float64],
    low_N: NDArray[np.float64],
    high_N: NDArray[np.float64],
) -> float:
    return float(np.mean((truth_N >= low_N) & (truth_N <= high_N)))


def _false_negative_rate(
    _: NDArray[np.float64],
    __: NDArray[np.float64],
    chance_N: NDArray[np.float64],
    reached_N: NDArray[np.float64],
) -> float:
    positive_N = reached_N > 0
    return float(np.mean(chance_N[positive_N] < LIKELY)) if positive_N.any() else float("nan")


def _rest(
    value_G: NDArray[np.float64],
    overall: float,
    denominator_N: NDArray[np.float64],
    partition: Partition,
) -> NDArray[np.float64]:
    """Return the measure in everyone outside each group, from the whole and the group."""
    below_G = np.bincount(partition.group_N, weights=denominator_N, minlength=_groups(partition))
    rest_G = below_G.sum() - below_G
    above_G = np.where(below_G > 0, value_G, 0.0) * below_G
    value_rest_G = np.full(_groups(partition), np.nan)
    np.divide(overall * below_G.sum() - above_G, rest_G, out=value_rest_G, where=rest_G > 0)
    return value_rest_G


def _counts(table: pd.DataFrame, inside_N: NDArray[np.bool_]) -> tuple[int, int]:
    return int(inside_N.sum()), int(table.loc[inside_N, SUBJECT].nunique())


def _events(
    table: pd.DataFrame, partition: Partition, denominator_N: NDArray[np.float64]
) -> list[int]:
    happened_N = denominator_N > 0
    return [
        _counts(table, happened_N & (partition.group_N == group))[1]
        for group in range(_groups(partition))
    ]


def _groups(partition: Partition) -> int:
    return len(partition.labels_G)
