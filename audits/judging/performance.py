"""Every metric of every group at every horizon, with intervals: described, not judged."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd
from pydantic import BaseModel, ConfigDict

from audits.judging.counts import group_counts
from audits.judging.policy import Policy
from audits.measure.intervals import Scores, bootstrap, percentile_interval
from audits.measure.measures import Metric, horizons, measures
from audits.measure.partitions import axes, everyone

CONFIDENCE = 0.95
POOLED = (
    Metric.REFUSALS, Metric.DELAY, Metric.LOST, Metric.WEAR, Metric.UNOBSERVED, Metric.GAP,
    Metric.INSTABILITY,
)  # fmt: skip
"""Of the person at the origin, so the same at each horizon."""


class Performance(BaseModel):
    """One metric of one group.

    Parameters
    ----------
    axis, attributes, group, metric, milestone, horizon_day
        What of whom and when; no milestone and no horizon are None (over all horizons).
    subjects, events
        People, and events (`audits.judging.counts`); None where hidden from readers.
    value, low, high
        Estimate and 95 % interval by subject bootstrap; None where there is none, or hidden.
    unit, denominator
        What the number counts, and of whom it is taken.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    axis: str
    attributes: tuple[str, ...]
    group: str
    metric: str
    milestone: str | None
    horizon_day: int | None
    subjects: int | None
    events: int | None
    value: float | None
    low: float | None
    high: float | None
    unit: str
    denominator: str


def performance(table: pd.DataFrame, policy: Policy) -> tuple[Performance, ...]:
    """Measure all that a table has the columns for, for everyone and on every attribute."""
    days = (None, *horizons(table))
    measured = tuple(
        measure
        for metric in Metric
        for measure in measures(table, metric, (None,) if metric in POOLED else days)
    )
    told = bootstrap(
        table,
        [everyone(table), *axes(table)],
        measured,
        replicates=policy.replicates,
        seed=policy.seed,
        yardsticks=policy.yardsticks,
    )
    return tuple(row for scores in told for row in _rows(table, scores, policy))


def unavailable(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the metrics that the table lacks the columns for."""
    return tuple(metric.value for metric in Metric if not measures(table, metric))


def _rows(table: pd.DataFrame, scores: Scores, policy: Policy) -> Iterator[Performance]:
    for column, measure in enumerate(scores.measured):
        counts = group_counts(table, scores.partition, measure, policy.yardsticks)
        for group, label in enumerate(scores.partition.labels_G):
            value = float(scores.value_GM[group, column])
            interval = percentile_interval(
                scores.value_RGM[:, group, column], confidence=CONFIDENCE
            )
            yield Performance(
                axis=scores.partition.axis,
                attributes=scores.partition.attributes,
                group=label,
                metric=measure.metric,
                milestone=measure.milestone,
                horizon_day=measure.horizon_day,
                subjects=counts[group].subjects,
                events=counts[group].events,
                value=value if math.isfinite(value) else None,
                low=None if interval is None else interval.low,
                high=None if interval is None else interval.high,
                unit=measure.metric.definition.unit,
                denominator=measure.metric.definition.denominator,
            )
