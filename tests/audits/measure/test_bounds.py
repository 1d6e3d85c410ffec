"""Bounds for few people, against closed forms and against simulated samples at the limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from audits.measure.bounds import Limit, difference_bounds, mean_bounds
from audits.measure.disparity import Direction
from audits.measure.people import Moments, PeopleOfGroups, pooled_variance
from audits.measure.shares import share_bounds, share_difference_bounds

Array = NDArray[np.float64]
LIMIT = 4.25


def of_values(values_KN: Array) -> Moments:
    """Moments of K groups of N people each."""
    n = np.full(len(values_KN), float(values_KN.shape[1]))
    return Moments(
        people_G=n, effective_G=n, mean_G=values_KN.mean(axis=1),
        variance_G=values_KN.var(axis=1, ddof=1),
    )  # fmt: skip


def of_counts(people: int, hits_G: Array) -> Moments:
    n = np.full(len(hits_G), float(people))
    share_G = hits_G / n
    return Moments(
        people_G=n, effective_G=n, mean_G=share_G, variance_G=share_G * (1 - share_G) * n / (n - 1)
    )


def against_rest(inside: Moments, rest: Moments, rows_each: float = 1.0) -> PeopleOfGroups:
    return PeopleOfGroups(
        inside=inside,
        rest=rest,
        pooled_G=np.full(len(inside.people_G), pooled_variance(inside)),
        rows_each_G=np.full(len(inside.people_G), rows_each),
    )


def limit(direction: Direction, value: float) -> Limit:
    return Limit(direction=direction, value=value, confidence=0.95)


AT_MOST, AT_LEAST = limit(Direction.AT_MOST, LIMIT), limit(Direction.AT_LEAST, 0.65)


@pytest.mark.parametrize(("people", "needed"), [(9, 9), (20, 18), (30, 25), (60, 47), (80, 61)])
def test_a_share_of_single_forecasts_passes_from_as_many_as_the_exact_binomial_asks(
    people: int, needed: int
) -> None:
    inside = of_counts(people, np.arange(people + 1.0))
    bounds = share_bounds(against_rest(inside, inside), AT_LEAST)
    assert int(np.argmax(bounds.low_G >= 0.65)) == needed
    # The exact test and its bound agree: both are one-sided at 2.5 %.
    for hits in range(people + 1):
        low = stats.binomtest(hits, people).proportion_ci(0.95).low
        assert bounds.low_G[hits] == pytest.approx(low, abs=1e-9)


def test_eight_people_cannot_show_a_share() -> None:
    eight = of_counts(8, np.array([8.0]))
    assert share_bounds(against_rest(eight, eight), AT_LEAST).low_G[0] < 0.65


@pytest.mark.parametrize(("people", "passes"), [(8, 0.28), (12, 0.50), (20, 0.79), (30, 0.93)])
def test_a_group_at_the_limit_hardly_ever_passes_and_one_without_a_gap_as_often_as_it_can(
    people: int, passes: float
) -> None:
    """Figures of the method's published comparison, 4,000 SIMULATED samples each."""
    rng = np.random.default_rng(people)
    rest = of_values(rng.normal(0, 6, (4000, 200)))

    def share_passing(gap: float) -> float:
        inside = of_values(rng.normal(gap, 6, (4000, people)))
        # Each sample is an audit of its own, so that nothing is pooled over samples.
        pooled_G = ((people - 1) * inside.variance_G + 199 * rest.variance_G) / (people + 198)
        variance_G = np.maximum(inside.variance_G, pooled_G)
        error_G = np.sqrt(variance_G / people + np.maximum(rest.variance_G, pooled_G) / 200)
        high_G = inside.mean_G - rest.mean_G + stats.t.ppf(0.975, people - 1) * error_G
        return float((high_G <= LIMIT).mean())

    assert share_passing(0.0) == pytest.approx(passes, abs=0.025)
    assert share_passing(LIMIT) <= 0.028


