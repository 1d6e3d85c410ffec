"""Turns evidence into findings: the judged, the unjudgeable, and the attribute of one group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import false_discovery_control

from audits.judging.policy import Rule, decide
from audits.judging.wording import Evidence, sentence, shortage
from audits.measure.partitions import EVERYONE, Partition
from contracts.predictions import CHAMPION
from contracts.verdict import Finding, Outcome
from contracts.vocabulary import NOT_RECORDED

COMPARISON = "groups to compare"
"""Rule and metric of the finding that an attribute is the same for everyone."""


def adjusted(every: Sequence[Evidence]) -> list[float | None]:
    """Return each p-value after Benjamini-Hochberg, binding and other rules each as one family.

    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x. The groups of a cohort
    overlap, and their statistics are positively dependent, which the procedure allows for
    (Benjamini and Yekutieli 2001).
    """
    told: list[float | None] = [None] * len(every)
    for binding in (True, False):
        family = [
            place
            for place, evidence in enumerate(every)
            if evidence.rule.binding is binding
            and evidence.p_value is not None
            and not shortage(evidence)
        ]
        if family:
            p_values = np.array([every[place].p_value for place in family], dtype=np.float64)
            for place, p_value in zip(family, false_discovery_control(p_values), strict=True):
                told[place] = float(p_value)
    return told


def findings(every: Sequence[Evidence]) -> Iterator[Finding]:
    """Judge all evidence together, each by its rule."""
    for evidence, adjusted_p in zip(every, adjusted(every), strict=True):
        yield finding(evidence, adjusted_p)


def finding(evidence: Evidence, adjusted_p: float | None) -> Finding:
    """Judge evidence by its rule; a group too small for it is insufficient evidence."""
    rule, interval = evidence.rule, evidence.interval
    lacking = shortage(evidence) != ""
    outcome = (
        Outcome.INSUFFICIENT if lacking else decide(rule, evidence.estimate, interval, adjusted_p)
    )
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
        binding=rule.binding,
        outcome=outcome,
        reason=sentence(evidence, outcome),
    )


def unjudged(rule: Rule, why: str, *, axis: str = EVERYONE) -> Finding:
    """Return that a rule could not be applied to anyone, which is never a pass."""
    return _without_numbers(
        rule=rule.name,
        metric=rule.metric,
        statistic=rule.statistic,
        axis=axis,
        group=EVERYONE,
        limit=rule.limit,
        binding=rule.binding,
        reason=f"{axis}: {why}, so that {rule.metric} cannot be judged.",
    )


def no_champion(rule: Rule) -> Finding:
    """Return that there is no champion to compare with: shown, and not binding."""
    return _without_numbers(
        rule=rule.name,
        metric=rule.metric,
        statistic=rule.statistic,
        axis=EVERYONE,
        group=EVERYONE,
        limit=rule.limit,
        binding=False,
        reason=f"{EVERYONE}: no other version is the {CHAMPION} yet: nothing to compare with.",
    )


def nothing_to_compare(partition: Partition, subjects: int) -> Finding:
    """Return that an attribute is the same for everyone: shown, and not binding.

    It does not bind because no other forecast of this cohort could be compared either; an
    attribute recorded for nobody is said to be so.
    """
    label = partition.labels_G[0]
    unknown = "; it is recorded for nobody, so that this audit says nothing of it"
    return _without_numbers(
        rule=COMPARISON,
        metric=COMPARISON,
        statistic=COMPARISON,
        axis=partition.axis,
        attributes=partition.attributes,
        group=label,
        subjects=subjects,
        limit=None,
        binding=False,
        reason=f"{partition.axis}: {label} (n = {subjects}): everyone is in one group: nothing to"
        f" compare{unknown if label == NOT_RECORDED else ''}.",
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
