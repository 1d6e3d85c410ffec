"""How many people, and how many events, a measure of a group rests on. N rows, G groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.measure.groups import Grouping
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric, addends
from contracts.predictions import REACHED, SUBJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """People in a group, and events among them; None for a measure without a milestone."""

    subjects: int
    events: int | None


def group_counts(
    table: pd.DataFrame, grouping: Grouping, measure: Measure, thresholds: MetricThresholds
) -> list[Counts]:
    """Return the people of each group with a row that counts for a measure, and its events.

    The events of a milestone's measure are people: those in its denominator (who reached it, for a
    false-negative rate), or whichever are fewer, those who did or those who did not reach it.
    """
    counted_N = _counted(table, measure, thresholds)
    subjects_G = _people(table, grouping, counted_N)
    if measure.milestone is None:
        return [Counts(subjects=n, events=None) for n in subjects_G]
    reached_N = table[REACHED + measure.milestone].to_numpy(dtype=np.bool_)
    if measure.metric in {
        Metric.FALSE_NEGATIVE_RATE,
        Metric.FALSE_POSITIVE_RATE,
        Metric.POSITIVE_PREDICTIVE_VALUE,
    }:
        in_denominator_N = addends(table, measure, thresholds)[:, -1] > 0
        events_G = _people(table, grouping, in_denominator_N)
    else:
        with_G = _people(table, grouping, counted_N & reached_N)
        without_G = _people(table, grouping, counted_N & ~reached_N)
        events_G = [min(both) for both in zip(with_G, without_G, strict=True)]
    return [Counts(subjects=n, events=e) for n, e in zip(subjects_G, events_G, strict=True)]


def _counted(
    table: pd.DataFrame, measure: Measure, thresholds: MetricThresholds
) -> NDArray[np.bool_]:
    """Return the rows of the measure's horizon, without refused ones where those do not count."""
    # The last addend of a selection rate is 1 for every row that counts.
    metric = Metric.SELECTION_RATE if measure.metric.of_milestone else measure.metric
    counted = Measure(metric=metric, milestone=measure.milestone, horizon_day=measure.horizon_day)
    if measure.metric in {Metric.CALIBRATION_INTERCEPT, Metric.CALIBRATION_SLOPE}:
        return np.asarray(addends(table, counted, thresholds)[:, 0] > 0)
    if measure.metric is Metric.UNOBSERVED_OUTCOMES:
        return np.ones(len(table), dtype=np.bool_)
    return np.asarray(addends(table, counted, thresholds)[:, -1] > 0)


def _people(table: pd.DataFrame, grouping: Grouping, selected_N: NDArray[np.bool_]) -> list[int]:
    groups = len(grouping.labels_G)
    subject_N, people = pd.factorize(table[SUBJECT])
    is_member_GS = np.zeros((groups, len(people)), dtype=np.bool_)
    is_member_GS[grouping.group_N[selected_N], subject_N[selected_N]] = True
    return [int(n) for n in is_member_GS.sum(axis=1)]
