"""How many people, and how many events, a measure of a group rests on. N rows, G groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.judging.wording import Counts
from audits.measure.definitions import Yardsticks
from audits.measure.measures import Measure, Metric, addends
from audits.measure.partitions import Partition
from contracts.predictions import REACHED, SUBJECT


def group_counts(
    table: pd.DataFrame, partition: Partition, measure: Measure, yardsticks: Yardsticks
) -> list[Counts]:
    """Return the people of each group with a row that counts for a measure, and its events.

    The events of a measure of a milestone are people: those its denominator counts (who reached it
    for a false-negative rate), or the fewer of those who did and did not reach it.
    """
    counted_N = _counted(table, measure, yardsticks)
    subjects_G = _people(table, partition, counted_N)
    if measure.milestone is None:
        return [Counts(subjects=n, events=None) for n in subjects_G]
    reached_N = table[REACHED + measure.milestone].to_numpy(dtype=np.bool_)
    if measure.metric in {Metric.MISSED, Metric.ALARM, Metric.PRECISION}:
        below_N = addends(table, measure, yardsticks)[:, -1] > 0
        events_G = _people(table, partition, below_N)
    else:
        with_G = _people(table, partition, counted_N & reached_N)
        without_G = _people(table, partition, counted_N & ~reached_N)
        events_G = [min(both) for both in zip(with_G, without_G, strict=True)]
    return [Counts(subjects=n, events=e) for n, e in zip(subjects_G, events_G, strict=True)]


def _counted(table: pd.DataFrame, measure: Measure, yardsticks: Yardsticks) -> NDArray[np.bool_]:
    """Return the rows of the measure's horizon that were not refused, where that matters."""
    ones = Metric.SELECTION if measure.metric.of_milestone else measure.metric
    counted = Measure(metric=ones, milestone=measure.milestone, horizon_day=measure.horizon_day)
    if measure.metric in {Metric.INTERCEPT, Metric.SLOPE}:
        return np.asarray(addends(table, counted, yardsticks)[:, 0] > 0)
    if measure.metric is Metric.LOST:
        return np.ones(len(table), dtype=np.bool_)
    return np.asarray(addends(table, counted, yardsticks)[:, -1] > 0)


def _people(table: pd.DataFrame, partition: Partition, inside_N: NDArray[np.bool_]) -> list[int]:
    groups = len(partition.labels_G)
    subject_N, people = pd.factorize(table[SUBJECT])
    is_there_GS = np.zeros((groups, len(people)), dtype=np.bool_)
    is_there_GS[partition.group_N[inside_N], subject_N[inside_N]] = True
    return [int(n) for n in is_there_GS.sum(axis=1)]
