"""Every metric of every group at every horizon, with intervals: reported, not judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd
from pydantic import BaseModel, ConfigDict

from audits.judging.counts import CountedRows
from audits.judging.policy import Policy
from audits.measure.groups import by_attribute, everyone
from audits.measure.intervals import Scores, bootstrap, widest_interval
from audits.measure.metrics import Metric, available_measures, horizons

CONFIDENCE = 0.95
AT_ORIGIN = (
    Metric.REFUSAL_RATE,
    Metric.DAYS_SINCE_ONSET,
    Metric.UNOBSERVED_OUTCOMES,
    Metric.WEAR_HOURS,
    Metric.DAYS_WITHOUT_DATA,
    Metric.EXPLANATION_GAP,
    Metric.EXPLANATION_INSTABILITY,
)
"""Metrics of the person at the origin, so they are the same at each horizon."""


class Performance(BaseModel):
    """One metric of one group.

    Parameters
    ----------
    axis, attributes, group, metric, milestone, horizon_day
        Which metric of which group, and when; None for no milestone, and for all horizons.
    subjects, events
        People, and events (`audits.judging.counts`); None where hidden.
    value, low, high
        Estimate and 95 % interval by subject bootstrap; None where undefined or hidden.
    unit, denominator
        What the number counts, and what it is a share or mean of.
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


def performance(
    table: pd.DataFrame, policy: Policy, metrics: Iterable[Metric] = tuple(Metric)
) -> tuple[Performance, ...]:
    """Measure what a table has the columns for, for everyone and by every attribute."""
    days = horizons(table)
    # Of a single horizon, all horizons together are that one: it is measured once and told as both.
    asked = (None, *(days if len(days) > 1 else ()))
    measured = tuple(
        measure
        for metric in metrics
        for measure in available_measures(table, metric, (None,) if metric in AT_ORIGIN else asked)
    )
    results = bootstrap(
        table,
        [everyone(table), *by_attribute(table)],
        measured,
        replicates=policy.replicates,
        seed=policy.seed,
        thresholds=policy.thresholds,
        ranks_rest=False,
    )
    counted = [CountedRows.of(table, measure, policy.thresholds) for measure in measured]
    rows = (row for scores in results for row in _rows(counted, scores))
    if len(days) > 1:
        return tuple(rows)
    return tuple(same for row in rows for same in _at_both(row, days[0]))


def _at_both(row: Performance, day: int) -> tuple[Performance, ...]:
    if row.metric in AT_ORIGIN:
        return (row,)
    return row, row.model_copy(update={"horizon_day": day})


def unavailable(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the metrics that the table lacks the columns for."""
    return tuple(metric.value for metric in Metric if not available_measures(table, metric))


def _rows(counted: Sequence[CountedRows], scores: Scores) -> Iterator[Performance]:
    for column, measure in enumerate(scores.measured):
        counts = counted[column].by_group(scores.grouping)
        for group, label in enumerate(scores.grouping.labels_G):
            value = float(scores.value_GM[group, column])
            interval = widest_interval(
                scores.value_RGM[:, group, column], confidence=CONFIDENCE, draws=scores.draws,
                group=group,
            )  # fmt: skip
            yield Performance(
                axis=scores.grouping.axis,
                attributes=scores.grouping.attributes,
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