def test_a_difference_is_bounded_by_t_with_the_larger_variance_and_the_smaller_side() -> None:
    inside = Moments(
        people_G=np.array([8.0, 40.0]), effective_G=np.array([8.0, 40.0]),
        mean_G=np.array([3.0, 1.0]), variance_G=np.array([4.0, 36.0]),
    )  # fmt: skip
    rest = Moments(
        people_G=inside.people_G[::-1], effective_G=inside.people_G[::-1],
        mean_G=inside.mean_G[::-1], variance_G=inside.variance_G[::-1],
    )  # fmt: skip
    bounds = difference_bounds(against_rest(inside, rest), AT_MOST)
    pooled = (7 * 4 + 39 * 36) / 46
    error = np.sqrt(pooled / 8 + 36 / 40)
    half = stats.t.ppf(0.975, 7) * error
    assert bounds.high_G == pytest.approx([2 + half, -2 + half])
    assert bounds.p_G[0] == pytest.approx(stats.t.sf((2 - LIMIT) / error, 7))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    people=st.integers(8, 60), rest=st.integers(20, 300), hits=st.floats(0, 1),
    rest_hits=st.floats(0, 1),
)  # fmt: skip
def test_a_difference_of_shares_has_newcombes_interval_and_a_p_value_that_agrees_with_it(
    people: int, rest: int, hits: float, rest_hits: float
) -> None:
    x, y = round(hits * people), round(rest_hits * rest)
    rule = limit(Direction.AT_MOST, 0.25)
    bounds = share_difference_bounds(
        against_rest(
            of_counts(people, np.array([float(x)])), of_counts(rest, np.array([float(y)]))
        ),
        rule,
    )
    (low, high), (rest_low, rest_high) = (
        stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        for k, n in ((x, people), (y, rest))
    )
    p, q = x / people, y / rest
    assert bounds.low_G[0] == pytest.approx(p - q - np.hypot(p - low, rest_high - q), abs=1e-9)
    assert bounds.high_G[0] == pytest.approx(p - q + np.hypot(high - p, q - rest_low), abs=1e-9)
    assert (bounds.low_G[0] > 0.25) == (bounds.p_G[0] < 0.025)
    assert (bounds.high_G[0] <= 0.25) == (bounds.p_G[0] >= 0.975 - 1e-9)


@pytest.mark.parametrize("events", [8, 20, 40])
def test_a_false_negative_rate_at_the_limit_hardly_ever_passes(events: int) -> None:
    rng = np.random.default_rng(events)
    inside = of_counts(events, rng.binomial(events, 0.45, 4000).astype(float))
    rest = of_counts(150, rng.binomial(150, 0.2, 4000).astype(float))
    bounds = share_difference_bounds(against_rest(inside, rest), limit(Direction.AT_MOST, 0.25))
    assert (bounds.high_G <= 0.25).mean() <= 0.031


@pytest.mark.parametrize("horizons", [3, 6])
def test_several_forecasts_a_person_do_not_make_coverage_easier_to_show(horizons: int) -> None:
    """SIMULATED people whose forecasts are right together or wrong together, coverage 65 %."""
    rng = np.random.default_rng(horizons)
    z = stats.norm.ppf(0.65)
    for people in (8, 12, 30):
        person = rng.normal(size=(3000, people, 1))
        noise = rng.normal(size=(3000, people, horizons))
        inside_KNH = np.sqrt(0.6) * person + np.sqrt(0.4) * noise < z
        inside = of_values(inside_KNH.mean(axis=2))
        bounds = share_bounds(against_rest(inside, inside, horizons), AT_LEAST)
        assert (bounds.low_G >= 0.65).mean() <= 0.035


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.floats(-30, 30), min_size=2, max_size=30), st.floats(0.5, 10))
def test_a_mean_is_bounded_by_t_and_its_p_value_agrees_with_the_bound(
    values: list[float], value: float
) -> None:
    inside = of_values(np.array([values]))
    rule = limit(Direction.AT_MOST, value)
    bounds = mean_bounds(against_rest(inside, inside), rule)
    if inside.variance_G[0] > 1e-6:
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (bounds.low_G[0], bounds.high_G[0]) == pytest.approx((low, high))
    assert (bounds.low_G[0] > value) == (bounds.p_G[0] < 0.025)


def test_one_person_has_no_bounds() -> None:
    one = Moments(
        people_G=np.ones(1),
        effective_G=np.ones(1),
        mean_G=np.ones(1),
        variance_G=np.full(1, np.nan),
    )
    bounds = mean_bounds(against_rest(one, one), AT_MOST)
    assert np.isnan(bounds.low_G[0])
    assert np.isnan(bounds.high_G[0])


def test_suspicion_shrinks_with_few_people_and_is_never_larger_than_what_was_seen() -> None:
    rng = np.random.default_rng(1)
    rest = rng.normal(0, 6, 200)

    def drawn(people: int) -> float:
        inside = rng.normal(0, 6, people)
        both = [inside - inside.mean() + 20, rest - rest.mean()]
        moments = [of_values(values[None]) for values in both]
        inside_G, rest_G = (
            Moments(**{
                name: np.concatenate([getattr(m, name) for m in order])
                for name in ("people_G", "effective_G", "mean_G", "variance_G")
            })
            for order in (moments, moments[::-1])
        )  # fmt: skip
        bounds = difference_bounds(against_rest(inside_G, rest_G), AT_MOST)
        return float(bounds.suspected_G[0])

    few, many = drawn(3), drawn(30)
    assert 0 < few < many < 20
    # Three people who were promised 20 points too much are few, and suspicious all the same.
    assert few > LIMIT
