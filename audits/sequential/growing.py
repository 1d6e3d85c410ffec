"""Bets against "this group does not meet the rule": whom a scope may grow by, if people say so.

The other way round from `audits.sequential.hypotheses`: of a group that is not served each rule is
taken to be broken, only just, until bets against that have made enough. A group is proposed when
the tests of all of its rules stand at G/alpha at the end of one week, G the number of groups. The
smallest of them is at most the test of a rule that is broken, so the chance that any group which
breaks a rule is ever proposed is at most alpha, however often one looks: nothing is paid for the
number of rules (intersection-union; Berger 1982), and e-Bonferroni pays for that of groups.

The bets have one start: a version that is fair is so from the first person on, and what was seen of
a group is never let go.

Letters: W weeks, T tests, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.judging.further.compared import inside
from audits.judging.policy import Policy, Rule
from audits.measure.disparity import Scope as RuleScope
from audits.measure.disparity import Statistic
from audits.sequential.betting import ONE_START, e_process
from audits.sequential.course import weeks_shown
from audits.sequential.hypotheses import (
    Hypothesis,
    bound_of,
    is_followed,
    losses_of,
    sides_of,
)
from audits.sequential.payoffs import week_of_outcomes
from audits.sequential.state import growths
from contracts.groups import MINIMUM_SHOWN, GroupName
from contracts.predictions import CHAMPION, GROUP, PATTERN, SUBJECT
from contracts.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStanding:
    """How far a group is from being proposed.

    Parameters
    ----------
    group
        Which.
    people
        Of it, whose outcome was due.
    paid
        People, or pairs of piles, that paid to the test that fewest paid to.
    e_value
        The smallest of its tests' e-values, as it was when `MINIMUM_SHOWN` more had paid to each;
        None before the first time.
    needed
        The e-value at which it is proposed.
    slowest
        The test that is the smallest, as it was then; before, the one that fewest paid to.
    week
        At the end of which week all tests first stood at what is needed; None where never.
    """

    group: GroupName
    people: int
    paid: int
    e_value: float | None
    needed: float
    slowest: Hypothesis
    week: int | None

    @property
    def is_shown(self) -> bool:
        """Whether it was ever shown that every rule holds for it."""
        return self.week is not None


def groups_outside(scope: Scope) -> tuple[GroupName, ...]:
    """Return the groups that a scope leaves out; pairs of groups and courses are none."""
    return tuple(
        GroupName(attribute=each.attribute, label=group.label)
        for each in scope.attributes
        if not each.attribute.startswith(PATTERN)
        for group in each.outside
    )


def doubts(
    policy: Policy, groups: Sequence[GroupName], milestones: Sequence[str], points: float
) -> tuple[Hypothesis, ...]:
    """Return what is bet against: that a rule is broken, for each group, rule and side.

    Of a group every rule on groups is asked, that its forecasts are no worse than each comparator
    of the rules on everyone, and that it loses no more outcomes than the policy lets it.

    Parameters
    ----------
    points
        As of `hypotheses`.
    """
    rules = tuple(_of_groups(policy))
    return tuple(
        test
        for each in groups
        for test in (
            *(
                replace(kept, sign=-kept.sign, bound=bound_of(rule, -kept.sign, kept.limit, points))
                for rule in rules
                if each.attribute in (rule.axes or (each.attribute,))
                for kept in sides_of(rule, each.attribute, each.label, milestones, points)
            ),
            # Who loses none at all is as far on the good side as a number can be.
            *(
                replace(kept, sign=-kept.sign, bound=1 - kept.limit)
                for kept in losses_of(policy, each.attribute, each.label)
            ),
        )
    )


def cannot_be_shown(policy: Policy, attribute: str) -> tuple[str, ...]:
    """Return the binding rules on groups of an attribute that no outcome in service can show.

    Where there is one, no group of the attribute is ever proposed. That no group is worse off than
    with the champion is none: the version is the champion.
    """
    return tuple(
        rule.name
        for rule in policy.rules
        if rule.binding
        and rule.scope is RuleScope.AXES
        and attribute in (rule.axes or (attribute,))
        and rule.comparator != CHAMPION
        and not is_followed(rule)
    )


def week_of_groups(
    predictions: pd.DataFrame,
    follow_up: pd.DataFrame,
    policy: Policy,
    tested: Sequence[Hypothesis],
    scope: Scope,
) -> dict[str, object]:
    """Return what a week's people add to every test, as it is kept.

    Each group is compared with the people in scope: those whom it would be served with. People of
    other groups outside are in neither.

    Parameters
    ----------
    predictions, follow_up
        As of `week_of_outcomes`.
    scope
        Who is in scope.
    """
    inside_N = _inside(follow_up, scope)
    growth: dict[str, list[float]] = {}
    payoffs: dict[str, int] = {}
    due: dict[str, dict[str, int]] = {}
    for group in dict.fromkeys(map(group_of, tested)):
        own = [each for each in tested if group_of(each) == group]
        in_group_N = (follow_up[GROUP + group.attribute] == group.label).to_numpy(dtype=np.bool_)
        if not in_group_N.any():
            continue
        kept = follow_up[in_group_N | inside_N].reset_index(drop=True)
        some = predictions[predictions[SUBJECT].isin(kept[SUBJECT])].reset_index(drop=True)
        added = week_of_outcomes(some, kept, policy, own)
        growth |= added.growth
        payoffs |= added.payoffs
        due.setdefault(group.attribute, {})[group.label] = int(in_group_N.sum())
    return {"growth": growth, "payoffs": payoffs, "due_of": due}


def group_standings(
    first_week: int,
    weeks: Sequence[tuple[int, Mapping[str, object]]],
    tested: Sequence[Hypothesis],
    alpha: float,
) -> tuple[GroupStanding, ...]:
    """Return how far each group is, from what each week added.

    Nothing is decided of a group while fewer than `MINIMUM_SHOWN` have paid to one of its tests.

    Parameters
    ----------
    weeks
        Number and `week_of_groups` of each counted week, as kept.
    alpha
        Chance that any group that breaks a rule is ever proposed.
    """
    growth_WTK, payoffs_WT = growths(first_week, weeks, tested)
    if not len(growth_WTK):
        growth_WTK, payoffs_WT = np.zeros((1, *growth_WTK.shape[1:])), payoffs_WT.sum(0)[None]
    e_WT, paid_WT = e_process(growth_WTK, ONE_START), payoffs_WT.cumsum(axis=0)
    groups = list(dict.fromkeys(map(group_of, tested)))
    return tuple(
        _standing(group, e_WT, paid_WT, weeks, tested, len(groups) / alpha) for group in groups
    )


def group_of(each: Hypothesis) -> GroupName:
    """Return the group that a test is about."""
    return GroupName(attribute=each.axis, label=each.group)


def _standing(
    group: GroupName,
    e_WT: NDArray[np.float64],
    paid_WT: NDArray[np.int64],
    weeks: Sequence[tuple[int, Mapping[str, object]]],
    tested: Sequence[Hypothesis],
    needed: float,
) -> GroupStanding:
    own = [t for t, each in enumerate(tested) if group_of(each) == group]
    smallest_W, paid_W = e_WT[:, own].min(axis=1), paid_WT[:, own].min(axis=1)
    reached_W = np.flatnonzero((smallest_W >= needed) & (paid_W >= MINIMUM_SHOWN))
    last = max(weeks_shown(paid_W), default=None)
    if len(reached_W):
        # That it is proposed says so much already.
        last = max(int(reached_W[0]), last or 0)
    slowest = int(paid_WT[-1, own].argmin() if last is None else e_WT[last, own].argmin())
    return GroupStanding(
        group=group,
        people=sum(_due(sums, group) for _, sums in weeks),
        paid=int(paid_W[-1]),
        e_value=None if last is None else float(f"{smallest_W[last]:.2g}"),
        needed=needed,
        slowest=tested[own[slowest]],
        week=int(reached_W[0]) + 1 if len(reached_W) else None,
    )


def _of_groups(policy: Policy) -> Iterator[Rule]:
    """Yield the rules that are asked of a group."""
    for rule in filter(is_followed, policy.rules):
        if rule.scope is RuleScope.AXES or rule.statistic is Statistic.AGAINST_COMPARATOR:
            yield rule


def _inside(follow_up: pd.DataFrame, scope: Scope) -> NDArray[np.bool_]:
    # Patterns of a course are no columns of these tables.
    named = tuple(a for a in scope.attributes if GROUP + a.attribute in follow_up)
    return inside(follow_up, scope.model_copy(update={"attributes": named})).to_numpy()


def _due(sums: Mapping[str, object], group: GroupName) -> int:
    of_axis = dict(sums["due_of"]).get(group.attribute, {})  # type: ignore[call-overload]
    return int(of_axis.get(group.label, 0))
