"""What labels could hide: how a group's error would read if its scores were off by so much.

The scores were given by people. If assessors score a group lower for the same ability, a model
learns it, its forecasts agree with the labels, and no comparison with those labels shows anything.
So nothing here finds such a bias: it brackets what it would do, and says how large it would have to
be to change the answer. Letters: N rows, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from audits.judging.policy import Policy
from audits.measure.admission import given
from audits.measure.definitions import MEDIAN
from audits.measure.disparity import Direction, Scope, Statistic
from audits.measure.measures import Metric
from audits.measure.partitions import axes
from contracts.predictions import SUBJECT, TRUTH

STEPS = 41
"""Biases tried from none to the largest, for the tipping point: a fortieth of it apart."""


class LabelSensitivity(BaseModel):
    """A metric of one group against everyone else, if the group's labels were biased.

    Parameters
    ----------
    axis, group, subjects, metric
        What of whom.
    observed
        The difference from the rest as the labels have it, score points.
    low, high
        The same if true ability were up to `bias` points higher or lower than the labels say.
    bias
        Score points, from the policy.
    tipping_point
        Smallest bias that carries the difference over the policy's limit; None where none up to
        `bias` does, 0 where it is over it already.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    axis: str
    group: str
    subjects: int
    metric: str
    observed: float
    low: float
    high: float
    bias: float
    tipping_point: float | None


def label_sensitivity(table: pd.DataFrame, policy: Policy) -> tuple[LabelSensitivity, ...]:
    """Bracket error and signed error of every group; empty for a table without scores.

    Parameters
    ----------
    table
        The candidate's rows.
    policy
        Whose `label_bias` and limits are used.
    """
    if TRUTH not in table.columns:
        return ()
    rows = table[given(table)].reset_index(drop=True)
    return tuple(
        told for metric in (Metric.ERROR, Metric.SIGNED) for told in _of(rows, metric, policy)
    )


def bracket_of(table: pd.DataFrame, policy: Policy, axis: str, group: str) -> LabelSensitivity:
    """Return the bracket of one group's signed error; a ValueError where the table has no such."""
    (told,) = (
        row
        for row in label_sensitivity(table, policy)
        if (row.axis, row.group, row.metric) == (axis, group, Metric.SIGNED)
    )
    return told


def _of(rows: pd.DataFrame, metric: Metric, policy: Policy) -> Iterator[LabelSensitivity]:
    limit = _limit(policy, metric)
    error_N = (rows[MEDIAN] - rows[TRUTH]).to_numpy(dtype=np.float64)
    bias_B = np.linspace(-policy.label_bias.points, policy.label_bias.points, 2 * STEPS - 1)
    for partition in (each for each in axes(rows) if not each.is_constant):
        for group, label in enumerate(partition.labels_G):
            inside_N = partition.group_N == group
            rest = _mean(metric, error_N[~inside_N])
            told_B = np.array([_mean(metric, error_N[inside_N] - bias) - rest for bias in bias_B])
            over_B = told_B > limit if metric is Metric.ERROR else np.abs(told_B) > limit
            yield LabelSensitivity(
                axis=partition.axis,
                group=label,
                subjects=rows.loc[inside_N, SUBJECT].nunique(),
                metric=metric,
                observed=float(told_B[STEPS - 1]),
                low=float(told_B.min()),
                high=float(told_B.max()),
                bias=policy.label_bias.points,
                tipping_point=float(np.abs(bias_B[over_B]).min()) if over_B.any() else None,
            )


def _mean(metric: Metric, error_N: NDArray[np.float64]) -> float:
    return float(np.mean(error_N if metric is Metric.SIGNED else np.abs(error_N)))


def _limit(policy: Policy, metric: Metric) -> float:
    """Return the smallest limit of the policy on a group's difference; infinite without a rule."""
    limits = [
        rule.limit
        for rule in policy.rules
        if rule.metric is metric
        and rule.scope is Scope.AXES
        and rule.statistic is Statistic.DIFFERENCE
        and rule.direction is not Direction.AT_LEAST
    ]
    return min(limits, default=float("inf"))
