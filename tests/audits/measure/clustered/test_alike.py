"""People of one cluster are alike: bounds against closed forms, invariances and simulated people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from audits.measure.bounds import Bounds, Limit, difference_bounds, mean_bounds
from audits.measure.clustered.clusters import Clusters
from audits.measure.disparity import Direction
from audits.measure.groups import Grouping
from audits.measure.losses import losses
from audits.measure.people import PeopleOfGroups, RowSums, people_of_groups
from audits.measure.shares import share_bounds, share_difference_bounds
from support.clustered_trials import Setting, coverage_of_bounds

WITHIN = Limit(direction=Direction.WITHIN, value=4.25, confidence=0.95)
AT_LEAST = Limit(direction=Direction.AT_LEAST, value=0.65, confidence=0.95)
AT_MOST = Limit(direction=Direction.AT_MOST, value=0.25, confidence=0.95)
EVERY_BOUND = (
    (mean_bounds, WITHIN), (difference_bounds, WITHIN), (share_bounds, AT_LEAST),
    (share_difference_bounds, AT_MOST),
)  # fmt: skip


def people(
    value_N: NDArray[np.float64], group_N: NDArray[np.intp], *cluster_KN: NDArray[np.intp],
    subject_N: NDArray[np.intp] | None = None,
) -> PeopleOfGroups:  # fmt: skip
    """One row a person unless said otherwise."""
    subject_N = np.arange(len(value_N)) if subject_N is None else subject_N
    table = pd.DataFrame({f"cluster:{k}": cluster_N for k, cluster_N in enumerate(cluster_KN)})
    groups = int(group_N.max()) + 1
    sums = RowSums(
        subject_N=subject_N, numerator_N=value_N, denominator_N=np.ones(len(value_N)),
        clusters=Clusters.of(table, subject_N),
    )  # fmt: skip
    grouping = Grouping(
        axis="a", attributes=("a",), labels_G=tuple("vwxyz"[:groups]), group_N=group_N
    )
    return people_of_groups(sums, grouping)


def numbers(bounds: Bounds) -> NDArray[np.float64]:
    return np.stack([bounds.low_G, bounds.high_G, bounds.p_G])


def cohort(seed: int, clusters: int, count: int = 120) -> tuple[NDArray[np.float64], ...]:
    rng = np.random.default_rng(seed)
    cluster_N = rng.integers(clusters, size=count)
    value_N = rng.normal(0, 3, clusters)[cluster_N] + rng.normal(0, 6, count)
    return value_N, rng.integers(3, size=count), cluster_N


def test_clusters_of_equal_size_are_as_many_people_as_there_are_clusters() -> None:
    """The classical result: the mean of cluster means, by t with one degree less than clusters."""
    rng = np.random.default_rng(1)
    means_C = rng.normal(0, 4, 12)
    cluster_N = np.repeat(np.arange(12), 10)
    value_N = means_C[cluster_N] + rng.normal(0, 1, 120)
    found = mean_bounds(people(value_N, np.zeros(120, np.intp), cluster_N), WITHIN)
    of_clusters = value_N.reshape(12, 10).mean(axis=1)
    low, high = stats.t.interval(0.95, 11, of_clusters.mean(), stats.sem(of_clusters))
    assert (found.low_G[0], found.high_G[0]) == pytest.approx((low, high))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from([2, 5, 9, 30]))
def test_clusters_never_make_anything_more_certain(seed: int, clusters: int) -> None:
    value_N, group_N, cluster_N = cohort(seed, clusters)
    inside_N = (np.abs(value_N) < 8).astype(np.float64)
    for bounds_of, limit in EVERY_BOUND:
        of_shares = limit is not WITHIN
        values = inside_N if of_shares else value_N
        plain = bounds_of(people(values, group_N), limit)
        found = bounds_of(people(values, group_N, cluster_N), limit)
        assert (found.low_G <= plain.low_G + 1e-12).all()
        assert (found.high_G >= plain.high_G - 1e-12).all()
        np.testing.assert_array_equal(found.estimate_G, plain.estimate_G)
        # Nor does it excuse a group that is too small for a bound.
        np.testing.assert_array_equal(found.suspected_G, plain.suspected_G)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_where_everybody_is_a_cluster_nothing_changes(seed: int) -> None:
    value_N, group_N, _ = cohort(seed, 5)
    inside_N = (np.abs(value_N) < 8).astype(np.float64)
    alone_N = np.random.default_rng(seed).permutation(len(value_N))
    for bounds_of, limit in EVERY_BOUND:
        values = value_N if limit is WITHIN else inside_N
        plain = bounds_of(people(values, group_N), limit)
        found = bounds_of(people(values, group_N, alone_N), limit)
        np.testing.assert_allclose(numbers(found), numbers(plain), rtol=1e-9)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from([3, 9, 30]))
def test_neither_labels_nor_the_order_of_rows_matter(seed: int, clusters: int) -> None:
    value_N, group_N, cluster_N = cohort(seed, clusters)
    rng = np.random.default_rng(seed)
    renamed_N = rng.permutation(clusters)[cluster_N] + 100
    order = rng.permutation(len(value_N))
    found = difference_bounds(people(value_N, group_N, cluster_N), WITHIN)
    for other in (
        people(value_N, group_N, renamed_N),
        people(value_N[order], group_N[order], cluster_N[order], subject_N=order),
    ):
        np.testing.assert_allclose(numbers(difference_bounds(other, WITHIN)), numbers(found))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from([9, 30]))
def test_two_clusterings_are_at_least_as_wide_as_the_wider(seed: int, clusters: int) -> None:
    value_N, group_N, cluster_N = cohort(seed, clusters)
    other_N = np.random.default_rng(seed + 1).integers(12, size=len(value_N))
    both = difference_bounds(people(value_N, group_N, cluster_N, other_N), WITHIN)
    for one_N in (cluster_N, other_N):
        alone = difference_bounds(people(value_N, group_N, one_N), WITHIN)
        assert (both.high_G >= alone.high_G - 1e-12).all()


def test_groups_that_are_the_clusters_are_compared_and_no_noise() -> None:
    value_N, _, cluster_N = cohort(3, 4)
    plain = difference_bounds(people(value_N, cluster_N), WITHIN)
    found = difference_bounds(people(value_N, cluster_N, cluster_N), WITHIN)
    np.testing.assert_array_equal(numbers(found), numbers(plain))


def test_a_group_in_one_of_many_clusters_borrows_how_alike_people_are_elsewhere() -> None:
    rng = np.random.default_rng(5)
    cluster_N = np.repeat(np.arange(20), 15)
    value_N = 6 * np.sqrt(0.3) * rng.normal(size=20)[cluster_N] + 5 * rng.normal(size=300)
    group_N = (cluster_N == 7).astype(np.intp)
    group_N[cluster_N != 7] = rng.integers(0, 3, 285) * 2 // 2
    group_N[(cluster_N != 7) & (group_N == 1)] = 0
    plain = difference_bounds(people(value_N, group_N), WITHIN)
    found = difference_bounds(people(value_N, group_N, cluster_N), WITHIN)
    group = int(group_N[cluster_N == 7][0])
    width = (found.high_G - found.low_G) / (plain.high_G - plain.low_G)
    # 15 people with a correlation of about .3 are worth three.
    assert 1.5 < width[group] < 3.5


def test_what_a_cluster_does_to_both_sides_is_in_no_difference() -> None:
    rng = np.random.default_rng(6)
    cluster_N = np.repeat(np.arange(30), 20)
    group_N = np.tile([0, 1], 300)
    value_N = 20 * rng.normal(size=30)[cluster_N] + rng.normal(size=600)
    plain = difference_bounds(people(value_N, group_N), WITHIN)
    found = difference_bounds(people(value_N, group_N, cluster_N), WITHIN)
    assert (found.high_G - found.low_G) == pytest.approx(plain.high_G - plain.low_G, rel=0.1)


def test_lost_outcomes_are_bounded_by_clusters_too() -> None:
    """One in five lost everywhere, but all or none of a hospital's."""
    cluster_N = np.repeat(np.arange(20), 10)
    rows = pd.DataFrame(
        {
            "subject_id": np.arange(200), "status": "observed", "cluster:site": cluster_N,
        }
    )  # fmt: skip
    grouping = Grouping(
        axis="a", attributes=("a",), labels_G=("x", "y"), group_N=(cluster_N % 2).astype(np.intp)
    )
    lost_N = np.isin(cluster_N, [0, 1, 2, 3]).astype(np.float64)
    plain = losses(rows.drop(columns="cluster:site"), grouping, lost_N)
    found = losses(rows, grouping, lost_N)
    assert (found.high_G(0.95) > plain.high_G(0.95) + 0.1).all()
    np.testing.assert_array_equal(found.share_G, plain.share_G)


@pytest.mark.parametrize(("hospitals", "plain_at_most"), [(8, 0.85), (20, 0.9), (60, 0.93)])
def test_intervals_hold_where_people_of_a_hospital_are_alike(
    hospitals: int, plain_at_most: float
) -> None:
    """SIMULATED, intraclass correlation .1; `make bench NAME=clusters` prints more."""
    found = coverage_of_bounds(Setting(hospitals=hospitals), trials=200)
    assert found.of_people <= plain_at_most
    assert 0.92 <= found.of_clusters <= 0.99
