"""Turns evidence into findings: the judged, the unjudgeable, and the attribute of one group."""

from __future__ import annotations

import math

from audits.partitions import EVERYONE, Partition
from audits.policy import Rule, decide
from audits.wording import Evidence, sentence, shortage
from contracts.verdict import Finding, Outcome
from contracts.vocabulary import NOT_RECORDED

COMPARISON = "groups to compare"
"""Rule and metric of the finding that an attribute is the same for everyone."""


def finding(evidence: Evidence) -> Finding:
    """Judge evidence by its rule; a group too small for it is insufficient evidence."""
    rule, score, interval = evidence.rule, evidence.score, evidence.interval
    lacking = shortage(rule, score) != ""
    outcome = Outcome.INSUFFICIENT if lacking else decide(rule, evidence.estimate, interval)
    return Finding(
        rule=rule.name,
        metric=evidence.measure.name,
        axis=evidence.axis,
        group=score.group,
        subjects=score.subjects,
        events=score.events,
        value=evidence.estimate if math.isfinite(evidence.estimate) else None,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        limit=rule.limit,
        binding=rule.binding,
        outcome=outcome,
        reason=sentence(evidence, outcome),
    )


def unjudged(rule: Rule, why: str, *, axis: str = EVERYONE) -> Finding:
    """Return that a rule could not be applied to anyone, which is never a pass."""
    return Finding(
        rule=rule.name,
        metric=rule.metric,
        axis=axis,
        group=EVERYONE,
        subjects=0,
        events=None,
        value=None,
        low=None,
        high=None,
        limit=rule.limit,
        binding=rule.binding,
        outcome=Outcome.INSUFFICIENT,
        reason=f"{axis}: {why}, so that {rule.metric} cannot be judged.",
    )


def nothing_to_compare(partition: Partition, subjects: int) -> Finding:
    """Return that an attribute is the same for everyone: shown, and not binding.

    It does not bind because no other forecast of this cohort could be compared either; an
    attribute recorded for nobody is said to be so.
    """
    label = partition.labels_G[0]
    unknown = "; it is recorded for nobody, so that this audit says nothing of it"
    return Finding(
        rule=COMPARISON,
        metric=COMPARISON,
        axis=partition.axis,
        group=label,
        subjects=subjects,
        events=None,
        value=None,
        low=None,
        high=None,
        limit=0.0,
        binding=False,
        outcome=Outcome.INSUFFICIENT,
        reason=f"{partition.axis}: {label} (n = {subjects}): everyone is in one group: nothing to"
        f" compare{unknown if label == NOT_RECORDED else ''}.",
    )
