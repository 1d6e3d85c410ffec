"""Each person's mean of a metric, and its mean and spread over the people of each group.

People weigh alike, however many forecasts they have: a person's forecasts depend on each other, and
one who was seen more often is not more of a person. Somebody whose group changes with the
forecast's origin counts in each of the groups, by the share of the forecasts made there.

Letters: N rows, E entries (a person in a group), S people, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.measure.clustered.alike import Alike, Independent, Wider, alike
from audits.measure.clustered.clusters import Clusters
from audits.measure.clustered.sums import Members
from audits.measure.groups import Grouping
from audits.measure.metric_definitions import MetricThresholds, ratio
from audits.measure.metrics import Measure, Metric, addends, counted_column
from contracts.predictions import SUBJECT

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Mean and spread over people, one number per group.

    Parameters
    ----------
    people_G
        Number of people.
    effective_G
        The number of people who weigh one each and would say as much (Kish 1965).
    mean_G, variance_G
        Weighted mean of the people's means, and their variance (denominator n - 1); NaN where
        there are too few people for it.
    """

    people_G: Array
    effective_G: Array
    mean_G: Array
    variance_G: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleOfGroups:
    """A metric by person: in each group, and in everyone else.

    Parameters
    ----------
    inside, rest
        The people of each group, and all people outside of it.
    pooled_G
        Variance of people about the mean of their own group, over all groups of the grouping.
    rows_each_G
        Rows that count, per person of the group.
    alike
        How alike people of a cluster are; None where the task declares no clusters.
    """

    inside: Moments
    rest: Moments
    pooled_G: Array
    rows_each_G: Array
    alike: Alike | None = None

    @property
    def of_value(self) -> Wider | None:
        """How uncertain clusters leave a group's mean; None where there are none."""
        return None if self.alike is None else self.alike.value

    @property
    def of_difference(self) -> Wider | None:
        """How uncertain clusters leave its difference from the rest."""
        return None if self.alike is None else self.alike.difference


def has_person_means(metric: Metric) -> bool:
    """Return whether a metric of people is the mean of their own: not so for slopes and ranks."""
    return metric is not Metric.AUROC and metric.definition.combine is ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSums:
    """What each row adds to a metric, for one table.

    Parameters
    ----------
    subject_N
        Number of each row's person, from 0.
    numerator_N, denominator_N
        The metric is the sum of the one over the sum of the other.
    clusters
        Of the people; None where the task declares none.
    """

    subject_N: NDArray[np.intp]
    numerator_N: Array
    denominator_N: Array
    clusters: Clusters | None = None

    @staticmethod
    def of(table: pd.DataFrame, measure: Measure, thresholds: MetricThresholds) -> RowSums:
        """Return what the rows of a table add to a metric that has person means."""
        added_NK = addends(table, measure, thresholds)
        _, subject_N = np.unique(table[SUBJECT].to_numpy(), return_inverse=True)
        return RowSums(
            subject_N=subject_N, numerator_N=added_NK[:, 0], denominator_N=added_NK[:, 1],
            clusters=Clusters.of(table, subject_N),
        )  # fmt: skip

    def less(self, other: RowSums) -> RowSums:
        """Return this metric minus another of the same rows, such as a comparator's."""
        return replace(self, numerator_N=self.numerator_N - other.numerator_N)


def people_of_groups(rows: RowSums, grouping: Grouping) -> PeopleOfGroups:
    """Return a metric by person in each group of a grouping, and in its rest."""
    groups, people = len(grouping.labels_G), int(rows.subject_N.max()) + 1
    total_S = _summed(rows.subject_N, rows.denominator_N, people)
    mean_S = ratio(_summed(rows.subject_N, rows.numerator_N, people), total_S)
    counted_N = rows.denominator_N > 0
    key_N = (grouping.group_N * people + rows.subject_N)[counted_N]
    key_E, entry_N = np.unique(key_N, return_inverse=True)
    group_E, subject_E = np.divmod(key_E, people)
    numerator_E = _summed(entry_N, rows.numerator_N[counted_N], len(key_E))
    denominator_E = _summed(entry_N, rows.denominator_N[counted_N], len(key_E))
    total_E = total_S[subject_E]
    value_E, weight_E = numerator_E / denominator_E, denominator_E / total_E
    inside_4G = _sums(value_E, weight_E, group_E, groups)
    # The rest: everyone, without the people of the group, with what those have elsewhere.
    left_E = total_E - denominator_E
    left_E = np.where(left_E > 1e-9 * total_E, left_E, 0.0)
    elsewhere_E = ratio(mean_S[subject_E] * total_E - numerator_E, left_E)
    known_S = total_S > 0
    everyone_4 = _sums(
        mean_S[known_S], np.ones(int(known_S.sum())), np.zeros(int(known_S.sum()), np.intp), 1
    )
    without_4G = everyone_4 - _sums(mean_S[subject_E], np.ones(len(key_E)), group_E, groups)
    away_E = left_E > 0
    rest_4G = without_4G + _sums(
        elsewhere_E[away_E], left_E[away_E] / total_E[away_E], group_E[away_E], groups
    )
    rows_G = np.bincount(grouping.group_N[counted_N], minlength=groups)
    inside = moments_of(inside_4G, np.bincount(group_E, minlength=groups))
    rest_people_G = (
        known_S.sum()
        - np.bincount(group_E, minlength=groups)
        + np.bincount(group_E[away_E], minlength=groups)
    )
    found = PeopleOfGroups(
        inside=inside,
        rest=moments_of(rest_4G, rest_people_G),
        pooled_G=np.full(groups, pooled_variance(inside)),
        rows_each_G=ratio(rows_G.astype(np.float64), inside_4G[0]),
    )
    if rows.clusters is None:
        return found
    members = Members(
        groups=groups, group_E=group_E, subject_E=subject_E, weight_E=weight_E, value_E=value_E,
        away_E=left_E / total_E, elsewhere_E=elsewhere_E, value_S=mean_S, counted_S=known_S,
    )  # fmt: skip
    return replace(found, alike=alike(members, rows.clusters, _independent(found)))


