"""Statistics of a rule: from a measure's values in groups to the number that meets the limit.

Each is taken of the estimate and of every replicate alike, so that the interval is of the
disparity itself. Names are fairlearn's where it has the statistic. Letters: G groups, R replicates;
row 0 of an (R, G) array here is the estimate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from audits.measure.definitions import Better, ratio
from audits.measure.intervals import Scores

Array = NDArray[np.float64]
ALL_GROUPS = "all groups"


class Scope(StrEnum):
    """Which groups a rule is applied to."""

    OVERALL = "overall"
    """Everyone at once."""
    AXES = "axes"
    """Each group of each sensitive attribute."""
    PAIRS = "pairs"
    """Each intersection of the groups of two attributes."""


class Statistic(StrEnum):
    """Which number is compared with the limit."""

    VALUE = "value"
    """The metric in the group."""
    DIFFERENCE = "difference from the rest"
    """The metric in the group minus the metric in everyone else."""
    RATIO = "ratio to the rest"
    """The metric in the group over the metric in everyone else."""
    BETWEEN = "difference between groups"
    """Largest minus smallest of the groups (MetricFrame.difference, between groups)."""
    RATIO_BETWEEN = "ratio between groups"
    """Smallest over largest of the groups (MetricFrame.ratio, between groups)."""
    WORST = "worst group against overall"
    """How much worse the worst group is than everyone."""
    AGAINST = "against comparator"
    """The candidate's metric minus the comparator's, on the same forecasts."""

    @property
    def is_ratio(self) -> bool:
        """True where 1 means no disparity."""
        return self in {Statistic.RATIO, Statistic.RATIO_BETWEEN}

    @property
    def of_axis(self) -> bool:
        """True where there is one number for an attribute and not one per group."""
        return self in {Statistic.BETWEEN, Statistic.RATIO_BETWEEN, Statistic.WORST}


class Direction(StrEnum):
    """On which side of the limit a number is acceptable."""

    AT_MOST = "at most"
    AT_LEAST = "at least"
    WITHIN = "within"
    """From minus the limit to the limit."""

    def beyond(self, value: float, limit: float) -> float:
        """Return by how much a value is beyond the limit; 0 or less where it is acceptable."""
        return {
            Direction.AT_MOST: value - limit,
            Direction.AT_LEAST: limit - value,
            Direction.WITHIN: abs(value) - limit,
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A statistic of one group, or of all groups of an attribute (`group` None)."""

    group: int | None
    value: float
    replicate_R: Array


def estimates(
    scores: Scores, column: int, statistic: Statistic, enough_G: NDArray[np.bool_]
) -> Iterator[Estimate]:
    """Return a statistic of each group, or one of the whole attribute.

    Parameters
    ----------
    scores, column
        The measures of a partition, and which of them.
    statistic
        Any but `AGAINST`, which is a value of differences: see `paired`.
    enough_G
        Groups with enough people for a statistic of the whole attribute; none, and there is none.
    """
    value_RG, rest_RG, overall_RG = (
        np.concatenate([one_GM[None, :, column], many_RGM[:, :, column]])
        for one_GM, many_RGM in (
            (scores.value_GM, scores.value_RGM),
            (scores.rest_GM, scores.rest_RGM),
            (scores.overall_GM, scores.overall_RGM),
        )
    )
    if statistic.of_axis:
        better = scores.measured[column].metric.definition.better
        told_R = _of_axis(statistic, better, value_RG[:, enough_G], overall_RG[:, 0])
        yield Estimate(group=None, value=float(told_R[0]), replicate_R=told_R[1:])
        return
    told_RG = value_RG
    if statistic is Statistic.DIFFERENCE:
        told_RG = value_RG - rest_RG
    elif statistic is Statistic.RATIO:
        told_RG = ratio(value_RG, rest_RG)
    for group in range(value_RG.shape[1]):
        yield Estimate(group=group, value=float(told_RG[0, group]), replicate_R=told_RG[1:, group])


def paired(candidate: Scores, comparator: Scores, column: int) -> Iterator[Estimate]:
    """Return the candidate's measure minus the comparator's, per group, draw by draw."""
    value_G = candidate.value_GM[:, column] - comparator.value_GM[:, column]
    value_RG = candidate.value_RGM[:, :, column] - comparator.value_RGM[:, :, column]
    for group in range(len(value_G)):
        yield Estimate(group=group, value=float(value_G[group]), replicate_R=value_RG[:, group])


def p_value(
    direction: Direction, limit: float, estimate: Estimate, *, is_ratio: bool
) -> float | None:
    """Return how surprising the estimate is if the limit is just kept; None where undefined.

    One-sided and normal, with the bootstrap's standard error: replicates alone cannot tell chances
    below one in their number, and Benjamini-Hochberg over hundreds of groups needs those. Ratios
    are taken in logarithms.
    """
    value, replicate_R = estimate.value, estimate.replicate_R
    if is_ratio:
        with np.errstate(divide="ignore", invalid="ignore"):
            value, replicate_R, limit = np.log(value), np.log(replicate_R), np.log(limit)
    defined_R = replicate_R[np.isfinite(replicate_R)]
    if not np.isfinite(value) or len(defined_R) < 2:
        return None
    beyond = direction.beyond(value, limit)
    error = float(defined_R.std(ddof=1))
    if error == 0:
        return 0.0 if beyond > 0 else 1.0
    return float(norm.sf(beyond / error))


def _of_axis(statistic: Statistic, better: Better, value_RG: Array, overall_R: Array) -> Array:
    undefined_R = np.isnan(value_RG).any(axis=1) | (value_RG.shape[1] < 2)
    if value_RG.shape[1] == 0:
        return np.full(len(value_RG), np.nan)
    if statistic is Statistic.WORST:
        told_R = (_badness(better, value_RG)).max(axis=1) - _badness(better, overall_R)
    elif statistic is Statistic.BETWEEN:
        told_R = value_RG.max(axis=1) - value_RG.min(axis=1)
    else:
        told_R = ratio(value_RG.min(axis=1), value_RG.max(axis=1))
    return np.where(undefined_R, np.nan, told_R)


def _badness(better: Better, value: Array) -> Array:
    if better is Better.HIGHER:
        return -value
    if better is Better.ZERO:
        return np.abs(value)
    return np.abs(value - 1) if better is Better.ONE else value
