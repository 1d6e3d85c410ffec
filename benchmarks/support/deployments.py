"""SIMULATED deployments of a version: people come each week, their outcomes half a year later.

The tests are those of the shipped policy and plan, computed for many deployments at once; a test of
this file compares them with what the product computes week by week.

Letters: N people of all deployments, D deployments, W weeks, G groups, K bets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import scipy
from numpy.typing import NDArray

from audits.judging.policy import Policy, Rule, load_policy
from audits.measure.disparity import Statistic
from audits.measure.groups import EVERYONE
from audits.sequential.betting import BETS_K, Starts, e_process
from audits.sequential.hypotheses import LOSSES, Hypothesis, hypotheses
from audits.sequential.plan import load_plan

Array = NDArray[np.float64]

WEEKS, LATE_WEEKS, YEAR = 260, 30, 52
SD, LIMIT, POINTS = 6.0, 4.25, 14.875
SMALL = "a tenth"
GROUPS: Mapping[str, Mapping[str, float]] = {
    "first": {SMALL: 0.1, "others": 0.9},
    **{name: {"half": 0.5, "other half": 0.5} for name in ("second", "third", "fourth", "fifth")},
}
MILESTONE = "gain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a deployment goes; numbers are score points, shares or weeks.

    Parameters
    ----------
    harm, from_week
        Added to the error of the small group, of people who come from that week on.
    shift, shift_week
        Added to everybody's error from a week on, as by assessors who score otherwise.
    noise, noise_week
        Factor of everybody's error from a week on, as by another sensor.
    season
        Amplitude of a shift that comes and goes each year.
    coverage, coverage_small
        Chance of an outcome inside its range, and that in the small group.
    missed
        Share of those who reach the milestone and are forecast not to, in the small group
        (elsewhere .15).
    lost, lost_worst
        Share of outcomes that never come, at random; and of the small group's, those with the
        largest errors.
    skew
        Whether errors are skewed by -1 (a shifted gamma distribution).
    lost_best
        As `lost_worst`, but those with the smallest errors.
    """

    people: int = 20
    harm: float = 0.0
    from_week: int = 0
    shift: float = 0.0
    shift_week: int = 0
    noise: float = 1.0
    noise_week: int = WEEKS
    season: float = 0.0
    coverage: float = 0.8
    coverage_small: float = 0.8
    missed: float = 0.15
    lost: float = 0.15
    lost_worst: float = 0.0
    skew: bool = False
    lost_best: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everybody of all deployments, in an order that says nothing of them.

    Parameters
    ----------
    cell_N
        Deployment and week of coming, as one number: `deployment * WEEKS + week`.
    observed_N
        Whether the outcome came.
    late_weeks
        In which week after coming an outcome counts.
    """

    deployments: int
    cell_N: NDArray[np.int64]
    label_N: Mapping[str, NDArray[np.object_]]
    value_N: Mapping[str, Array] = field(repr=False)
    observed_N: NDArray[np.bool_] = field(repr=False)
    late_weeks: int = LATE_WEEKS


def simulated(setting: Setting, deployments: int, seed: int) -> People:
    """Draw deployments."""
    rng = np.random.default_rng(seed)
    cell_N = np.repeat(np.arange(deployments * WEEKS), setting.people)
    week_N = cell_N % WEEKS
    count = len(cell_N)
    label_N = {
        name: rng.choice(list(shares), count, p=list(shares.values()))
        for name, shares in GROUPS.items()
    }
    is_small_N = label_N["first"] == SMALL
    drawn_N = -(rng.gamma(4.0, 0.5, count) - 2.0) if setting.skew else rng.normal(size=count)
    error_N = SD * drawn_N * np.where(week_N >= setting.noise_week, setting.noise, 1.0)
    error_N += setting.harm * (is_small_N & (week_N >= setting.from_week))
    error_N += setting.shift * (week_N >= setting.shift_week)
    error_N += setting.season * np.sin(2 * np.pi * week_N / YEAR)
    # A range that holds the error with the chance of the setting where nothing was planted.
    chance_N = np.where(is_small_N, setting.coverage_small, setting.coverage)
    half_width_N = SD * scipy.stats.norm.ppf((1 + chance_N) / 2)
    reached_N = rng.random(count) < 0.5
    missed_N = rng.random(count) < np.where(is_small_N, setting.missed, 0.15)
    observed_N = rng.random(count) >= setting.lost
    if setting.lost_worst:
        worst = np.quantile(error_N[is_small_N], 1 - setting.lost_worst)
        observed_N &= ~(is_small_N & (error_N > worst))
    if setting.lost_best:
        best = np.quantile(error_N[is_small_N], setting.lost_best)
        observed_N &= ~(is_small_N & (error_N < best))
    values = {
        "signed error": error_N,
        "mean absolute error": np.abs(error_N),
        "coverage of the 80 % interval": (np.abs(error_N) <= half_width_N).astype(np.float64),
        "false-negative rate": np.where(reached_N, missed_N, np.nan),
        "last observation": np.abs(rng.normal(0, 9, count)),
        "proportional recovery": np.abs(rng.normal(0, 7.5, count)),
    }
    return People(
        deployments=deployments, cell_N=cell_N, label_N=label_N, value_N=values,
        observed_N=observed_N,
    )  # fmt: skip


def followed_of(*, warns_only: bool = False) -> tuple[Hypothesis, ...]:
    """Return what the shipped policy tests of these groups: its rules, or losses, which warn."""
    found = hypotheses(_policy(), {n: tuple(g) for n, g in GROUPS.items()}, (MILESTONE,), POINTS)
    return tuple(each for each in found if each.warns_only is warns_only)


@cache
def _policy() -> Policy:
    return load_policy()


def rule_of(each: Hypothesis) -> Rule:
    """Return the rule that a hypothesis is about."""
    return next(rule for rule in _policy().rules if rule.name == each.rule)


def numbers_of(people: People, each: Hypothesis) -> tuple[Array, NDArray[np.bool_]]:
    """Return the number that a rule is about, and of whom there is one."""
    if each.rule == LOSSES:
        return (~people.observed_N).astype(np.float64), np.ones(len(people.cell_N), dtype=np.bool_)
    rule = rule_of(each)
    value_N = people.value_N[rule.metric]
    if rule.statistic is Statistic.AGAINST_COMPARATOR:
        value_N = value_N - people.value_N[str(rule.comparator)]
    return value_N, people.observed_N & ~np.isnan(value_N)


def growth_of(people: People, each: Hypothesis) -> Array:
    """Return what each week in which outcomes are due adds to a test, (W, D, K)."""
    cell_P, payoff_P = payoffs_of(people, each)
    cells = people.deployments * WEEKS
    growth_CK: Array = np.stack(
        [np.bincount(cell_P, np.log1p(payoff_P / each.bound * bet), cells) for bet in BETS_K],
        axis=1,
    ).astype(np.float64)
    return late(growth_CK, people)


def payoffs_of(people: People, each: Hypothesis) -> tuple[NDArray[np.int64], Array]:
    """Return deployment and week of coming of each payoff to a test, and the payoff, (P,) each."""
    value_N, counts_N = numbers_of(people, each)
    cells = people.deployments * WEEKS
    if each.axis == EVERYONE:
        cell_P, number_P = people.cell_N[counts_N], value_N[counts_N]
    else:
        group_N = people.label_N[each.axis] == each.group
        if each.rule != LOSSES and rule_of(each).statistic is not Statistic.DIFFERENCE:
            chosen_N = counts_N & group_N
            cell_P, number_P = people.cell_N[chosen_N], value_N[chosen_N]
        else:
            cell_P, number_P = piles(
                people.cell_N, value_N, counts_N & group_N, counts_N & ~group_N, cells
            )
    payoff_P = each.sign * (number_P - each.limit)
    if each.is_clipped:
        payoff_P = np.clip(payoff_P, -each.bound, each.bound)
    return cell_P, payoff_P


def late(sum_CK: Array, people: People) -> Array:
    """Return sums of weeks of coming, (D * W, K), by the week of their outcomes, (W, D, K)."""
    sum_DWK = sum_CK.reshape(people.deployments, WEEKS, -1)
    late_DWK = np.zeros_like(sum_DWK)
    late_DWK[:, people.late_weeks :] = sum_DWK[:, : -people.late_weeks]
    return np.asarray(late_DWK.transpose(1, 0, 2), dtype=np.float64)


def piles(
    cell_N: NDArray[np.int64], value_N: Array, one_N: NDArray[np.bool_],
    other_N: NDArray[np.bool_], cells: int,
) -> tuple[NDArray[np.int64], Array]:  # fmt: skip
    """Return cell and difference of each pair of piles, dealt as by `audits.sequential`."""
    sizes = [np.bincount(cell_N[side], minlength=cells) for side in (one_N, other_N)]
    piles_C = np.minimum(*sizes)
    first_C = np.concatenate([[0], piles_C.cumsum()[:-1]])
    means = []
    for side, size_C in zip((one_N, other_N), sizes, strict=True):
        cell_P, value_P = cell_N[side], value_N[side]
        start_C = np.concatenate([[0], size_C.cumsum()[:-1]])
        rank_P = np.arange(len(cell_P)) - start_C[cell_P]
        kept_P = piles_C[cell_P] > 0
        cell_P, value_P, rank_P = cell_P[kept_P], value_P[kept_P], rank_P[kept_P]
        pile_P = first_C[cell_P] + rank_P % piles_C[cell_P]
        total = np.bincount(pile_P, value_P, piles_C.sum())
        means.append(total / np.bincount(pile_P, minlength=piles_C.sum()))
    return np.repeat(np.arange(cells), piles_C), means[0] - means[1]


def means(people: People, *starts: Starts) -> list[Array]:
    """Return the mean of all e-values by week, (W, D), for each way to start bets."""
    followed = followed_of()
    mean_WD = [np.zeros((WEEKS, people.deployments)) for _ in starts]
    for each in followed:
        growth_WDK = growth_of(people, each)
        for mean, start in zip(mean_WD, starts, strict=True):
            mean += e_process(growth_WDK, start) / len(followed)
    return mean_WD


def acts(people: People, *starts: Starts) -> list[NDArray[np.float64]]:
    """Return the week in which each deployment is restricted or suspended; NaN where never."""
    return [first_week(mean >= 1 / load_plan().alpha) for mean in means(people, *starts)]


def warns_of_losses(people: People) -> NDArray[np.float64]:
    """Return the week in which each deployment is first warned of losses; NaN where never."""
    followed, plan = followed_of(warns_only=True), load_plan()
    largest = np.zeros((WEEKS, people.deployments))
    for each in followed:
        largest = np.maximum(largest, e_process(growth_of(people, each), plan.starts))
    return first_week(largest / len(followed) >= 1 / plan.warn_alpha)


def first_week(is_so_WD: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the first week in which something is so, (D,); NaN where it never is."""
    return np.where(is_so_WD.any(axis=0), is_so_WD.argmax(axis=0).astype(np.float64), np.nan)