def variance_of_mean(moments: Moments, pooled_G: Array) -> Array:
    """Return the variance of each group's mean: its people's or the pooled one, the larger."""
    effective_G = np.where(moments.effective_G > 0, moments.effective_G, np.nan)
    return np.asarray(np.fmax(moments.variance_G, pooled_G) / effective_G)


def _independent(found: PeopleOfGroups) -> Independent:
    variance_G = variance_of_mean(found.inside, found.pooled_G)
    return Independent(
        mean_G=found.inside.mean_G,
        rest_G=found.rest.mean_G,
        variance_G=variance_G,
        difference_G=variance_G + variance_of_mean(found.rest, found.pooled_G),
        spread=float(found.pooled_G[0]),
    )


def person_weights(table: pd.DataFrame, measure: Measure, thresholds: MetricThresholds) -> Array:
    """Return weights of rows, (N,), by which each person with a row that counts weighs one.

    Rows of a person without one weigh 0.
    """
    _, subject_N = np.unique(table[SUBJECT].to_numpy(), return_inverse=True)
    return weights_of(subject_N, addends(table, measure, thresholds), measure)


def weights_of(subject_N: NDArray[np.intp], added_NK: Array, measure: Measure) -> Array:
    """Return the same weights, from each row's person and what it adds to the measure's sums."""
    counted_N = added_NK[:, counted_column(measure.metric)]
    total_S = _summed(subject_N, counted_N, int(subject_N.max()) + 1)
    return np.nan_to_num(ratio(np.ones(len(subject_N)), total_S[subject_N]))


def pooled_variance(inside: Moments) -> float:
    """Return the variance of people about the mean of their own group; NaN where unknown."""
    freedom_G = np.clip(inside.people_G - 1, 0, None)
    known_G = (freedom_G > 0) & np.isfinite(inside.variance_G)
    if not known_G.any():
        return float("nan")
    return float(np.average(inside.variance_G[known_G], weights=freedom_G[known_G]))


def _summed(index: NDArray[np.intp], value: Array, length: int) -> Array:
    return np.asarray(np.bincount(index, value, length), dtype=np.float64)


def _sums(value_E: Array, weight_E: Array, group_E: NDArray[np.intp], groups: int) -> Array:
    """Return per group the sums of weight, squared weight, value and squared value, (4, G)."""
    terms = (weight_E, weight_E**2, weight_E * value_E, weight_E * value_E**2)
    return np.stack([_summed(group_E, term, groups) for term in terms])


def moments_of(sums_4G: Array, people_G: NDArray[np.intp]) -> Moments:
    """Return mean and spread of groups from their people's sums.

    Parameters
    ----------
    sums_4G
        Weights, their squares, and the values and squared values by weight.
    """
    weight_G, squared_G, value_G, square_G = sums_4G
    weight_G = np.where(people_G > 0, weight_G, 0.0)
    mean_G = ratio(value_G, weight_G)
    number_G = people_G.astype(np.float64)
    spread_G = np.clip(ratio(square_G, weight_G) - mean_G**2, 0, None)
    # What rounding leaves of equal numbers is no spread.
    spread_G = np.where(spread_G > 1e-12 * (1 + mean_G**2), spread_G, 0.0)
    return Moments(
        people_G=number_G,
        effective_G=ratio(weight_G**2, np.where(weight_G > 0, squared_G, 0.0)),
        mean_G=mean_G,
        variance_G=np.where(
            people_G > 1,
            spread_G * number_G * ratio(np.ones_like(number_G), np.clip(number_G - 1, 0, None)),
            np.nan,
        ),
    )
