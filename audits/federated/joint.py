"""From sums over all sites to findings, by the rules, bounds and limits of a site's own audit.

What can't be judged from sums over people is said and holds a pass back: people in groups that are
put together, numbers that would tell of few people, rules on replicates. Letters: G groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audits.federated.agreement import Axis, Layout, SiteSets
from audits.federated.moments import counts_of, grouping_of, losses_of, people_of_sums
from audits.federated.people import DUE, LOST, LOST_OR_MISSED, Summed, asked_rules
from audits.federated.sums import GroupSums, Ints, read_sums
from audits.judging.evidence import Evidence
from audits.judging.findings import (
    findings,
    no_champion,
    not_judged,
    not_recorded,
    nothing_to_compare,
)
from audits.judging.gather import analytic_evidence
from audits.judging.lost.findings import loss_finding, no_follow_up
from audits.judging.lost.missing import Excess, Missing, excess_of
from audits.judging.policy import Policy, Rule
from audits.measure.disparity import Scope
from audits.measure.groups import EVERYONE, Grouping
from audits.measure.losses import LossTerms
from contracts.errors import IntegrityError
from contracts.predictions import CHAMPION
from contracts.verdict import Finding, Outcome
from contracts.vocabulary import NOT_RECORDED

NOT_OF_SUMS = (
    "a federated audit has only sums over people, which give neither replicates, ranks nor patterns"
)
TOO_FEW = "its sums would tell of fewer than 11 people of a site"
ONE_GROUP = "group of its own"
"""Rule and metric of the finding that people of a label are judged together with others only."""

MOST = 2.0**40
"""Beyond any number of people: what is left of masks that do not cancel."""

Totals = Mapping[tuple[tuple[str, ...], str], GroupSums]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """What the sites of a round agreed on.

    Parameters
    ----------
    layout
        Which sums were made.
    said
        What each site said of its people.
    has_champion
        Whether a version is in service at any of them.
    """

    layout: Layout
    said: tuple[SiteSets, ...]
    has_champion: bool

    @property
    def summed(self) -> dict[str, Summed]:
        """Everything that any site could sum, by key."""
        return {each.key: each for site in self.said for each in site.summed}

    @property
    def sides(self) -> dict[str, int]:
        """How many sides each number has."""
        return {key: len(each.sets) - 1 for key, each in self.summed.items()}


def judge_sums(total_K: Ints, joint: Joint, policy: Policy) -> tuple[Finding, ...]:
    """Judge sums over all sites.

    Raises
    ------
    IntegrityError
        They can't be sums over people.
    """
    totals = {
        (axis.attributes, key): sums
        for axis, key, sums in read_sums(total_K, joint.layout, joint.sides)
    }
    _check(totals)
    missing = _missing(totals, joint.layout, policy.lost)
    evidence: list[Evidence] = []
    without: list[Finding] = []
    asked = asked_rules(policy)
    for rule in policy.rules:
        if rule.comparator == CHAMPION and not joint.has_champion:
            without.append(no_champion(rule))
        elif rule not in asked:
            without.append(not_judged(rule, NOT_OF_SUMS))
        else:
            found = list(_of_rule(rule, totals, joint, policy, missing))
            evidence += (each for each in found if isinstance(each, Evidence))
            without += (each for each in found if isinstance(each, Finding))
    return (
        *findings(evidence), *without, *_put_together(joint),
        *_nothing_to_compare(joint, people_of(total_K, joint)), *_required(totals, joint, policy),
        *_lost(totals, joint, policy.lost),
    )  # fmt: skip


def people_of(total_K: Ints, joint: Joint) -> int:
    """Return how many people with a forecast the sums are of; 0 where they are of none."""
    for _, key, sums in read_sums(total_K, joint.layout, joint.sides):
        if joint.summed[key].sets[0] != DUE:
            return int(sums.people_G[0])
    return 0


def _check(totals: Totals) -> None:
    """Refuse totals that no people could have: files of different rounds, or a site that lies."""
    for (attributes, key), sums in totals.items():
        whole = totals[(), key]
        people_G, slack_G = sums.people_G, 1e-6 * (1 + sums.people_G)
        possible = (
            (people_G >= 0).all() and (people_G < MOST).all()
            and (sums.rows_G >= people_G).all()
            # Cauchy and Schwarz: the square of a mean is at most the mean of the squares.
            and (sums.value_G**2 <= people_G * sums.square_G + slack_G * (1 + people_G)).all()
            and all((side_G >= 0).all() and (side_G <= people_G).all() for side_G in sums.sides)
            and people_G.sum() == whole.people_G[0] and sums.rows_G.sum() == whole.rows_G[0]
            and abs(sums.value_G.sum() - whole.value_G[0]) < 1e-6
        )  # fmt: skip
        if not possible:
            of = " & ".join(attributes) or EVERYONE
            raise IntegrityError(
                f"{key} of {of}: the sums of all sites can't be sums over people",
                "ask each site for its file of this round, made by `rehabcast federate export`; a"
                " site that changed its numbers is not told by them",
            )


def _of_rule(
    rule: Rule, totals: Totals, joint: Joint, policy: Policy, missing: Missing | None
) -> Iterator[Evidence | Finding]:
    asked = [summed for summed in joint.summed.values() if summed.is_asked_by(rule)]
    if not asked:
        yield not_judged(rule, "the prediction tables lack the columns for it")
    for summed in asked:
        for axis in _axes(rule, joint.layout):
            sums = totals.get((axis.attributes, summed.key))
            if sums is None:
                of = f"{axis.name}: {summed.key}" if axis.name else summed.key
                yield not_judged(rule, f"{of}: {TOO_FEW}")
                continue
            people = people_of_sums(sums, totals[(), summed.key])
            yield from analytic_evidence(
                rule, summed.measure, grouping_of(axis), people, counts_of(summed, sums, people),
                policy, missing,
            )  # fmt: skip
    for name in _without_axis(joint) if rule.scope is Scope.AXES else ():
        if rule.axes is None or name in rule.axes:
            yield not_judged(rule, f"{name}: {TOO_FEW}")


def _axes(rule: Rule, layout: Layout) -> list[Axis]:
    number = {Scope.OVERALL: 0, Scope.AXES: 1, Scope.PAIRS: 2}[rule.scope]
    return [
        axis
        for axis in layout.axes
        if len(axis.attributes) == number and (rule.axes is None or axis.name in rule.axes)
    ]


def _without_axis(joint: Joint) -> list[str]:
    """Return the attributes that have groups, which could not be told apart."""
    return [
        name
        for name, labels in _labels(joint).items()
        if joint.layout.axis((name,)) is None and len(labels) > 1
    ]


def _labels(joint: Joint) -> dict[str, list[str]]:
    """Return the labels of every attribute at any site."""
    names = sorted({name for site in joint.said for name in site.attributes})
    return {
        name: sorted({label for site in joint.said for label in site.codes.get(name, {})})
        for name in names
    }


def _nothing_to_compare(joint: Joint, people: int) -> Iterator[Finding]:
    for name, labels in _labels(joint).items():
        if len(labels) == 1:
            only = Grouping(
                axis=name, attributes=(name,), labels_G=tuple(labels), group_N=np.array([], np.intp)
            )
            yield nothing_to_compare(only, people)


def _missing(totals: Totals, layout: Layout, terms: LossTerms | None) -> Missing | None:
    """Return by how much groups lost more; traced people stand for nobody in sums."""
    if terms is None:
        return None
    excess = {}
    for axis in layout.axes:
        if axis.attributes and {LOST, LOST_OR_MISSED} <= set(axis.keys):
            lost, either = (
                losses_of(totals[axis.attributes, key], totals[(), key])
                for key in (LOST, LOST_OR_MISSED)
            )
            certain = len(axis.attributes) > 1
            shares = excess_of(axis.labels_G, lost, either, terms, certain=certain)
            excess[axis.name] = Excess(as_lost=shares, after_tracing=shares)
    return Missing(rows=pd.DataFrame(), terms=terms, attributes=(), excess=excess)


def _lost(totals: Totals, joint: Joint, terms: LossTerms | None) -> Iterator[Finding]:
    if terms is None:
        return
    for axis in joint.layout.axes:
        if len(axis.attributes) > 1:
            continue
        sums = totals.get((axis.attributes, LOST))
        if sums is None:
            of = f"{axis.name}: " if axis.name else ""
            yield no_follow_up(
                f"{of}some site has no table of the outcomes that were due, or {TOO_FEW}",
                "Give each site's follow-up table, or audit at each site",
            )
            continue
        lost = losses_of(sums, totals[(), LOST])
        grouping = grouping_of(axis)
        for group, label in enumerate(grouping.labels_G):
            if lost.people_G[group] > 0:
                yield loss_finding(grouping, label, group, lost, None, terms)


def _put_together(joint: Joint) -> Iterator[Finding]:
    """Yield a binding finding for each label whose people were judged with others only."""
    for axis in joint.layout.axes:
        for label in axis.put_together():
            yield _without_numbers(
                axis.name, axis.attributes, label,
                f"{axis.name}: {label}: too few people at the sites to be judged as a group of"
                " their own, so they are judged together with others; nobody knows whether the"
                " model serves them worse.",
            )  # fmt: skip


def _without_numbers(axis: str, attributes: tuple[str, ...], label: str, reason: str) -> Finding:
    return Finding(
        rule=ONE_GROUP, metric=ONE_GROUP, statistic=ONE_GROUP, axis=axis, attributes=attributes,
        group=label, subjects=None, events=None, value=None, low=None, high=None, limit=None,
        binding=True, outcome=Outcome.INSUFFICIENT, reason=reason,
    )  # fmt: skip


def _required(totals: Totals, joint: Joint, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each required attribute that may be recorded of too few people."""
    for each in policy.required:
        if _recorded(each.attribute, totals, joint) < each.minimum_recorded:
            yield not_recorded(each)


def _recorded(attribute: str, totals: Totals, joint: Joint) -> float:
    """Return the least share of people of whom an attribute is recorded."""
    axis = joint.layout.axis((attribute,))
    if axis is None:
        return 0.0
    if (group := axis.group_of.get((NOT_RECORDED,))) is None:
        return 1.0
    keys: Iterable[str] = (key for key in axis.keys if joint.summed[key].sets[0] != DUE)
    if (key := next(iter(keys), None)) is None:
        return 0.0
    people_G = totals[(attribute,), key].people_G
    return float(1 - people_G[group] / people_G.sum())
