"""People of one hospital, or assessed by one assessor, are alike: what that does to certainty.

A task declares what people are clustered by. The variance of an estimate is then that of its
clusters' sums: each cluster counts once, however many people it has (CR2, Bell and McCaffrey 2002;
Pustejovsky and Tipton 2018). A group that fewer than eight clusters hold cannot show its own such
variance: the correlation within clusters of the whole cohort stands in for it (one-way analysis of
variance; Donner and Koval 1980), with one degree of freedom less than the cohort has clusters. Of
two clusterings the sum less what both have in common counts (Cameron, Gelbach and Miller 2011), and
at least the larger. Whatever comes out, it is never more certain than if nobody were alike.

Letters: N rows, S people, E entries (a person in a group), G groups, C clusters, K clusterings.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from audits.measure.clustered.clusters import Clusters
from audits.measure.clustered.sums import Members, Side, by_cluster, correlation

Array = NDArray[np.float64]
Index = NDArray[np.intp]

FEW = 8
"""Clusters that hold a group, below which their own spread says too little (Cameron and Miller
2015 call fewer than 5 to 30 too few, depending on how even they are)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Independent:
    """What holds if nobody were alike.

    Parameters
    ----------
    mean_G, rest_G
        Means of the groups and of their rests.
    variance_G, difference_G
        Variance of a group's mean, and of its difference from the rest.
    spread
        Variance of people about the mean of their group.
    """

    mean_G: Array
    rest_G: Array
    variance_G: Array
    difference_G: Array
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wider:
    """Variance of an estimate if people of a cluster are alike, with its degrees of freedom.

    Parameters
    ----------
    variance_G
        0 where clusters add nothing.
    freedom_G
        Infinite where they do not limit it.
    """

    variance_G: Array
    freedom_G: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """How much less certain estimates are because people of a cluster are alike.

    Parameters
    ----------
    value, difference
        Of a group's mean, and of its difference from the rest.
    names, held_KG
        The clusterings, and how many clusters hold each group.
    """

    value: Wider
    difference: Wider
    names: tuple[str, ...]
    held_KG: NDArray[np.int64]


