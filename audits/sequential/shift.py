"""Whether people still come as they came: in everyone by the season, and in groups beside the rest.

Two comparisons, each within one quantity such as the mean of a channel, whether it is missing, or
the width of the forecast's range:

- *everyone* with the people before who came in the same week of the year, so that a season by
  itself is no shift. What changes in the first year and stays can so be seen only in the second.
- *a group* by pairs of one person of it and one of the rest of the same week: the differences of
  levels. Whatever moves all alike, such as a season, leaves them as they are.

Both are exchangeable while nothing shifts; their p-values are bet against with one account
(`audits.sequential.conformal`). It warns. It says nothing of whether forecasts are right: that only
outcomes can, and no model is cleared by it.

Letters: N people of a week, P pairs, Q quantities, L levels, W weeks, T tests, K bets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from audits.measure.groups import EVERYONE
from audits.sequential.betting import Array, e_process
from audits.sequential.conformal import (
    DIRECTIONS,
    SHARES,
    Levels,
    direction_of,
    growth_of,
    p_values,
)
from audits.sequential.plan import MonitoringPlan
from contracts.evidence.arrivals import ABSENT, LEVELS, Arrivals
from contracts.vocabulary import NOT_RECORDED

PART_DAYS = 7
"""Days of a part of the year, in which everyone is compared: with 28, a season of one standard
deviation alarmed in 3 of 40 SIMULATED deployments, with 7 in none; shifts were found as soon."""

Seen = Mapping[str, Levels]
"""How many came before with each level, (Q, L), by the part of the year or the group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekOfArrivals:
    """What the people who came in a week add.

    Parameters
    ----------
    growth
        What is added to the logarithm of each bet's wealth, (K,), by attribute, group and quantity.
    people
        Who came.
    seen
        The counts that changed, with these people.
    """

    growth: dict[str, dict[str, dict[str, list[float]]]]
    people: int
    seen: dict[str, Levels]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftTest:
    """Where one test of a shift stands.

    Parameters
    ----------
    quantity, attribute, group
        Of what, and of whom; `EVERYONE` twice for everyone.
    direction
        How the newest differ, by the bets that made most; one of `DIRECTIONS`.
    e_value, largest
        Now, and the largest after any week.
    weight
        Its share of the error budget.
    weeks
        In how many weeks people paid to it.
    """

    quantity: str
    attribute: str
    group: str
    direction: str
    e_value: float
    largest: float
    weight: float
    weeks: int

    def reaches(self, alpha: float) -> bool:
        """Return whether it alone reached a chance of error, with its share of the budget."""
        return self.weight * self.largest >= 1 / alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifts:
    """Where all tests of a shift stand.

    Parameters
    ----------
    people
        Who came until now.
    mean, largest_mean
        Weighted mean of the e-values: now, and the largest after any week.
    since_week
        In which week of the service the largest mean first reached the limit; None where never.
    """

    people: int
    tests: tuple[ShiftTest, ...]
    mean: float
    largest_mean: float
    since_week: int | None

    def named(self, plan: MonitoringPlan) -> tuple[ShiftTest, ...]:
        """Return the tests that name a quantity and a group."""
        return tuple(each for each in self.tests if each.reaches(plan.alpha))


def part_of_year(week: int) -> str:
    """Return the part of the year that a week begins in, of weeks of the proleptic calendar."""
    day = date.fromordinal(7 * week).timetuple().tm_yday
    return f"part {min((day - 1) // PART_DAYS, 365 // PART_DAYS - 1)}"


def parts_of(arrivals: Arrivals, week: int) -> list[str]:
    """Return the counts that the people of a week are compared with."""
    return [part_of_year(week), *(_pairs_of(*each) for each in _groups_in(arrivals))]


def week_of_arrivals(
    arrivals: Arrivals, week: int, seen: Seen, rng: np.random.Generator
) -> WeekOfArrivals:
    """Return what a week's people add to every test.

    Parameters
    ----------
    arrivals
        In an order that says nothing of them.
    seen
        By `parts_of`; nobody where one is not there.
    rng
        Decides between equals: the same for the same week, so that counting it again is the same.
    """
    part = part_of_year(week)
    compared = {part: (EVERYONE, EVERYONE, arrivals.level_NQ, LEVELS)}
    for attribute, label in _groups_in(arrivals):
        pairs = _differences(arrivals, attribute, label)
        if len(pairs):
            compared[_pairs_of(attribute, label)] = attribute, label, pairs, 2 * LEVELS - 1
    growth: dict[str, dict[str, dict[str, list[float]]]] = {}
    after: dict[str, Levels] = {}
    for name, (attribute, label, level_NQ, levels) in compared.items():
        nobody = np.zeros((level_NQ.shape[1], levels), dtype=np.int64)
        after[name] = np.array(seen.get(name, nobody))
        added_QK = growth_of(p_values(level_NQ, after[name], rng.random(level_NQ.shape)))
        counts_Q = (level_NQ != ABSENT).any(axis=0)
        growth.setdefault(attribute, {})[label] = {
            quantity: added_QK[q].tolist()
            for q, quantity in enumerate(arrivals.quantities)
            if counts_Q[q]
        }
    return WeekOfArrivals(growth=growth, people=len(arrivals.level_NQ), seen=after)


