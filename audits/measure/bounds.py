"""Confidence bounds of a group that hold for few people, and the p-values that belong to them.

A percentile bootstrap of 8 to 40 people passes a group that is exactly at its limit in 3 to 8 %
instead of 2.5 %, and depends on its seed. These bounds don't: t bounds whose variance is that of
the group or of all groups, whichever is larger, exact binomial ones, and Newcombe's for a
difference between shares. All are one-sided at (1 + confidence) / 2, two make an interval.

Letters: G groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom, norm, t

from audits.measure.disparity import Direction
from audits.measure.people import Moments, PeopleOfGroups

Array = NDArray[np.float64]

SEVERAL = 2.0
"""Forecasts a person from which person means are averages, and not ones and zeros."""

SUSPICIOUS = 0.05
"""p-value of an exact test below which a share of very few people is suspicious."""

BISECTIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """An estimate of each group with its bounds; NaN where too few people allow none.

    Parameters
    ----------
    estimate_G, low_G, high_G
        The statistic and its two-sided interval.
    p_G
        One-sided p-value that the rule is kept.
    error_G
        Standard error of the estimate.
    suspected_G
        The estimate by which a group too small for a bound is suspected: a difference is drawn
        toward 0 as far as people are few, a share counts where it is most unlikely; else NaN.
    """

    estimate_G: Array
    low_G: Array
    high_G: Array
    p_G: Array
    error_G: Array
    suspected_G: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a rule asks for: on which side of which number, and how certain.

    Parameters
    ----------
    confidence
        Of the two-sided interval.
    """

    direction: Direction
    value: float
    confidence: float

    @property
    def level(self) -> float:
        """Confidence of one bound alone."""
        return (1 + self.confidence) / 2

    def excess(self, value_G: Array) -> Array:
        """Return by how much each number is beyond the limit."""
        return self.direction.excess(value_G, self.value)


def mean_bounds(people: PeopleOfGroups, limit: Limit) -> Bounds:
    """Bound the mean of each group: t, variance max(own, pooled), n - 1 degrees of freedom."""
    inside = people.inside
    pooled_G = people.pooled_G
    error_G = np.sqrt(_variance_of_mean(inside.variance_G, pooled_G, inside))
    bounds = _t_bounds(inside.mean_G, error_G, inside.people_G - 1, limit)
    usual_G = np.sqrt(_variance_of_mean(pooled_G, pooled_G, inside))
    return replace(bounds, suspected_G=_drawn(inside.mean_G, usual_G, limit))


def difference_bounds(people: PeopleOfGroups, limit: Limit) -> Bounds:
    """Bound the difference of each group's mean from the rest's.

    The variance of a mean is that of its people or the pooled one of all groups, whichever is
    larger; the degrees of freedom are those of the smaller side. Of the rules compared on simulated
    groups of 8 to 40 people (normal, heavy-tailed, skewed, more spread), it is the only one that
    passes a group at its limit in at most 2.8 % of samples (docs/audit.md).
    """
    inside, rest, pooled_G = people.inside, people.rest, people.pooled_G
    variance_G = _variance_of_mean(inside.variance_G, pooled_G, inside)
    rest_variance_G = _variance_of_mean(rest.variance_G, pooled_G, rest)
    freedom_G = np.minimum(inside.people_G, rest.people_G) - 1
    gap_G = inside.mean_G - rest.mean_G
    bounds = _t_bounds(gap_G, np.sqrt(variance_G + rest_variance_G), freedom_G, limit)
    # The spread of a handful of people says less than that of all groups.
    usual_G = _variance_of_mean(pooled_G, pooled_G, inside) + rest_variance_G
    return replace(bounds, suspected_G=_drawn(gap_G, np.sqrt(usual_G), limit))


