"""How many people, and how many events, a measure of a group rests on. N rows, G groups."""

from __future__ import annotations

from collections.abc import Iterable
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


OF_A_DENOMINATOR = {
    Metric.FALSE_NEGATIVE_RATE,
    Metric.FALSE_POSITIVE_RATE,
    Metric.POSITIVE_PREDICTIVE_VALUE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRows:
    """Which rows of a table count for a measure, whatever people are grouped by.

    Parameters
    ----------
    subject_N
        Number of each row's person, from 0.
    counted_N
        Whether the row counts.
    event_sides
        Rows whose people are events; the fewer of two sides where there are two, none for a measure
        without a milestone.
    """

    subject_N: NDArray[np.intp]
    counted_N: NDArray[np.bool_]
    event_sides: tuple[NDArray[np.bool_], ...]

    @staticmethod
    def of(table: pd.DataFrame, measure: Measure, thresholds: MetricThresholds) -> CountedRows:
        """Find them.

        The events of a milestone's measure are people: those in its denominator (who reached it,
        for a false-negative rate), or whichever are fewer, those who did or did not reach it.
        """
        subject_N, _ = pd.factorize(table[SUBJECT])
        counted_N = _counted(table, measure, thresholds)
        sides: tuple[NDArray[np.bool_], ...] = ()
        if measure.metric in OF_A_DENOMINATOR:
            sides = (addends(table, measure, thresholds)[:, -1] > 0,)
        elif measure.milestone is not None:
            reached_N = table[REACHED + measure.milestone].to_numpy(dtype=np.bool_)
            sides = (counted_N & reached_N, counted_N & ~reached_N)
        return CountedRows(subject_N=subject_N, counted_N=counted_N, event_sides=sides)

    def by_group(self, grouping: Grouping) -> list[Counts]:
        """Return the people of each group with a row that counts, and the events among them."""
        subjects_G = self._people(grouping, self.counted_N)
        if not self.event_sides:
            return [Counts(subjects=n, events=None) for n in subjects_G]
        sides = [self._people(grouping, side_N) for side_N in self.event_sides]
        events_G = map(min, zip(*sides, strict=True))
        return [Counts(subjects=n, events=e) for n, e in zip(subjects_G, events_G, strict=True)]

    def _people(self, grouping: Grouping, selected_N: NDArray[np.bool_]) -> list[int]:
        shape = len(grouping.labels_G), self.subject_N.max(initial=-1) + 1
        is_member_GS = np.zeros(shape, dtype=np.bool_)
        is_member_GS[grouping.group_N[selected_N], self.subject_N[selected_N]] = True
        return [int(n) for n in is_member_GS.sum(axis=1)]


def events_of(
    table: pd.DataFrame, measured: Iterable[Measure], thresholds: MetricThresholds
) -> dict[Measure, CountedRows]:
    """Return the rows of those measures that have events."""
    return {
        measure: CountedRows.of(table, measure, thresholds)
        for measure in measured
        if measure.milestone is not None
    }


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