def shifts(
    first_week: int,
    weeks: Sequence[tuple[int, Mapping[str, Any]]],
    quantities: Sequence[str],
    attributes: Sequence[str],
    plan: MonitoringPlan,
) -> Shifts:
    """Return where the tests stand, from what each week added.

    Half of the error budget is on everyone; the other half on attributes alike, and there 1/2, 1/6,
    1/12, ... of it on groups in the order in which they came: a site that opens later has its share
    before anything of it is known. Within each, quantities share alike.

    Parameters
    ----------
    weeks
        Number and `WeekOfArrivals` of each counted week, as kept.
    quantities, attributes
        All that are followed, fixed beforehand.
    """
    length = 1 + max((week for week, _ in weeks), default=first_week - 1) - first_week
    place: dict[tuple[str, str, str], int] = {}
    weight_of: list[float] = []
    added: list[tuple[int, int, list[float]]] = []
    groups: dict[str, list[str]] = {}
    people = 0
    for week, sums in weeks:
        people += sums["people"]
        for attribute, label, quantity, growth in _each(sums["growth"]):
            test = attribute, label, quantity
            if test not in place:
                came = groups.setdefault(attribute, [])
                if label not in came:
                    came.append(label)
                place[test] = len(place)
                number = 1 + came.index(label)
                weight_of.append(share(attribute, number, len(attributes)) / len(quantities))
            added.append((week - first_week, place[test], growth))
    bets, tests = len(DIRECTIONS) * len(SHARES), len(place)
    growth_WTK = np.zeros((max(1, length), tests, bets))
    if added:
        week_A, test_A, growth_A = zip(*added, strict=True)
        growth_WTK[list(week_A), list(test_A)] = growth_A
    weeks_of = Counter(test for _, test, _ in added)
    e_WT = e_process(growth_WTK, plan.starts)
    weight_T = np.array(weight_of)
    # What nobody has come for yet keeps its wealth.
    mean_W = 1 - weight_T.sum() + e_WT @ weight_T
    reached_W = np.flatnonzero(mean_W >= 1 / plan.alpha)
    return Shifts(
        people=people,
        tests=tuple(
            ShiftTest(
                quantity=quantity, attribute=attribute, group=label, weight=weight_of[t],
                weeks=weeks_of[t],
                direction=_direction(growth_WTK[: 1 + int(e_WT[:, t].argmax()), t]),
                e_value=float(e_WT[-1, t]), largest=float(e_WT[:, t].max()),
            )
            for (attribute, label, quantity), t in place.items()
        ),
        mean=float(mean_W[-1]),
        largest_mean=float(mean_W.max()),
        since_week=int(reached_W[0]) + 1 if len(reached_W) else None,
    )  # fmt: skip


def _direction(growth_WK: Array) -> str:
    """Return the direction that made most since it was lowest."""
    sums_WK = growth_WK.cumsum(axis=0)
    return direction_of(sums_WK[-1] - np.minimum(sums_WK.min(axis=0), 0.0))


def share(attribute: str, number: int, attributes: int) -> float:
    """Return the share of the error budget of the group that came as that number, from 1."""
    return 0.5 if attribute == EVERYONE else 0.5 / attributes / (number * (number + 1))


def _groups_in(arrivals: Arrivals) -> Iterator[tuple[str, str]]:
    for attribute, label_N in arrivals.groups.items():
        for label in sorted(set(label_N.tolist()) - {NOT_RECORDED}):
            yield attribute, label


def _pairs_of(attribute: str, label: str) -> str:
    return f"pairs {attribute} | {label}"


def _differences(arrivals: Arrivals, attribute: str, label: str) -> Levels:
    """Return the differences of pairs as levels, (P, Q); as many as the smaller side has people."""
    label_N = arrivals.groups[attribute]
    in_group_N = label_N == label
    group_NQ = arrivals.level_NQ[in_group_N]
    rest_NQ = arrivals.level_NQ[~in_group_N & (label_N != NOT_RECORDED)]
    pairs = min(len(group_NQ), len(rest_NQ))
    group_PQ, rest_PQ = group_NQ[:pairs], rest_NQ[:pairs]
    # The share of pairs that differ in a yes or no follows the season; who of them has it does not.
    counts_PQ = (group_PQ != ABSENT) & (rest_PQ != ABSENT) & (group_PQ != rest_PQ)
    return np.where(counts_PQ, group_PQ - rest_PQ + LEVELS - 1, ABSENT)


def _each(
    growth: Mapping[str, Mapping[str, Mapping[str, list[float]]]],
) -> Iterator[tuple[str, str, str, list[float]]]:
    for attribute, of_labels in growth.items():
        for label, of_quantities in of_labels.items():
            for quantity, added in of_quantities.items():
                yield attribute, label, quantity, added
