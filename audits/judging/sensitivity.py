"""Sensitivity to biased labels: a group's error, if its scores were off by some points.

The scores were given by people. If assessors score a group lower for the same ability, a model
learns this, its forecasts agree with the labels, and no comparison with those labels shows it.
So nothing here can find such a bias. The analysis brackets its effect, and says how large the bias
would have to be to change the result. Letters: N rows, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from audits.judging.policy import Policy
from audits.measure.disparity import Direction, Scope, Statistic
from audits.measure.groups import by_attribute
from audits.measure.metric_definitions import MEDIAN
from audits.measure.metrics import Metric
from audits.measure.prediction_table import has_forecast
from contracts.predictions import SUBJECT, TRUTH

STEPS = 41
"""Biases tried from zero to the largest, for the tipping point: a fortieth of it apart."""


class LabelSensitivity(BaseModel):
    """A metric of one group against everyone else, if the group's labels were biased.

    Parameters
    ----------
    axis, group, subjects, metric
        Which metric of which group, and its people.
    observed
        The difference from the rest with the labels as they are, score points.
    low, high
        The same if true ability were up to `bias` points higher or lower than the labels.
    bias
        Score points, from the policy.
    tipping_point
        Smallest bias that would take the difference over the policy's limit; None where none up to
        `bias` would, 0 where it is over the limit already.
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
    rows = table[has_forecast(table)].reset_index(drop=True)
    return tuple(
        row
        for metric in (Metric.MEAN_ABSOLUTE_ERROR, Metric.SIGNED_ERROR)
        for row in _of_metric(rows, metric, policy)
    )


def bracket_of(table: pd.DataFrame, policy: Policy, axis: str, group: str) -> LabelSensitivity:
    """Return the bracket of one group's signed error; a ValueError where there is no such group."""
    (bracket,) = (
        row
        for row in label_sensitivity(table, policy)
        if (row.axis, row.group, row.metric) == (axis, group, Metric.SIGNED_ERROR)
    )
    return bracket


def _of_metric(rows: pd.DataFrame, metric: Metric, policy: Policy) -> Iterator[LabelSensitivity]:
    limit = _limit(policy, metric)
    error_N = (rows[MEDIAN] - rows[TRUTH]).to_numpy(dtype=np.float64)
    bias_B = np.linspace(-policy.label_bias.points, policy.label_bias.points, 2 * STEPS - 1)
    for grouping in (g for g in by_attribute(rows) if not g.is_constant):
        for group, label in enumerate(grouping.labels_G):
            inside_N = grouping.group_N == group
            rest = _mean(metric, error_N[~inside_N])
            difference_B = np.array(
                [_mean(metric, error_N[inside_N] - bias) - rest for bias in bias_B]
            )
            over_B = (
                difference_B > limit
                if metric is Metric.MEAN_ABSOLUTE_ERROR
                else np.abs(difference_B) > limit
            )
            yield LabelSensitivity(
                axis=grouping.axis,
                group=label,
                subjects=rows.loc[inside_N, SUBJECT].nunique(),
                metric=metric,
                observed=float(difference_B[STEPS - 1]),
                low=float(difference_B.min()),
                high=float(difference_B.max()),
                bias=policy.label_bias.points,
                tipping_point=float(np.abs(bias_B[over_B]).min()) if over_B.any() else None,
            )


def _mean(metric: Metric, error_N: NDArray[np.float64]) -> float:
    return float(np.mean(error_N if metric is Metric.SIGNED_ERROR else np.abs(error_N)))


def _limit(policy: Policy, metric: Metric) -> float:
    """Return the policy's smallest limit on a group's difference; infinite without a rule."""
    limits = [
        rule.limit
        for rule in policy.rules
        if rule.metric is metric
        and rule.scope is Scope.AXES
        and rule.statistic is Statistic.DIFFERENCE
        and rule.direction is not Direction.AT_LEAST
    ]
    return min(limits, default=float("inf"))
