"""The whole verdict on a SIMULATED cohort, judged by arrays: thousands can be judged in minutes.

A cohort is people with labels and errors. The bounds are those of the product
(`audits.measure.bounds`), for all groups of all attributes and pairs at once; what follows from
them (decisions, Benjamini-Hochberg, scope) is written again over arrays, and
`tests/benchmarks/test_operating_point.py` compares it with `judge` on the same people.

Letters: S people, A attributes, L labels of all attributes, P pairs of labels, G labels and pairs,
H horizons.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm

from audits.judging.gather import bounds_of, limit_of
from audits.judging.policy import Policy, Rule
from audits.measure.bounds import (
    Bounds,
)
from audits.measure.disparity import Direction, Statistic
from audits.measure.disparity import Scope as RuleScope
from audits.measure.metrics import Metric
from audits.measure.people import Moments, PeopleOfGroups

Array = NDArray[np.float64]

SPREAD = 6.0
"""Standard deviation of a person's errors, score points."""

SHARES: dict[str, tuple[float, ...]] = {
    "sex": (0.52, 0.48),
    "age band": (0.1, 0.25, 0.35, 0.3),
    "hospital": (0.3, 0.25, 0.2, 0.15, 0.1),
    "aphasia": (0.78, 0.22),
    "wear band": (0.1, 0.25, 0.35, 0.3),
    "walking aid": (0.4, 0.3, 0.2, 0.1),
    "affected side": (0.48, 0.48, 0.04),
    "device": (0.5, 0.3, 0.16, 0.04),
    "ethnicity": (0.7, 0.16, 0.1, 0.04),
}
"""Nine attributes with 32 labels: as many as the stroke task declares, some of them rare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """A cohort.

    Parameters
    ----------
    label_SA
        Which label of each attribute, from 0.
    error_SH, reached_SH, missed_SH
        Signed errors in points, whether the milestone was reached, and whether it was reached and
        not forecast.
    """

    label_SA: NDArray[np.intp]
    error_SH: Array
    reached_SH: NDArray[np.bool_]
    missed_SH: NDArray[np.bool_]


def draw(
    people: int, rng: np.random.Generator, *, harmed_S: Array | None = None,
    label_SA: NDArray[np.intp] | None = None, horizons: int = 3,
) -> People:  # fmt: skip
    """Draw a SIMULATED cohort.

    Parameters
    ----------
    harmed_S
        Points that each person is promised too much.
    label_SA
        The people's labels; by default drawn by `SHARES`.
    """
    labels = draw_labels(people, rng) if label_SA is None else label_SA
    # A person's errors go together over the horizons.
    person = rng.normal(size=(people, 1))
    error_SH = SPREAD * (0.8 * person + 0.6 * rng.normal(size=(people, horizons)))
    if harmed_S is not None:
        error_SH += harmed_S[:, None]
    gain_SH = rng.normal(10, 7, (people, 1)) + rng.normal(0, 1, (people, horizons))
    reached_SH = gain_SH >= 4.25
    return People(
        label_SA=labels, error_SH=error_SH, reached_SH=reached_SH,
        missed_SH=reached_SH & (gain_SH + error_SH < 4.25),
    )  # fmt: skip


def draw_labels(people: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw every attribute by itself."""
    return np.stack(
        [rng.choice(len(shares), people, p=shares) for shares in SHARES.values()], axis=1
    ).astype(np.intp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an audit of a cohort ended in.

    Parameters
    ----------
    blocked, passed
        Whether harm was shown, and whether the model may be served (within its scope, if any).
    share
        Share of the people who are served.
    served_S
        Who is served.
    inside_A
        By attribute, for which labels every rule was shown to hold; empty where nobody is served.
    """

    blocked: bool
    passed: bool
    share: float
    served_S: NDArray[np.bool_]
    inside_A: tuple[NDArray[np.bool_], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An audit after another: labels that the other did not show to be inside need more certainty.

    Parameters
    ----------
    policy
        With the confidence of this attempt.
    inside_A
        Of the other audit.
    """

    policy: Policy
    inside_A: tuple[NDArray[np.bool_], ...]


def audit(cohort: People, policy: Policy, attempt: Attempt | None = None) -> Outcome:
    """Audit a cohort by the binding rules and by those that exclude pairs."""
    everyone = np.ones(len(cohort.label_SA), dtype=np.bool_)
    blocked, _, out_A, pairs_out = _judged(cohort, policy, everyone)
    if blocked or not everyone.any():
        return Outcome(blocked=blocked, passed=False, share=0.0, served_S=~everyone)
    if attempt is not None:
        _, _, stricter_A, _ = _judged(cohort, attempt.policy, everyone, pairs=False)
        before_A = attempt.inside_A or tuple(np.zeros_like(out_L) for out_L in out_A)
        out_A = [
            np.where(before_L, out_L, out_L | stricter_L)
            for before_L, out_L, stricter_L in zip(before_A, out_A, stricter_A, strict=True)
        ]
    served_S = ~_outside(cohort, out_A, pairs_out)
    share = float(served_S.mean())
    nobody = Outcome(blocked=False, passed=False, share=0.0, served_S=~everyone)
    if share < policy.scope.minimum_share:
        return nobody
    if served_S.all():
        overall = _covers(cohort, policy, everyone)
    else:
        again, doubtful, _, _ = _judged(cohort, policy, served_S, pairs=False)
        overall = _covers(cohort, policy, served_S) and not again and not doubtful
    if not overall:
        return nobody
    inside_A = tuple(~out_L for out_L in out_A)
    return Outcome(blocked=False, passed=True, share=share, served_S=served_S, inside_A=inside_A)


def _outside(
    cohort: People, out_A: list[NDArray[np.bool_]], pairs_out: list[tuple[int, int, int, int]]
) -> NDArray[np.bool_]:
    outside_S = np.zeros(len(cohort.label_SA), dtype=np.bool_)
    for attribute, out_L in enumerate(out_A):
        outside_S |= out_L[cohort.label_SA[:, attribute]]
    for a, x, b, y in pairs_out:
        outside_S |= (cohort.label_SA[:, a] == x) & (cohort.label_SA[:, b] == y)
    return outside_S


def _covers(cohort: People, policy: Policy, of_S: NDArray[np.bool_]) -> bool:
    """Return whether the range of everyone is shown to hold (the other overall rules do)."""
    (rule,) = _rules(policy, RuleScope.OVERALL, Metric.COVERAGE)
    inside_S = _means(cohort, Metric.COVERAGE)[0][of_S]
    moments = _moments_of(np.ones((1, len(inside_S))), inside_S, np.ones(len(inside_S)))
    people = PeopleOfGroups(
        inside=moments, rest=moments, pooled_G=moments.variance_G,
        rows_each_G=np.full(1, float(cohort.error_SH.shape[1])),
    )  # fmt: skip
    return bool(bounds_of(rule, people).low_G[0] >= rule.limit)


def _judged(
    cohort: People, policy: Policy, of_S: NDArray[np.bool_], *, pairs: bool = True
) -> tuple[bool, bool, list[NDArray[np.bool_]], list[tuple[int, int, int, int]]]:
    """Return whether anything is blocked, or in doubt, and which labels and pairs are out."""
    label_SA = cohort.label_SA[of_S]
    group_GS, attribute_G, keys = _memberships(label_SA, pairs=pairs)
    is_label_G = np.array([len(key) == 2 for key in keys])
    labels = int(is_label_G.sum())
    passed_G = np.ones(labels, dtype=np.bool_)
    doubtful_G = np.zeros(labels, dtype=np.bool_)
    beyond, p_values = [], []
    pair_out_G = np.zeros(len(keys), dtype=np.bool_)
    for metric in (
        Metric.MEAN_ABSOLUTE_ERROR, Metric.SIGNED_ERROR, Metric.COVERAGE, Metric.FALSE_NEGATIVE_RATE
    ):  # fmt: skip
        mean_S, weight_S = (values[of_S] for values in _means(cohort, metric))
        people = _people(group_GS, attribute_G, mean_S, weight_S, cohort.error_SH.shape[1])
        (rule,) = _rules(policy, RuleScope.AXES, metric)
        bounds, few_G = _bounded(rule, people)
        good_G, bad_G, over_G = _against(rule, bounds)
        passed_G &= (good_G & ~few_G)[:labels]
        doubtful_G |= (over_G & ~few_G)[:labels]
        known_G = (~few_G & np.isfinite(bounds.p_G))[:labels]
        beyond.append((bad_G & ~few_G)[:labels][known_G])
        p_values.append(bounds.p_G[:labels][known_G])
        for rule in _rules(policy, RuleScope.PAIRS, metric):
            if pairs and rule.excludes_unless is not None:
                bounds, few_G = _bounded(rule, people)
                pair_out_G |= ~few_G & ~is_label_G & _reaches(rule, bounds)
    adjusted = false_discovery_control(np.concatenate(p_values))
    level = 1 - _rules(policy, RuleScope.AXES, Metric.COVERAGE)[0].confidence
    blocked = bool((np.concatenate(beyond) & (adjusted <= level)).any())
    out_A = [np.zeros(len(shares), dtype=np.bool_) for shares in SHARES.values()]
    for key, is_passed in zip(keys[:labels], passed_G, strict=True):
        out_A[key[0]][key[1]] = not is_passed
    pairs_out = [
        (a, x, b, y)
        for key, is_out in zip(keys, pair_out_G, strict=True)
        if is_out
        for a, x, b, y in [key]
    ]
    return blocked, bool(doubtful_G.any()), out_A, pairs_out


def _memberships(
    label_SA: NDArray[np.intp], *, pairs: bool
) -> tuple[Array, NDArray[np.intp], list[tuple[int, ...]]]:
    """Return who is in which label and pair (G, S), the grouping of each (G,), and their keys."""
    rows: list[NDArray[np.bool_]] = []
    keys: list[tuple[int, ...]] = []
    grouping: list[int] = []
    of_label = [
        [label_SA[:, a] == x for x in range(len(shares))]
        for a, shares in enumerate(SHARES.values())
    ]
    for a, members in enumerate(of_label):
        for x, member_S in enumerate(members):
            if member_S.any():
                rows.append(member_S)
                keys.append((a, x))
                grouping.append(a)
    if pairs:
        for n, (a, b) in enumerate(itertools.combinations(range(len(SHARES)), 2)):
            for (x, of_x), (y, of_y) in itertools.product(
                enumerate(of_label[a]), enumerate(of_label[b])
            ):
                if (both := of_x & of_y).any():
                    rows.append(both)
                    keys.append((a, x, b, y))
                    grouping.append(len(SHARES) + n)
    return np.array(rows, dtype=np.float64), np.array(grouping, dtype=np.intp), keys


def _means(cohort: People, metric: Metric) -> tuple[Array, Array]:
    """Return each person's mean of a metric, and whether the person counts."""
    error_SH = cohort.error_SH
    if metric is Metric.FALSE_NEGATIVE_RATE:
        events_S = cohort.reached_SH.sum(axis=1)
        missed_S = cohort.missed_SH.sum(axis=1)
        return missed_S / np.maximum(events_S, 1), (events_S > 0).astype(np.float64)
    value_SH = {
        Metric.MEAN_ABSOLUTE_ERROR: np.abs(error_SH),
        Metric.SIGNED_ERROR: error_SH,
        Metric.COVERAGE: (np.abs(error_SH) <= norm.ppf(0.9) * SPREAD).astype(np.float64),
    }[metric]
    return value_SH.mean(axis=1), np.ones(len(error_SH))


def _people(
    group_GS: Array, grouping_G: NDArray[np.intp], mean_S: Array, weight_S: Array, horizons: int
) -> PeopleOfGroups:
    inside = _moments_of(group_GS, mean_S, weight_S)
    rest = _moments_of(1 - group_GS, mean_S, weight_S)
    freedom_G = np.clip(inside.people_G - 1, 0, None)
    spread_G = np.nan_to_num(inside.variance_G) * freedom_G
    count = int(grouping_G.max()) + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = np.bincount(grouping_G, spread_G, count) / np.bincount(
            grouping_G, freedom_G, count
        )
    return PeopleOfGroups(
        inside=inside, rest=rest, pooled_G=pooled[grouping_G],
        rows_each_G=np.full(len(grouping_G), float(horizons)),
    )  # fmt: skip


def _moments_of(group_GS: Array, mean_S: Array, weight_S: Array) -> Moments:
    sums_G3 = group_GS @ np.stack([weight_S, weight_S * mean_S, weight_S * mean_S**2], axis=1)
    n_G, value_G, square_G = sums_G3.T
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_G = value_G / n_G
        variance_G = np.clip(square_G / n_G - mean_G**2, 0, None) * n_G / (n_G - 1)
    variance_G = np.where(n_G > 1, variance_G, np.nan)
    return Moments(people_G=n_G, effective_G=n_G, mean_G=mean_G, variance_G=variance_G)


def _rules(policy: Policy, scope: RuleScope, metric: Metric) -> list[Rule]:
    return [
        rule
        for rule in policy.rules
        if rule.scope is scope
        and rule.metric is metric
        and (rule.binding or rule.excludes_unless is not None)
        and rule.statistic is not Statistic.AGAINST_COMPARATOR
    ]


def _bounded(rule: Rule, people: PeopleOfGroups) -> tuple[Bounds, NDArray[np.bool_]]:
    """Return a rule's bounds, and which groups are too small for it."""
    least = rule.minimum_events or rule.minimum_subjects
    few_G = people.inside.people_G < least
    if rule.statistic is Statistic.DIFFERENCE:
        few_G |= people.rest.people_G < least
    return bounds_of(rule, people), few_G


def _against(
    rule: Rule, bounds: Bounds
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where the interval is within the limit, beyond it, and where the estimate is."""
    limit = limit_of(rule)
    ends = np.stack([limit.excess(bounds.low_G), limit.excess(bounds.high_G)])
    same_side_G = bounds.low_G * bounds.high_G > 0
    is_within = rule.direction is Direction.WITHIN
    with np.errstate(invalid="ignore"):
        good_G = ends.max(axis=0) <= 0
        bad_G = (ends.min(axis=0) > 0) & (same_side_G | (not is_within))
        return good_G, bad_G, limit.excess(bounds.estimate_G) > 0


def _reaches(rule: Rule, bounds: Bounds) -> NDArray[np.bool_]:
    """Return the pairs not so certainly within the limit as the rule asks."""
    certainty = 0.5 if rule.excludes_unless is None else rule.excludes_unless
    margin_G = float(norm.ppf(certainty)) * bounds.error_G
    excess_G = limit_of(rule).excess(bounds.estimate_G)
    return np.asarray(~(excess_G + np.nan_to_num(margin_G) <= 0))
