"""For whom a model passes: groups whose every rule was shown to hold, without pairs in doubt.

Harm that was shown anywhere blocks; a scope never carves out those who are harmed. Small groups
never inherit a pass from others: judged together with similar groups, one at its limit would get in
in one of five cohorts.

Letters: N rows, G groups.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

from audits.judging.evidence import Evidence
from audits.judging.policy import Policy
from audits.judging.rules import Applied
from audits.measure.disparity import ALL_GROUPS
from audits.measure.groups import EVERYONE, Grouping, is_pattern
from contracts.predictions import SUBJECT
from contracts.scope import HeldBack, OutsideGroup, OutsidePair, Scope, ScopeAttribute
from contracts.verdict import Finding, Outcome
from contracts.vocabulary import NOT_RECORDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Who could be served.

    Parameters
    ----------
    scope
        The groups and pairs.
    inside_N
        Which rows are of them.
    share
        Share of the people, each with the share of their forecasts that is inside.
    """

    scope: Scope
    inside_N: NDArray[np.bool_]
    share: float


def candidates(table: pd.DataFrame, applied: Applied) -> Candidates:
    """Return who could be served, by what was found on each group and pair.

    What was found on everyone is no matter of scope.

    Parameters
    ----------
    table
        The candidate's rows.
    """
    attributes, pairs = applied.attributes, applied.pairs
    missing = _not_shown(applied.findings)
    inside_N = np.ones(len(table), dtype=np.bool_)
    judged = [_attribute(grouping, missing) for grouping in attributes if _is_known(grouping)]
    by_axis = {grouping.axis: grouping for grouping in attributes}
    for attribute in judged:
        grouping = by_axis[attribute.attribute]
        is_inside_G = np.array([label in attribute.inside for label in grouping.labels_G])
        inside_N &= is_inside_G[grouping.group_N]
    is_inside = {a.attribute: set(a.inside) for a in judged}
    outside: list[OutsidePair] = []
    excluded = _excluded(applied.evidence)
    for pair in pairs:
        for group, label in enumerate(pair.labels_G):
            names = _names(pair, group)
            rules = excluded.get((pair.axis, label))
            alone = all(
                name in is_inside[attribute]
                for attribute, name in zip(pair.attributes, names, strict=True)
                if attribute in is_inside
            )
            # A pair whose groups are outside already needs no line of its own.
            if rules and alone:
                first, second = pair.attributes
                outside.append(
                    OutsidePair(attributes=(first, second), labels=names, rules=tuple(rules))
                )
                inside_N &= pair.group_N != group
    share = share_of_people(table, inside_N)
    scope = Scope(
        attributes=tuple(judged), pairs=tuple(outside), share_inside=math.floor(10 * share) / 10
    )
    return Candidates(scope=scope, inside_N=inside_N, share=share)


def share_of_people(table: pd.DataFrame, inside_N: NDArray[np.bool_]) -> float:
    """Return the share of people inside; one who is inside with some forecasts counts in part."""
    _, subject_N = np.unique(table[SUBJECT].to_numpy(), return_inverse=True)
    rows_S = np.bincount(subject_N)
    return float((np.bincount(subject_N, inside_N) / rows_S).mean())


def within_scope(inside: Iterable[Finding]) -> Outcome:
    """Return what the rules say among those inside, judged once more; there is no third time.

    Each rule on everyone inside, and on each pattern of a course, must be shown to hold; no rule on
    a group may be in doubt.
    """
    binding = [finding for finding in inside if finding.binding]
    if any(f.outcome in {Outcome.REVIEW, Outcome.BLOCKED} for f in binding):
        return Outcome.REVIEW
    on_everyone = {finding.outcome for finding in binding if is_for_everyone(finding)}
    return Outcome.PASS if on_everyone <= {Outcome.PASS} else Outcome.INSUFFICIENT


def is_for_everyone(finding: Finding) -> bool:
    """Return whether nobody can be held back in its stead, so that it must pass.

    A pattern of the course is on nobody's record beforehand.
    """
    return finding.axis == EVERYONE or is_pattern(finding.axis)