def alike(members: Members, clusters: Clusters, independent: Independent) -> Alike:
    """Return how much clusters widen the estimates of a grouping."""
    alone = [_of_one(members, number_S, independent) for number_S in clusters.number_KS]
    both = [
        _of_one(members, _common(one_S, other_S), independent)
        for one_S, other_S in itertools.combinations(clusters.number_KS, 2)
    ]
    pairs = list(itertools.combinations(range(len(alone)), 2))
    return Alike(
        value=_together([a.value for a in alone], [b.value for b in both], pairs),
        difference=_together([a.difference for a in alone], [b.difference for b in both], pairs),
        names=clusters.names,
        held_KG=np.stack([a.held_G for a in alone]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfOne:
    value: Wider
    difference: Wider
    held_G: NDArray[np.int64]


def _common(one_S: Index, other_S: Index) -> Index:
    pair_S = one_S * (int(other_S.max(initial=0)) + 1) + other_S
    return np.asarray(np.unique(pair_S, return_inverse=True)[1], dtype=np.intp)


def _together(alone: list[Wider], both: list[Wider], pairs: list[tuple[int, int]]) -> Wider:
    variance_G = np.max([wider.variance_G for wider in alone], axis=0)
    for (one, other), common in zip(pairs, both, strict=True):
        summed_G = alone[one].variance_G + alone[other].variance_G - common.variance_G
        # Where one of them adds nothing, there is no sum.
        adds_G = (alone[one].variance_G > 0) & (alone[other].variance_G > 0)
        variance_G = np.where(adds_G, np.fmax(variance_G, summed_G), variance_G)
    return Wider(
        variance_G=variance_G, freedom_G=np.min([wider.freedom_G for wider in alone], axis=0)
    )


def _of_one(members: Members, number_S: Index, independent: Independent) -> _OfOne:
    clusters = int(number_S.max(initial=0)) + 1
    key_E = members.group_E * clusters + number_S[members.subject_E]
    cell_E, entry_E = np.unique(key_E, return_inverse=True)
    held_G = np.bincount(cell_E // clusters, minlength=members.groups)
    total = len(np.unique(number_S[members.counted_S]))
    nothing = Wider(variance_G=np.zeros(members.groups), freedom_G=np.full(members.groups, np.inf))
    # Groups that are the clusters themselves: their differences are what is asked, and no noise.
    are_clusters = members.groups > 1 and bool((held_G <= 1).all())
    if total < 2 or are_clusters or not np.isfinite(independent.spread):
        return _OfOne(value=nothing, difference=nothing, held_G=held_G)
    rho = correlation(members, cell_E // clusters, entry_E)
    parts = list(by_cluster(members, number_S, clusters))
    value, difference = (
        [_wider(side, rho, total, independent, slice_G) for side, slice_G in each]
        for each in (
            [((inside, None), slice_G) for inside, _, slice_G in parts],
            [((inside, rest), slice_G) for inside, rest, slice_G in parts],
        )
    )
    return _OfOne(value=_joined(value), difference=_joined(difference), held_G=held_G)


def _joined(parts: list[Wider]) -> Wider:
    return Wider(
        variance_G=np.concatenate([part.variance_G for part in parts]),
        freedom_G=np.concatenate([part.freedom_G for part in parts]),
    )


def _wider(
    sides: tuple[Side, Side | None], rho: float, total: int, independent: Independent,
    slice_G: slice,
) -> Wider:  # fmt: skip
    """Return the variance of a mean, or of the difference of two, by the sums of clusters."""
    inside, rest = sides
    share_GC, of_people_GC, sum_GC = _terms(inside, independent.mean_G[slice_G])
    least_G = (share_GC > 0).sum(axis=1)
    plain_G = independent.variance_G[slice_G]
    if rest is not None:
        rest_share_GC, rest_people_GC, rest_sum_GC = _terms(rest, independent.rest_G[slice_G])
        least_G = np.minimum(least_G, (rest_share_GC > 1e-12).sum(axis=1))
        plain_G = independent.difference_G[slice_G]
        # What a cluster does to its people on both sides is in no difference.
        share_GC = share_GC - rest_share_GC
        of_people_GC, sum_GC = of_people_GC + rest_people_GC, sum_GC - rest_sum_GC
    enough_G = least_G >= FEW
    by_rho_G = (1 - rho) * plain_G + rho * independent.spread * (share_GC**2).sum(axis=1)
    weight_GC = (1 - rho) * of_people_GC + rho * share_GC**2
    # Effective number of clusters (Carter, Schnepel and Steigerwald 2017).
    squares_G = (weight_GC**2).sum(axis=1)
    number_G = weight_GC.sum(axis=1) ** 2 / np.where(squares_G > 0, squares_G, np.nan)
    return Wider(
        variance_G=np.nan_to_num(
            np.fmax(by_rho_G, np.where(enough_G, (sum_GC**2).sum(axis=1), 0.0))
        ),
        # However uneven they are, clusters leave one degree of freedom.
        freedom_G=np.where(enough_G, np.fmax(number_G - 1, 1.0), float(total - 1)),
    )


def _terms(side: Side, mean_G: Array) -> tuple[Array, Array, Array]:
    """Return each cluster's share of a group, its people's squared shares, and its sum's part."""
    total_G = side.weight_GC.sum(axis=1)[:, None]
    total_G = np.where(total_G > 0, total_G, np.nan)
    share_GC = np.nan_to_num(side.weight_GC / total_G)
    left_GC = np.where(share_GC < 1 - 1e-9, 1 - share_GC, np.inf)
    sum_GC = (side.value_GC - mean_G[:, None] * side.weight_GC) / total_G
    return (
        share_GC,
        np.nan_to_num(side.squared_GC / total_G**2),
        np.nan_to_num(sum_GC / np.sqrt(left_GC)),
    )


def widened(plain_G: Array, wider: Wider | None) -> Array:
    """Return the larger variance; to the bit the plain one where only rounding makes it larger."""
    if wider is None:
        return plain_G
    is_wider_G = wider.variance_G > (1 + 1e-9) * plain_G
    return np.asarray(np.where(is_wider_G, wider.variance_G, plain_G))


def limited(freedom_G: Array, wider: Wider | None) -> Array:
    """Return the degrees of freedom, fewer where clusters leave fewer."""
    if wider is None:
        return freedom_G
    return np.asarray(np.where(wider.freedom_G < freedom_G - 1e-6, wider.freedom_G, freedom_G))


def worth(plain_G: Array, people_G: Array, wider: Wider | None, level: float) -> Array:
    """Return which part of the people would say as much if nobody were alike: at most 1.

    The effective sample of Korn and Graubard (1998), which the quantiles of t make smaller still.

    Parameters
    ----------
    plain_G
        Variance if nobody were alike; where it is 0, nothing shows that anybody is.
    """
    if wider is None:
        return np.ones(len(people_G))
    freedom_G = np.where(people_G > 1, people_G - 1, np.nan)
    limited_G = np.clip(limited(freedom_G, wider), 1e-3, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_variance_G = plain_G / widened(plain_G, wider)
        worth_G = (
            of_variance_G
            * (scipy.stats.t.ppf(level, freedom_G) / scipy.stats.t.ppf(level, limited_G)) ** 2
        )
    return np.asarray(np.clip(np.nan_to_num(worth_G, nan=1.0), 0.0, 1.0))
