"""Statistics of a rule: from a measure's values in groups to the number compared with the limit.

Each is computed from the estimate and from every replicate alike, so that the interval is of the
disparity itself. Names are fairlearn's where it has the statistic. Letters: G groups, R replicates;
row 0 of an (R, G) array here is the estimate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from audits.measure.clustered.draws import Draws
from audits.measure.intervals import Scores
from audits.measure.metric_definitions import Better, ratio

Array = NDArray[np.float64]
ALL_GROUPS = "all groups"
Number = TypeVar("Number", float, Array)


class Scope(StrEnum):
    """Which groups a rule is applied to."""

    OVERALL = "overall"
    """Everyone at once."""
    AXES = "axes"
    """Each group of each sensitive attribute."""
    PAIRS = "pairs"
    """Each intersection of the groups of two attributes."""
    PATTERNS = "patterns"
    """Each pattern of the course on the day of the forecast."""


class Statistic(StrEnum):
    """Which number is compared with the limit."""

    VALUE = "value"
    """The metric in the group."""
    DIFFERENCE = "difference from the rest"
    """The metric in the group minus the metric in everyone else."""
    RATIO = "ratio to the rest"
    """The metric in the group over the metric in everyone else."""
    DIFFERENCE_BETWEEN = "difference between groups"
    """Largest minus smallest of the groups (MetricFrame.difference, between groups)."""
    RATIO_BETWEEN = "ratio between groups"
    """Smallest over largest of the groups (MetricFrame.ratio, between groups)."""
    WORST_GROUP = "worst group against overall"
    """How much worse the worst group is than everyone."""
    AGAINST_COMPARATOR = "against comparator"
    """The candidate's metric minus the comparator's, on the same forecasts."""

    @property
    def is_ratio(self) -> bool:
        """True where 1 means no disparity."""
        return self in {Statistic.RATIO, Statistic.RATIO_BETWEEN}

    @property
    def of_attribute(self) -> bool:
        """True where there is one number per attribute instead of one per group."""
        return self in {
            Statistic.DIFFERENCE_BETWEEN,
            Statistic.RATIO_BETWEEN,
            Statistic.WORST_GROUP,
        }


class Direction(StrEnum):
    """On which side of the limit a number is acceptable."""

    AT_MOST = "at most"
    AT_LEAST = "at least"
    WITHIN = "within"
    """From minus the limit to the limit."""

    def excess(self, value: Number, limit: float) -> Number:
        """Return by how much a value exceeds the limit; 0 or less where it is acceptable.

        Parameters
        ----------
        value
            A number, or an array of them.
        """
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
        The measures of a grouping, and the column of the one wanted.
    statistic
        Any but `AGAINST_COMPARATOR`, for which see `paired`.
    enough_G
        Groups with enough people to count in a statistic of the whole attribute.
    """
    value_RG, rest_RG, overall_RG = (
        np.concatenate([one_GM[None, :, column], many_RGM[:, :, column]])
        for one_GM, many_RGM in (
            (scores.value_GM, scores.value_RGM),
            (scores.rest_GM, scores.rest_RGM),
            (scores.overall_GM, scores.overall_RGM),
        )
    )
    if statistic.of_attribute:
        better = scores.measured[column].metric.definition.better
        statistic_R = _over_groups(statistic, better, value_RG[:, enough_G], overall_RG[:, 0])
        yield Estimate(group=None, value=float(statistic_R[0]), replicate_R=statistic_R[1:])
        return
    statistic_RG = value_RG
    if statistic is Statistic.DIFFERENCE:
        statistic_RG = value_RG - rest_RG
    elif statistic is Statistic.RATIO:
        statistic_RG = ratio(value_RG, rest_RG)
    for group in range(value_RG.shape[1]):
        yield Estimate(
            group=group, value=float(statistic_RG[0, group]), replicate_R=statistic_RG[1:, group]
        )


def paired(candidate: Scores, comparator: Scores, column: int) -> Iterator[Estimate]:
    """Return the candidate's measure minus the comparator's, per group, replicate by replicate."""
    value_G = candidate.value_GM[:, column] - comparator.value_GM[:, column]
    value_RG = candidate.value_RGM[:, :, column] - comparator.value_RGM[:, :, column]
    for group in range(len(value_G)):
        yield Estimate(group=group, value=float(value_G[group]), replicate_R=value_RG[:, group])


def p_value(
    direction: Direction, limit: float, estimate: Estimate, draws: Draws, *, is_ratio: bool
) -> float | None:
    """Return the p-value of the estimate if the true value is at the limit; None where undefined.

    One-sided and normal, with the bootstrap's standard error: R replicates cannot resolve p-values
    below 1 / R, and Benjamini-Hochberg over hundreds of groups needs those. Ratios are compared in
    logarithms.
    """
    value, replicate_R = estimate.value, estimate.replicate_R
    if is_ratio:
        with np.errstate(divide="ignore", invalid="ignore"):
            value, replicate_R, limit = np.log(value), np.log(replicate_R), np.log(limit)
    error = draws.error(replicate_R, estimate.group)
    if not np.isfinite(value) or np.isnan(error):
        return None
    excess = direction.excess(value, limit)
    if error == 0:
        return 0.0 if excess > 0 else 1.0
    return float(scipy.stats.norm.sf(excess / error))


def _over_groups(statistic: Statistic, better: Better, value_RG: Array, overall_R: Array) -> Array:
    undefined_R = np.isnan(value_RG).any(axis=1) | (value_RG.shape[1] < 2)
    if value_RG.shape[1] == 0:
        return np.full(len(value_RG), np.nan)
    if statistic is Statistic.WORST_GROUP:
        statistic_R = (_loss(better, value_RG)).max(axis=1) - _loss(better, overall_R)
    elif statistic is Statistic.DIFFERENCE_BETWEEN:
        statistic_R = value_RG.max(axis=1) - value_RG.min(axis=1)
    else:
        statistic_R = ratio(value_RG.min(axis=1), value_RG.max(axis=1))
    return np.where(undefined_R, np.nan, statistic_R)


def _loss(better: Better, value: Array) -> Array:
    if better is Better.HIGHER:
        return -value
    if better is Better.ZERO:
        return np.abs(value)
    return np.abs(value - 1) if better is Better.ONE else value