def share_bounds(people: PeopleOfGroups, limit: Limit) -> Bounds:
    """Bound a share in each group, such as how many outcomes were inside their range.

    With one forecast a person: exact binomial (Clopper and Pearson 1934). With several, a t bound
    of the people's own shares and of one more person, half-way between the limit and the end of
    the scale on the unfavourable side: without that person, few people who all keep the limit
    would have no spread at all.
    """
    inside = people.inside
    of_people = _several_bounds(inside, limit)
    exact = _binomial_bounds(inside, limit)
    several_G = people.rows_each_G >= SEVERAL
    return Bounds(
        estimate_G=inside.mean_G,
        low_G=np.where(several_G, of_people.low_G, exact.low_G),
        high_G=np.where(several_G, of_people.high_G, exact.high_G),
        p_G=np.where(several_G, of_people.p_G, exact.p_G),
        error_G=of_people.error_G,
        suspected_G=exact.suspected_G,
    )


def share_difference_bounds(people: PeopleOfGroups, limit: Limit) -> Bounds:
    """Bound the difference of a share from the rest's: hybrid score interval (Newcombe 1998)."""
    inside, rest = people.inside, people.rest

    def ends(z: float | Array) -> tuple[Array, Array]:
        (low_G, high_G), (rest_low_G, rest_high_G) = _wilson(inside, z), _wilson(rest, z)
        p_G, q_G = inside.mean_G, rest.mean_G
        return (
            p_G - q_G - np.hypot(p_G - low_G, rest_high_G - q_G),
            p_G - q_G + np.hypot(high_G - p_G, q_G - rest_low_G),
        )

    estimate_G = inside.mean_G - rest.mean_G
    low_G, high_G = ends(float(norm.ppf(limit.level)))
    smoothed = [(m.mean_G * m.people_G + 1) / (m.people_G + 2) for m in (inside, rest)]
    error_G = np.sqrt(
        sum(s_G * (1 - s_G) / np.where(m.people_G > 0, m.people_G, np.nan)
            for s_G, m in zip(smoothed, (inside, rest), strict=True))
    )  # fmt: skip
    return Bounds(
        estimate_G=estimate_G, low_G=low_G, high_G=high_G,
        p_G=_p_by_inversion(estimate_G, ends, limit), error_G=error_G,
        suspected_G=_drawn(estimate_G, error_G, limit),
    )  # fmt: skip


def _drawn(estimate_G: Array, error_G: Array, limit: Limit) -> Array:
    """Return each estimate, drawn toward 0 as far as its people are few.

    The posterior mean under a normal prior of which 95 % keeps the limit. It is used to suspect
    groups that are too small for a bound, and never to pass one: a small group that is drawn toward
    the others would be excused.
    """
    prior = (limit.value / 2) ** 2
    if prior == 0:
        return np.full_like(estimate_G, np.nan)
    return np.asarray(estimate_G * prior / (prior + error_G**2))


def _variance_of_mean(variance_G: Array, pooled_G: Array, moments: Moments) -> Array:
    effective_G = np.where(moments.effective_G > 0, moments.effective_G, np.nan)
    return np.asarray(np.fmax(variance_G, pooled_G) / effective_G)


def _t_bounds(estimate_G: Array, error_G: Array, freedom_G: Array, limit: Limit) -> Bounds:
    known_G = (freedom_G >= 1) & np.isfinite(estimate_G) & np.isfinite(error_G)
    freedom_G = np.where(known_G, freedom_G, np.nan)
    half_G = t.ppf(limit.level, freedom_G) * error_G
    excess_G = limit.excess(estimate_G)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Without any spread the estimate is all there is.
        score_G = np.where(error_G > 0, excess_G / error_G, np.where(excess_G > 0, np.inf, -np.inf))
    return Bounds(
        estimate_G=estimate_G, low_G=estimate_G - half_G, high_G=estimate_G + half_G,
        p_G=t.sf(score_G, freedom_G), error_G=error_G, suspected_G=np.full_like(error_G, np.nan),
    )  # fmt: skip


def _several_bounds(inside: Moments, limit: Limit) -> Bounds:
    low, high = (_with_one_more(inside, end) for end in (limit.value / 2, (1 + limit.value) / 2))
    low_G = low.mean_G - t.ppf(limit.level, low.people_G - 1) * _error(low)
    high_G = high.mean_G + t.ppf(limit.level, high.people_G - 1) * _error(high)
    # The p-value is of the rule being kept, so it uses the person who speaks for it.
    kept = high if limit.direction is Direction.AT_LEAST else low
    bounds = _t_bounds(kept.mean_G, _error(kept), kept.people_G - 1, limit)
    return Bounds(
        estimate_G=inside.mean_G, low_G=np.clip(low_G, 0, None), high_G=np.clip(high_G, None, 1),
        p_G=bounds.p_G, error_G=_error(low), suspected_G=np.full_like(low_G, np.nan),
    )  # fmt: skip


