"""Judges a prediction table by a policy: the table first, then every rule on every group.

Letters: N rows, R replicates, G groups, M measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audits.judging.counts import group_counts
from audits.judging.findings import findings, no_champion, nothing_to_compare, unjudged
from audits.judging.policy import Policy, Rule, gravest
from audits.judging.validation import validate
from audits.judging.wording import Counts, Evidence, group_name
from audits.measure.admission import given
from audits.measure.disparity import Estimate, Scope, Statistic, estimates, p_value, paired
from audits.measure.intervals import Scores, bootstrap, percentile_interval
from audits.measure.measures import Measure, horizons, measures
from audits.measure.partitions import EVERYONE, Partition, axes, everyone, pairs
from audits.measure.reference import check_against_metric_frame
from contracts.predictions import CANDIDATE, CHAMPION, HORIZON, MODEL, ORIGIN, REFUSED, SUBJECT
from contracts.verdict import Finding, Outcome, Verdict

KEY = [SUBJECT, ORIGIN, HORIZON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What is audited, by digest: a verdict holds for these bytes and no others.

    Parameters
    ----------
    model_version, bundle_digest
        `NAME/N`, and its bundle.
    predictions_digest, data_digest, code_digest
        Prediction table, cohort and source code.
    simulated
        True when no real person is in the cohort.
    champion
        The version in service, whose forecasts are the table's `champion`; None where there is
        none but this.
    """

    model_version: str
    bundle_digest: str
    predictions_digest: str
    data_digest: str
    code_digest: str
    simulated: bool
    champion: str | None = None


def judge(predictions: pd.DataFrame, policy: Policy, audited: Audited) -> Verdict:
    """Judge the candidate's forecasts; the gravest binding finding is the outcome.

    A table that breaks its contract is blocked and not scored.

    Parameters
    ----------
    predictions
        The prediction table (`contracts.predictions`), candidate and comparators.
    policy
        The rules.
    audited
        What the verdict is bound to.
    """
    told = validate(predictions, least_error=policy.least_error)
    if not any(finding.outcome is Outcome.BLOCKED for finding in told[:1]):
        told.extend(_judged(predictions, policy, audited))
    return Verdict(
        model_version=audited.model_version,
        bundle_digest=audited.bundle_digest,
        predictions_digest=audited.predictions_digest,
        policy_digest=policy.digest,
        data_digest=audited.data_digest,
        code_digest=audited.code_digest,
        champion=audited.champion,
        simulated=audited.simulated,
        outcome=gravest(told),
        findings=tuple(told),
    )