NULLS = {
    "no disparity": Setting(),
    "signed error of a tenth at its limit": Setting(harm=LIMIT),
    "the same, errors skewed by -1": Setting(harm=LIMIT, skew=True),
    "coverage and misses of a tenth, and coverage of everyone, at their limits": Setting(
        coverage=0.7278, coverage_small=0.65, missed=0.40
    ),
    "another sensor in week 130: errors 1.15 times": Setting(noise=1.15, noise_week=130),
    "assessors score 2 points otherwise from week 104": Setting(shift=2.0, shift_week=104),
    "a season of 2 points": Setting(season=2.0),
    "30 % of all outcomes never come, at random": Setting(lost=0.3),
}
"""Every rule is kept in each of them, if only just."""

HARMS = {
    "3 points beyond the limit in a tenth": Setting(harm=LIMIT + 3),
    "the same, 60 people a week": Setting(harm=LIMIT + 3, people=60),
    "the same, from week 104": Setting(harm=LIMIT + 3, from_week=104),
    "the same, with a season of 2 points": Setting(harm=LIMIT + 3, season=2.0),
    "the same, with another sensor in week 130": replace(
        Setting(harm=LIMIT + 3), noise=1.15, noise_week=130
    ),
    "the same, the worst third of them never seen": Setting(harm=LIMIT + 3, lost_worst=0.33),
}
