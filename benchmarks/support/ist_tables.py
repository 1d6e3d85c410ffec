"""What is printed of forecasts of the International Stroke Trial: by group, with intervals.

Ratios are those of the trial's outcome, dead or dependent: the opposite of the milestone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from audits.measure.groups import Grouping, by_attribute, everyone
from audits.measure.intervals import Scores, bootstrap, widest_interval
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric
from contracts.predictions import CHANCE, GROUP, REACHED, SUBJECT, TRUTH

BAD = "dead or dependent"
REPLICATES = 500
COLUMNS = ("AUROC", "Brier", "observed/expected", "MAE of the state")


def of_bad_outcome(table: pd.DataFrame, milestone: str) -> pd.DataFrame:
    """Return a table of the opposite of a milestone."""
    return table.rename(
        columns={CHANCE + milestone: CHANCE + BAD, REACHED + milestone: REACHED + BAD}
    ).assign(
        **{
            CHANCE + BAD: 1 - table[CHANCE + milestone],
            REACHED + BAD: ~table[REACHED + milestone].astype(bool),
        }
    )


def group_rows(
    table: pd.DataFrame, axes: Mapping[str, np.ndarray | None]
) -> Iterator[tuple[str, ...]]:
    """Yield a row of each group: name, people, and each of `COLUMNS` with its interval.

    Parameters
    ----------
    table
        Of `of_bad_outcome`.
    axes
        Attributes; with labels of the rows where those of the table are not wanted.
    """
    metrics = [Metric.AUROC, Metric.BRIER_SCORE, Metric.OBSERVED_TO_EXPECTED]
    measured = [Measure(metric=metric, milestone=BAD) for metric in metrics]
    if TRUTH in table:
        measured.append(Measure(metric=Metric.MEAN_ABSOLUTE_ERROR))
    for scores in bootstrap(
        table, list(_groupings(table, axes)), tuple(measured), replicates=REPLICATES, seed=0,
        thresholds=MetricThresholds(),
    ):  # fmt: skip
        for group, label in enumerate(scores.grouping.labels_G):
            people = table.loc[scores.grouping.group_N == group, SUBJECT].nunique()
            cells = [_cell(scores, group, column) for column in range(len(measured))]
            yield label, f"{people:,}", *cells, *[""] * (len(COLUMNS) - len(cells))


def _groupings(table: pd.DataFrame, axes: Mapping[str, np.ndarray | None]) -> Iterator[Grouping]:
    yield everyone(table)
    for axis, label_N in axes.items():
        named = table[[GROUP + axis]] if label_N is None else pd.DataFrame({GROUP + axis: label_N})
        yield from by_attribute(named)


def _cell(scores: Scores, group: int, column: int) -> str:
    interval = widest_interval(
        scores.value_RGM[:, group, column], confidence=0.95, draws=scores.draws, group=group
    )
    value = scores.value_GM[group, column]
    if interval is None or not np.isfinite(value):
        return "too few"
    return f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
