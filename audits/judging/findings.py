"""Turns evidence into findings, and records what could not be judged or compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import scipy

from audits.judging.decision import decide, suspicion
from audits.judging.evidence import Evidence
from audits.judging.policy import RequiredAttribute, Rule
from audits.judging.wording import sentence
from audits.measure.groups import EVERYONE, Grouping
from contracts.predictions import CHAMPION
from contracts.verdict import Finding, Outcome
from contracts.vocabulary import NOT_RECORDED

COMPARISON = "groups to compare"
"""Rule and metric of the finding that an attribute is the same for everyone."""

RECORDED = "attribute recorded"
"""Metric of the finding that a required attribute is recorded of too few."""


def adjusted(evidence: Sequence[Evidence]) -> list[float | None]:
    """Return each p-value after Benjamini-Hochberg, binding and other rules each as one family.

    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x. The groups of a cohort
    overlap, and their statistics are positively dependent, which the procedure allows for
    (Benjamini and Yekutieli 2001).
    """
    adjusted_ps: list[float | None] = [None] * len(evidence)
    for binding in (True, False):
        family = [
            (index, item.p_value)
            for index, item in enumerate(evidence)
            if item.rule.binding is binding and item.p_value is not None and item.shortage is None
        ]
        if family:
            p_values = np.array([p_value for _, p_value in family], dtype=np.float64)
            for (index, _), p_value in zip(
                family, scipy.stats.false_discovery_control(p_values), strict=True
            ):
                adjusted_ps[index] = float(p_value)
    return adjusted_ps


def findings(evidence: Sequence[Evidence]) -> Iterator[Finding]:
    """Judge all evidence together, each item by its rule."""
    for item, adjusted_p in zip(evidence, adjusted(evidence), strict=True):
        yield finding(item, adjusted_p)


def finding(evidence: Evidence, adjusted_p: float | None) -> Finding:
    """Judge evidence by its rule; a group too small for it is at most suspected."""
    rule, interval = evidence.rule, evidence.interval
    too_small = evidence.shortage is not None
    outcome = (
        suspicion(rule, evidence.suspected)
        if too_small
        else decide(rule, evidence.estimate, interval, adjusted_p, monte_carlo=evidence.monte_carlo)
    )
    if outcome is Outcome.PASS and not evidence.bears_losses:
        outcome = Outcome.INSUFFICIENT
    return Finding(
        rule=rule.name,
        metric=evidence.measure.name,
        statistic=rule.statistic,
        axis=evidence.axis,
        attributes=evidence.attributes,
        group=evidence.group,
        horizon_day=evidence.measure.horizon_day,
        subjects=evidence.counts.subjects,
        events=evidence.counts.events,
        value=evidence.estimate if math.isfinite(evidence.estimate) else None,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        limit=rule.limit,
        p_value=evidence.p_value,
        adjusted_p=adjusted_p,
        binding=rule.binding and (rule.must_be_shown or outcome is not Outcome.INSUFFICIENT),
        outcome=outcome,
        reason=sentence(evidence, outcome),
        shortage=evidence.shortage,
    )


def not_judged(rule: Rule, why: str) -> Finding:
    """Return the finding that a rule could not be applied to anyone, which is never a pass."""
    return _without_numbers(
        rule=rule.name,
        metric=rule.metric,
        statistic=rule.statistic,
        axis=EVERYONE,
        group=EVERYONE,
        limit=rule.limit,
        binding=rule.binding and rule.must_be_shown,
        reason=f"{EVERYONE}: {why}, so {rule.metric} cannot be judged.",
    )


def not_recorded(required: RequiredAttribute) -> Finding:
    """Return the finding that a required attribute is recorded of too few people; it binds.

    The share itself is not told: with the number of people it would count those without it.
    """
    return _without_numbers(
        rule=f"{required.attribute} is recorded",
        metric=RECORDED,
        statistic=RECORDED,
        axis=EVERYONE,
        group=EVERYONE,
        limit=required.minimum_recorded,
        binding=True,
        reason=f"{EVERYONE}: {required.attribute} is recorded of fewer than"
        f" {100 * required.minimum_recorded:.0f} in 100 people, which this policy requires, so"
        " nobody can say whom the model serves less well.",
    )


def no_champion(rule: Rule) -> Finding:
    """Return the finding that there is no champion to compare with; it does not bind."""
    return _without_numbers(
        rule=rule.name,
        metric=rule.metric,
        statistic=rule.statistic,
        axis=EVERYONE,
        group=EVERYONE,
        limit=rule.limit,
        binding=False,
        reason=f"{EVERYONE}: no other version is the {CHAMPION} yet, so there is nothing to compare"
        " with.",
    )


def nothing_to_compare(grouping: Grouping, subjects: int) -> Finding:
    """Return the finding that an attribute is the same for everyone; it does not bind.

    It does not bind because no other forecast of this cohort could be compared either. Where the
    attribute is not recorded for anyone, the finding says so.
    """
    label = grouping.labels_G[0]
    not_recorded = "; it is not recorded for anyone, so this audit says nothing about it"
    return _without_numbers(
        rule=COMPARISON,
        metric=COMPARISON,
        statistic=COMPARISON,
        axis=grouping.axis,
        attributes=grouping.attributes,
        group=label,
        subjects=subjects,
        limit=None,
        binding=False,
        reason=f"{grouping.axis}: {label} (n = {subjects}): everyone is in one group, so there is"
        f" nothing to compare{not_recorded if label == NOT_RECORDED else ''}.",
    )


def _without_numbers(
    *,
    rule: str,
    metric: str,
    statistic: str,
    axis: str,
    group: str,
    limit: float | None,
    binding: bool,
    reason: str,
    subjects: int = 0,
    attributes: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        rule=rule,
        metric=metric,
        statistic=statistic,
        axis=axis,
        attributes=attributes,
        group=group,
        subjects=subjects,
        events=None,
        value=None,
        low=None,
        high=None,
        limit=limit,
        binding=binding,
        outcome=Outcome.INSUFFICIENT,
        reason=reason,
    )