def rows_of(predictions: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return one model's rows of a prediction table, numbered anew."""
    return predictions[predictions[MODEL] == model].reset_index(drop=True)


def _judged(predictions: pd.DataFrame, policy: Policy, audited: Audited) -> list[Finding]:
    table = rows_of(predictions, CANDIDATE)
    if table.empty:
        why = "there is no forecast of the candidate"
        return [unjudged(rule, why) for rule in policy.rules]
    single = axes(table)
    check_against_metric_frame(table, single, policy.yardsticks)
    every = {Scope.OVERALL: [everyone(table)], Scope.AXES: single, Scope.PAIRS: pairs(single)}
    told: list[Finding] = []
    evidence: list[Evidence] = []
    for scope, partitions in every.items():
        rules = [rule for rule in policy.rules if rule.scope is scope]
        varied = [p for p in partitions if not p.is_constant or p.axis == EVERYONE]
        if scope is Scope.AXES:
            told += [
                nothing_to_compare(p, table[SUBJECT].nunique()) for p in partitions if p.is_constant
            ]
        if scope is Scope.AXES and not varied:
            # One attribute that does not vary is no obstacle; none that does is no audit.
            told += [unjudged(rule, "no attribute varies in this cohort") for rule in rules]
            continue
        alone = [rule for rule in rules if rule.statistic is not Statistic.AGAINST]
        for rule in (rule for rule in rules if rule.statistic is Statistic.AGAINST):
            if rule.comparator == CHAMPION and audited.champion is None:
                told.append(no_champion(rule))
                continue
            other, why = _counterpart(predictions, table, rule)
            if other is None:
                told.append(unjudged(rule, why))
            else:
                evidence += _against(table, other, varied, rule, policy)
        evidence += _in_groups(table, varied, alone, policy)
        told += [
            unjudged(rule, "the prediction table lacks the columns for it")
            for rule in alone
            if not measures(table, rule.metric)
        ]
    return [*findings(evidence), *told]


def _in_groups(
    table: pd.DataFrame, partitions: Sequence[Partition], rules: Sequence[Rule], policy: Policy
) -> Iterator[Evidence]:
    of_rule = {rule.name: _measures(table, rule) for rule in rules}
    measured = tuple(dict.fromkeys(measure for each in of_rule.values() for measure in each))
    if not measured or not partitions:
        return
    for scores in _scores(table, partitions, measured, policy):
        for rule in rules:
            if rule.axes is not None and scores.partition.axis not in rule.axes:
                continue
            for measure in of_rule[rule.name]:
                counts = group_counts(table, scores.partition, measure, policy.yardsticks)
                enough_G = np.array(
                    [c.subjects >= rule.minimum_subjects for c in counts], dtype=np.bool_
                )
                column = measured.index(measure)
                for each in estimates(scores, column, rule.statistic, enough_G):
                    yield _evidence(each, rule, measure, scores.partition, counts)


def _against(
    table: pd.DataFrame,
    other: pd.DataFrame,
    partitions: Sequence[Partition],
    rule: Rule,
    policy: Policy,
) -> Iterator[Evidence]:
    """Compare the candidate with a comparator on the same forecasts, draw by draw."""
    table, other = _given_by_both(table, other)
    measured = _measures(table, rule)
    both = [_scores(rows, partitions, measured, policy) for rows in (table, other)]
    for candidate, comparator in zip(*both, strict=True):
        partition = candidate.partition
        if rule.axes is not None and partition.axis not in rule.axes:
            continue
        for column, measure in enumerate(measured):
            counts = group_counts(table, partition, measure, policy.yardsticks)
            for each in paired(candidate, comparator, column):
                yield _evidence(each, rule, measure, partition, counts)


def _given_by_both(table: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out what either model refused: else who refuses the hard ones looks better."""
    if REFUSED not in table.columns and REFUSED not in other.columns:
        return table, other
    refused_N = ~(given(table).to_numpy() & given(other).to_numpy())
    return table.assign(**{REFUSED: refused_N}), other.assign(**{REFUSED: refused_N})


def _counterpart(
    predictions: pd.DataFrame, table: pd.DataFrame, rule: Rule
) -> tuple[pd.DataFrame | None, str]:
    """Return the comparator's rows in the candidate's order, or why there are none."""
    if not _measures(table, rule):
        return None, "the prediction table lacks the columns for it"
    other = rows_of(predictions, str(rule.comparator))
    # `merge` keeps the order of the left keys: row n of both tables is the same forecast.
    joined = table[KEY].merge(other, on=KEY, how="inner", validate="one_to_one")
    if lacking := len(table) - len(joined):
        why = f"{lacking} of {len(table)} forecasts have no counterpart from {rule.comparator}"
        return None, why
    return joined, ""


def _measures(table: pd.DataFrame, rule: Rule) -> tuple[Measure, ...]:
    return measures(table, rule.metric, horizons(table) if rule.each_horizon else (None,))


def _scores(
    table: pd.DataFrame,
    partitions: Sequence[Partition],
    measured: tuple[Measure, ...],
    policy: Policy,
) -> list[Scores]:
    return bootstrap(
        table,
        partitions,
        measured,
        replicates=policy.replicates,
        seed=policy.seed,
        yardsticks=policy.yardsticks,
    )


def _evidence(
    each: Estimate,
    rule: Rule,
    measure: Measure,
    partition: Partition,
    counts: Sequence[Counts],
) -> Evidence:
    of_axis = each.group is None
    here = (
        Counts(
            subjects=sum(c.subjects for c in counts),
            events=None if counts[0].events is None else sum(c.events or 0 for c in counts),
        )
        if each.group is None
        else counts[each.group]
    )
    labelled = zip(partition.labels_G, counts, strict=True)
    small = tuple(label for label, c in labelled if c.subjects < rule.minimum_subjects)
    return Evidence(
        rule=rule,
        measure=measure,
        axis=partition.axis,
        attributes=partition.attributes,
        group=group_name(partition.labels_G, each.group),
        counts=here,
        estimate=each.value,
        interval=percentile_interval(each.replicate_R, confidence=rule.confidence),
        p_value=p_value(rule.direction, rule.limit, each, is_ratio=rule.statistic.is_ratio),
        small=small if of_axis else (),
    )