def held_back(scope: Scope, findings: Sequence[Finding], inside: Iterable[Finding]) -> HeldBack:
    """Return whom it was not shown of that a model serves them well.

    Parameters
    ----------
    scope
        Groups and pairs inside and outside, by `candidates`.
    findings, inside
        What was found on everyone, and once more on those in scope.
    """
    everything = (*findings, *inside)
    missing = _not_shown(everything)
    patterns = [
        _of_labels(axis, labels, missing.get(axis, {}))
        for axis, labels in _labels_of_patterns(findings).items()
    ]
    everyone = [
        finding.rule
        for finding in everything
        if finding.binding and finding.axis == EVERYONE and finding.outcome is not Outcome.PASS
    ]
    groups = scope.model_copy(update={"attributes": (*scope.attributes, *patterns)})
    return HeldBack(everyone=tuple(dict.fromkeys(everyone)), groups=groups)


def in_doubt(policy: Policy, findings: Iterable[Finding]) -> frozenset[tuple[str, str]]:
    """Return the patterns, axis and label, for which too little evidence holds nothing back."""
    may_be_open = {rule.name for rule in policy.rules if not rule.must_be_shown}
    return frozenset(
        (finding.axis, finding.group)
        for finding in findings
        if finding.rule in may_be_open
        and finding.outcome is Outcome.INSUFFICIENT
        and is_pattern(finding.axis)
    )


def _labels_of_patterns(findings: Iterable[Finding]) -> dict[str, list[str]]:
    found = [finding for finding in findings if is_pattern(finding.axis)]
    asked = {finding.axis for finding in found if finding.binding}
    labels: dict[str, list[str]] = defaultdict(list)
    for finding in found:
        # Also one for which too little evidence holds nothing back.
        if finding.axis in asked:
            labels[finding.axis].append(finding.group)
    return {axis: list(dict.fromkeys(of_axis)) for axis, of_axis in labels.items()}


def _is_known(grouping: Grouping) -> bool:
    """Return whether an attribute is recorded of anybody; else nothing can be said about it."""
    return grouping.labels_G != (NOT_RECORDED,)


def _not_shown(findings: Iterable[Finding]) -> dict[str, dict[str, list[str]]]:
    """Return the binding rules not shown to hold, by attribute and group."""
    missing: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for finding in findings:
        if finding.binding and finding.axis != EVERYONE and finding.outcome is not Outcome.PASS:
            rules = missing[finding.axis][finding.group]
            if finding.rule not in rules:
                rules.append(finding.rule)
    return missing


def _attribute(grouping: Grouping, missing: dict[str, dict[str, list[str]]]) -> ScopeAttribute:
    return _of_labels(grouping.axis, grouping.labels_G, missing.get(grouping.axis, {}))


def _of_labels(
    axis: str, labels: Sequence[str], of_axis: Mapping[str, Sequence[str]]
) -> ScopeAttribute:
    # A group whose every outcome was lost is not in the table, and is outside all the same.
    unseen = [label for label in of_axis if label not in {*labels, ALL_GROUPS}]
    outside = [
        OutsideGroup(label=label, rules=tuple(rules))
        for label in (*labels, *unseen)
        if (rules := [*of_axis.get(label, ()), *of_axis.get(ALL_GROUPS, ())])
    ]
    names = {group.label for group in outside}
    return ScopeAttribute(
        attribute=axis,
        inside=tuple(label for label in labels if label not in names),
        outside=tuple(outside),
    )


def _excluded(evidence: Iterable[Evidence]) -> dict[tuple[str, str], list[str]]:
    """Return the rules that keep the people of a pair out, by axis and label of the pair."""
    excluded: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item in evidence:
        certainty = item.rule.excludes_unless
        if certainty is not None and item.shortage is None and _is_doubtful(item, certainty):
            excluded[item.axis, item.group].append(item.rule.name)
    return excluded


def _is_doubtful(item: Evidence, certainty: float) -> bool:
    """Return whether a pair is not so certainly within the limit as it must be.

    A number that cannot be computed is in doubt.
    """
    # The best guess needs no standard error.
    margin = 0.0 if certainty == 0.5 else float(scipy.stats.norm.ppf(certainty)) * item.error
    if not math.isfinite(item.estimate + margin):
        return True
    excess = item.rule.direction.excess(item.estimate, item.rule.limit)
    return excess + margin + item.to_bear > 0


def _names(pair: Grouping, group: int) -> tuple[str, str]:
    first, second = pair.parts_G[group]
    return first, second
