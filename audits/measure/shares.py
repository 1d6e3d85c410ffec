"""Confidence bounds of shares that hold for few people: exact binomial, and Newcombe's.

Letters: G groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy

from audits.measure.bounds import Array, Bounds, Limit, drawn, t_bounds
from audits.measure.clustered.alike import Wider, limited, widened, worth
from audits.measure.disparity import Direction
from audits.measure.people import Moments, PeopleOfGroups, variance_of_mean

SEVERAL = 2.0
"""Forecasts a person from which person means are averages, and not ones and zeros."""

SUSPICIOUS = 0.05
"""p-value of an exact test below which a share of very few people is suspicious."""

BISECTIONS = 50


def share_bounds(people: PeopleOfGroups, limit: Limit) -> Bounds:
    """Bound a share in each group, such as how many outcomes were inside their range.

    With one forecast a person: exact binomial (Clopper and Pearson 1934). With several, a t bound
    of the people's own shares and of one more person, half-way between the limit and the end of
    the scale on the unfavourable side: without that person, few people who all keep the limit
    would have no spread at all. Where people are clustered, an exact bound is of as many people as
    would say the same if nobody were alike (Korn and Graubard 1998).
    """
    inside, wider = people.inside, people.of_value
    plain_G = variance_of_mean(inside, people.pooled_G)
    of_people = _several_bounds(inside, limit, plain_G, wider)
    exact = _binomial_bounds(inside, limit, worth(plain_G, inside.people_G, wider, limit.level))
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
    """Bound the difference of a share from the rest's: hybrid score interval (Newcombe 1998).

    Where people are clustered, of as many people as would say the same if nobody were alike
    (Korn and Graubard 1998; score intervals so: Franco, Little, Louis and Slud 2019).
    """
    inside, rest = people.inside, people.rest
    if people.alike is not None:
        plain_G = sum((variance_of_mean(m, people.pooled_G) for m in (inside, rest)), 0.0)
        smaller_G = np.minimum(inside.people_G, rest.people_G)
        worth_G = worth(np.asarray(plain_G), smaller_G, people.alike.difference, limit.level)
        inside, rest = (replace(m, people_G=m.people_G * worth_G) for m in (inside, rest))

    def ends(z: float | Array) -> tuple[Array, Array]:
        (low_G, high_G), (rest_low_G, rest_high_G) = _wilson(inside, z), _wilson(rest, z)
        p_G, q_G = inside.mean_G, rest.mean_G
        return (
            p_G - q_G - np.hypot(p_G - low_G, rest_high_G - q_G),
            p_G - q_G + np.hypot(high_G - p_G, q_G - rest_low_G),
        )

    estimate_G = inside.mean_G - rest.mean_G
    low_G, high_G = ends(float(scipy.stats.norm.ppf(limit.level)))
    # That people of a cluster are alike excuses nobody from suspicion.
    usual_G = _smoothed_error(people.inside, people.rest)
    return Bounds(
        estimate_G=estimate_G, low_G=low_G, high_G=high_G,
        p_G=_p_by_inversion(estimate_G, ends, limit), error_G=_smoothed_error(inside, rest),
        suspected_G=drawn(estimate_G, usual_G, limit),
    )  # fmt: skip


def _smoothed_error(*sides: Moments) -> Array:
    """Return the standard error of a difference, each side with one more who has and has not."""
    smoothed = [(m.mean_G * m.people_G + 1) / (m.people_G + 2) for m in sides]
    return np.asarray(np.sqrt(
        sum(s_G * (1 - s_G) / np.where(m.people_G > 0, m.people_G, np.nan)
            for s_G, m in zip(smoothed, sides, strict=True))
    ))  # fmt: skip


def _several_bounds(inside: Moments, limit: Limit, plain_G: Array, wider: Wider | None) -> Bounds:
    low, high = (_with_one_more(inside, end) for end in (limit.value / 2, (1 + limit.value) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        times_G = np.nan_to_num(np.sqrt(widened(plain_G, wider) / plain_G), nan=1.0)
    low_error_G, high_error_G = (_error(moments) * times_G for moments in (low, high))
    freedom_G = limited(low.people_G - 1, wider)
    low_G = low.mean_G - scipy.stats.t.ppf(limit.level, freedom_G) * low_error_G
    high_G = high.mean_G + scipy.stats.t.ppf(limit.level, freedom_G) * high_error_G
    # The p-value is of the rule being kept, so it uses the person who speaks for it.
    kept, kept_error_G = (
        (high, high_error_G) if limit.direction is Direction.AT_LEAST else (low, low_error_G)
    )
    bounds = t_bounds(kept.mean_G, kept_error_G, freedom_G, limit)
    return Bounds(
        estimate_G=inside.mean_G, low_G=np.clip(low_G, 0, None), high_G=np.clip(high_G, None, 1),
        p_G=bounds.p_G, error_G=low_error_G, suspected_G=np.full_like(low_G, np.nan),
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


def _binomial_bounds(inside: Moments, limit: Limit, worth_G: Array) -> Bounds:
    n_G = inside.people_G
    sum_G = np.nan_to_num(inside.mean_G) * n_G
    # People with two forecasts may have half a share: each bound rounds it away from itself.
    all_fewest_G, all_most_G = np.floor(sum_G + 1e-9), np.ceil(sum_G - 1e-9)
    fewest_G, most_G, worth_n_G = (each_G * worth_G for each_G in (all_fewest_G, all_most_G, n_G))
    tail = 1 - limit.level
    with np.errstate(invalid="ignore"):
        low_G = np.where(
            fewest_G > 0, scipy.stats.beta.ppf(tail, fewest_G, worth_n_G - fewest_G + 1), 0.0
        )
        high_G = np.where(
            most_G < worth_n_G, scipy.stats.beta.ppf(1 - tail, most_G + 1, worth_n_G - most_G), 1.0
        )
        of_all_G = (
            scipy.stats.binom.cdf(all_most_G, n_G, limit.value)
            if limit.direction is Direction.AT_LEAST
            else scipy.stats.binom.sf(all_fewest_G - 1, n_G, limit.value)
        )
        # Between whole numbers the binomial distribution goes on as a beta.
        of_part_G = (
            scipy.stats.beta.sf(limit.value, most_G + 1, worth_n_G - most_G)
            if limit.direction is Direction.AT_LEAST
            else scipy.stats.beta.cdf(limit.value, fewest_G, worth_n_G - fewest_G + 1)
        )
        p_G = np.where(worth_G < 1, of_part_G, of_all_G)
    unknown_G = n_G < 1
    return Bounds(
        estimate_G=inside.mean_G,
        low_G=np.where(unknown_G, np.nan, low_G),
        high_G=np.where(unknown_G, np.nan, high_G),
        p_G=np.where(unknown_G, np.nan, p_G),
        error_G=np.full(len(n_G), np.nan),
        suspected_G=np.where(of_all_G < SUSPICIOUS, inside.mean_G, np.nan),
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
    p_G = np.where(beyond_G, scipy.stats.norm.sf(least_z_G), scipy.stats.norm.cdf(least_z_G))
    return np.where(np.isfinite(estimate_G), p_G, np.nan)
