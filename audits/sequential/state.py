"""Where the tests of a version stand, and what follows from it.

The mean of all e-values is itself one: it reaches 1/alpha with a chance of at most alpha while
every rule is kept, whatever the dependence between tests (e-values may be averaged; Vovk and Wang
2021, arXiv:1912.06116). One test whose share of that mean alone reaches 1/alpha names its rule and
group (e-Bonferroni; both hold for the largest value ever seen, unlike e-Benjamini-Hochberg:
arXiv:2501.19360).

Letters: W weeks, T hypotheses, K bets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audits.measure.groups import EVERYONE
from audits.sequential.betting import BETS_K, e_process
from audits.sequential.hypotheses import Hypothesis
from audits.sequential.plan import MonitoringPlan


class Act(StrEnum):
    """What follows from the evidence; nothing below `WARN`."""

    NONE = "none"
    WARN = "warn"
    RESTRICT = "restrict"
    SUSPEND = "suspend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the test of one hypothesis stands.

    Parameters
    ----------
    hypothesis
        Which.
    e_value, largest
        Now, and the largest after any week.
    payoffs
        How many payoffs it had.
    weight
        Its share of the error budget; tests that only warn have one of their own.
    """

    hypothesis: Hypothesis
    e_value: float
    largest: float
    payoffs: int
    weight: float

    def reaches(self, alpha: float) -> bool:
        """Return whether it alone reached a chance of error, with its share of the budget."""
        return self.weight * self.largest >= 1 / alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """Where all tests of a version stand.

    Parameters
    ----------
    weeks
        Weeks since the first one.
    due, observed
        People whose outcome was due, and of whom it came.
    due_of
        People due by attribute and label.
    tests
        Each test.
    mean, largest_mean
        Weighted mean of the e-values that can restrict or suspend, without what is restricted: now,
        and the largest after any week.
    """

    weeks: int
    due: int
    observed: int
    due_of: Mapping[str, Mapping[str, int]]
    tests: tuple[Standing, ...]
    mean: float
    largest_mean: float

    def in_scope(self, out: frozenset[tuple[str, str]]) -> tuple[Standing, ...]:
        """Return the tests but those of groups that are out of scope already."""
        return tuple(
            each for each in self.tests if (each.hypothesis.axis, each.hypothesis.group) not in out
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows from where tests stand.

    Parameters
    ----------
    act
        The gravest act.
    because
        The tests that name a rule and a group; none where only all tests together show it.
    restricted
        Groups to be restricted now, attribute and label, with the rules that they name.
    """

    act: Act
    because: tuple[Standing, ...] = ()
    restricted: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


def standings(
    first_week: int,
    weeks: Sequence[tuple[int, Mapping[str, object]]],
    followed: Sequence[Hypothesis],
    plan: MonitoringPlan,
    out: frozenset[tuple[str, str]] = frozenset(),
) -> Standings:
    """Return where the tests stand, from what each week added.

    Parameters
    ----------
    weeks
        Number and `WeekOfOutcomes` of each counted week, as kept.
    out
        Groups restricted already: their tests are no part of the mean any more.
    """
    growth_WTK, payoffs_WT = growths(first_week, weeks, followed)
    length, paid_T = len(growth_WTK), payoffs_WT.sum(axis=0)
    binding_T = np.array([not each.warns_only for each in followed], dtype=np.bool_)
    weight_T = 1 / np.where(binding_T, binding_T.sum(), (~binding_T).sum())
    out_T = np.array([(each.axis, each.group) in out for each in followed], dtype=np.bool_)
    e_WT = e_process(growth_WTK, plan.starts) if length else np.ones((1, len(followed)))
    mean_W = e_WT @ np.where(binding_T & ~out_T, weight_T, 0.0)
    return Standings(
        weeks=length,
        due=sum(int(str(sums["due"])) for _, sums in weeks),
        observed=sum(int(str(sums["observed"])) for _, sums in weeks),
        due_of=_added([sums["due_of"] for _, sums in weeks]),
        tests=tuple(
            Standing(
                hypothesis=each, e_value=float(e_WT[-1, t]), largest=float(e_WT[:, t].max()),
                payoffs=int(paid_T[t]), weight=float(weight_T[t]),
            )
            for t, each in enumerate(followed)
        ),
        mean=float(mean_W[-1]),
        largest_mean=float(mean_W.max()),
    )  # fmt: skip


def growths(
    first_week: int,
    weeks: Sequence[tuple[int, Mapping[str, object]]],
    followed: Sequence[Hypothesis],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what each week added to the tests, (W, T, K), and how many payoffs it had, (W, T).

    Parameters
    ----------
    weeks
        As of `standings`; weeks without anybody are zeros.
    """
    length = 1 + max((week for week, _ in weeks), default=first_week - 1) - first_week
    growth_WTK = np.zeros((length, len(followed), len(BETS_K)))
    payoffs_WT = np.zeros((length, len(followed)), dtype=np.int64)
    place = {each.name: t for t, each in enumerate(followed)}
    for week, sums in weeks:
        for name, added in _mapping(sums["growth"]).items():
            growth_WTK[week - first_week, place[name]] = added
        for name, count in _mapping(sums["payoffs"]).items():
            payoffs_WT[week - first_week, place[name]] = count
    return growth_WTK, payoffs_WT


def decide(
    now: Standings, plan: MonitoringPlan, out: frozenset[tuple[str, str]], *, may_restrict: bool
) -> Decision:
    """Return what follows.

    A group that is named leaves the scope; the version is suspended where a rule on everyone is
    named, where all tests together show a broken rule and none of them names it, or where less than
    the plan's share of the people would be left.

    Parameters
    ----------
    out
        Groups out of scope already.
    may_restrict
        Whether there is a scope to narrow: under an override somebody answers for everyone.
    """
    open_tests = now.in_scope(out)
    named = [t for t in open_tests if not t.hypothesis.warns_only and t.reaches(plan.alpha)]
    groups: dict[tuple[str, str], list[str]] = {}
    for each in named:
        rules = groups.setdefault((each.hypothesis.axis, each.hypothesis.group), [])
        if each.hypothesis.rule not in rules:
            rules.append(each.hypothesis.rule)
    if named:
        on_everyone = (EVERYONE, EVERYONE) in groups
        left = 1 - sum(share(now, *group) for group in {*groups, *out})
        if on_everyone or not may_restrict or left < plan.minimum_share:
            return Decision(act=Act.SUSPEND, because=tuple(named))
        return Decision(
            act=Act.RESTRICT,
            because=tuple(named),
            restricted=tuple((*group, tuple(rules)) for group, rules in groups.items()),
        )
    if now.largest_mean >= 1 / plan.alpha:
        return Decision(act=Act.SUSPEND)
    warned = [each for each in open_tests if each.reaches(plan.warn_alpha)]
    if warned or now.mean >= 1 / plan.warn_alpha:
        return Decision(act=Act.WARN, because=tuple(warned))
    return Decision(act=Act.NONE)


def share(now: Standings, axis: str, group: str) -> float:
    """Return the share of the people due who are of a group."""
    return now.due_of.get(axis, {}).get(group, 0) / max(1, now.due)


def _mapping(value: object) -> Mapping[str, Any]:
    assert isinstance(value, Mapping)  # noqa: S101  (as `WeekOfOutcomes` is kept)
    return value


def _added(counts: Sequence[object]) -> dict[str, dict[str, int]]:
    total: dict[str, dict[str, int]] = {}
    for of_week in counts:
        for axis, labels in _mapping(of_week).items():
            for label, count in dict(labels).items():
                of_axis = total.setdefault(axis, {})
                of_axis[str(label)] = of_axis.get(str(label), 0) + int(count)
    return total