def _with_one_more(inside: Moments, value: float) -> Moments:
    """Return the moments with one more person of a given share."""
    n_G = inside.people_G
    effective_G = np.where(n_G > 0, inside.effective_G, 0.0)
    mean_G = np.where(n_G > 0, inside.mean_G, 0.0)
    spread_G = np.where(n_G > 1, inside.variance_G * (n_G - 1), 0.0)
    squares_G = spread_G + n_G * (mean_G - value) ** 2 / (n_G + 1)
    return Moments(
        people_G=n_G + 1,
        effective_G=effective_G + 1,
        mean_G=(n_G * mean_G + value) / (n_G + 1),
        variance_G=np.where(n_G > 0, squares_G / np.where(n_G > 0, n_G, np.nan), np.nan),
    )


def _error(moments: Moments) -> Array:
    return np.asarray(np.sqrt(moments.variance_G / moments.effective_G))


def _binomial_bounds(inside: Moments, limit: Limit) -> Bounds:
    n_G = inside.people_G
    sum_G = np.nan_to_num(inside.mean_G) * n_G
    # People with two forecasts may have half a share: each bound rounds it away from itself.
    fewest_G, most_G = np.floor(sum_G + 1e-9), np.ceil(sum_G - 1e-9)
    tail = 1 - limit.level
    with np.errstate(invalid="ignore"):
        low_G = np.where(fewest_G > 0, beta.ppf(tail, fewest_G, n_G - fewest_G + 1), 0.0)
        high_G = np.where(most_G < n_G, beta.ppf(1 - tail, most_G + 1, n_G - most_G), 1.0)
        p_G = (
            binom.cdf(most_G, n_G, limit.value)
            if limit.direction is Direction.AT_LEAST
            else binom.sf(fewest_G - 1, n_G, limit.value)
        )
    unknown_G = n_G < 1
    return Bounds(
        estimate_G=inside.mean_G,
        low_G=np.where(unknown_G, np.nan, low_G),
        high_G=np.where(unknown_G, np.nan, high_G),
        p_G=np.where(unknown_G, np.nan, p_G),
        error_G=np.full(len(n_G), np.nan),
        suspected_G=np.where(p_G < SUSPICIOUS, inside.mean_G, np.nan),
    )


def _wilson(moments: Moments, z: float | Array) -> tuple[Array, Array]:
    """Return the score interval of a share (Wilson 1927); NaN without people."""
    n_G = np.where(moments.people_G > 0, moments.people_G, np.nan)
    p_G, scale_G = moments.mean_G, 1 + z**2 / n_G
    middle_G = (p_G + z**2 / (2 * n_G)) / scale_G
    half_G = z * np.sqrt(p_G * (1 - p_G) / n_G + z**2 / (4 * n_G**2)) / scale_G
    return middle_G - half_G, middle_G + half_G


def _p_by_inversion(
    estimate_G: Array, ends: Callable[[float | Array], tuple[Array, Array]], limit: Limit
) -> Array:
    """Return the p-value at which the bound that faces the limit reaches it."""
    beyond_G = limit.excess(estimate_G) > 0
    least_z_G, most_z_G = np.zeros(len(estimate_G)), np.full(len(estimate_G), 12.0)
    for _ in range(BISECTIONS):
        z_G = (least_z_G + most_z_G) / 2
        low_G, high_G = (limit.excess(end_G) for end_G in ends(z_G))
        nearest_G, farthest_G = np.minimum(low_G, high_G), np.maximum(low_G, high_G)
        # The interval grows with z: from beyond back to the limit, from within out to it.
        short_G = np.where(beyond_G, nearest_G > 0, farthest_G <= 0)
        least_z_G, most_z_G = np.where(short_G, z_G, least_z_G), np.where(short_G, most_z_G, z_G)
    p_G = np.where(beyond_G, norm.sf(least_z_G), norm.cdf(least_z_G))
    return np.where(np.isfinite(estimate_G), p_G, np.nan)
