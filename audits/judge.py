"""Judges a prediction table by a policy: every rule on every group, with its uncertainty.

Letters: N rows, R replicates, G groups, M measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from audits.admission import KEY, admit
from audits.findings import finding, nothing_to_compare, unjudged
from audits.intervals import bootstrap, percentile_interval
from audits.measures import Terms, measures, terms
from audits.partitions import EVERYONE, Partition, axes, everyone, pairs
from audits.policy import Policy, Rule, Scope, Statistic, gravest
from audits.scores import group_scores
from audits.wording import Evidence
from contracts.predictions import CANDIDATE, MODEL, SUBJECT
from contracts.verdict import Finding, Verdict


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
    """

    model_version: str
    bundle_digest: str
    predictions_digest: str
    data_digest: str
    code_digest: str
    simulated: bool


def judge(predictions: pd.DataFrame, policy: Policy, audited: Audited) -> Verdict:
    """Judge the candidate's forecasts; the gravest binding finding is the outcome.

    Parameters
    ----------
    predictions
        The prediction table (`contracts.predictions`), candidate and comparators.
    policy
        The rules.
    audited
        What the verdict is bound to.

    Raises
    ------
    ContractError
        The table breaks its contract; all problems are listed.
    """
    admit(predictions)
    table = _rows_of(predictions, CANDIDATE)
    findings = tuple(_findings(predictions, table, policy))
    return Verdict(
        model_version=audited.model_version,
        bundle_digest=audited.bundle_digest,
        predictions_digest=audited.predictions_digest,
        policy_digest=policy.digest,
        data_digest=audited.data_digest,
        code_digest=audited.code_digest,
        simulated=audited.simulated,
        outcome=gravest(findings),
        findings=findings,
    )


def _findings(predictions: pd.DataFrame, table: pd.DataFrame, policy: Policy) -> Iterator[Finding]:
    single = axes(table)
    partitions = {Scope.OVERALL: [everyone(table)], Scope.AXES: single, Scope.PAIRS: pairs(single)}
    for rule in policy.rules:
        if rule.statistic is Statistic.AGAINST:
            yield from _against(predictions, table, rule, policy)
    for scope, parted in partitions.items():
        rules = [
            rule
            for rule in policy.rules
            if rule.scope is scope and rule.statistic is not Statistic.AGAINST
        ]
        if scope is Scope.AXES and all(partition.is_constant for partition in parted):
            # One attribute that does not vary is no obstacle; none that does is no audit.
            why = "no attribute varies in this cohort"
            yield from (unjudged(rule, why) for rule in rules)
        for partition in parted if rules else ():
            yield from _in_partition(table, partition, rules, policy)


def _in_partition(
    table: pd.DataFrame, partition: Partition, rules: Sequence[Rule], policy: Policy
) -> Iterator[Finding]:
    if len(table) == 0:
        why = "there is no forecast of the candidate"
        yield from (unjudged(rule, why, axis=partition.axis) for rule in rules)
    elif partition.is_constant and partition.axis != EVERYONE:
        yield nothing_to_compare(partition, table[SUBJECT].nunique())
    else:
        yield from _by_group(table, partition, rules, policy)


def _by_group(
    table: pd.DataFrame, partition: Partition, rules: Sequence[Rule], policy: Policy
) -> Iterator[Finding]:
    of_rule = {rule.name: measures(table, rule.metric) for rule in rules}
    measured = tuple(dict.fromkeys(measure for each in of_rule.values() for measure in each))
    if measured:
        scores = group_scores(table, partition, measured)
        replicates = bootstrap(
            terms(table, measured),
            table[SUBJECT].to_numpy(),
            partition,
            replicates=policy.replicates,
            seed=policy.seed,
        )
    for rule in rules:
        if not of_rule[rule.name]:
            yield unjudged(rule, "the prediction table has no milestone", axis=partition.axis)
        for measure in of_rule[rule.name]:
            column = measured.index(measure)
            is_value = rule.statistic is Statistic.VALUE
            drawn_RGM = replicates.value_RGM if is_value else replicates.difference_RGM
            for group, score in enumerate(scores[measure]):
                yield finding(
                    Evidence(
                        rule=rule,
                        measure=measure,
                        axis=partition.axis,
                        score=score,
                        estimate=score.value if is_value else score.value - score.rest,
                        interval=percentile_interval(
                            drawn_RGM[:, group, column], confidence=policy.confidence
                        ),
                        confidence=policy.confidence,
                    )
                )


def _against(
    predictions: pd.DataFrame, table: pd.DataFrame, rule: Rule, policy: Policy
) -> Iterator[Finding]:
    """Compare the candidate with a comparator on the same forecasts, paired row by row."""
    other = _rows_of(predictions, str(rule.comparator))
    paired = table[KEY].merge(other, on=KEY, how="inner", validate="one_to_one")
    lacking = len(table) - len(paired)
    measured = measures(table, rule.metric)
    if len(table) == 0 or lacking or not measured:
        why = f"{lacking} of {len(table)} forecasts have no counterpart from {rule.comparator}"
        yield unjudged(rule, why if measured else "the prediction table has no milestone")
        return
    # `merge` keeps the order of the left keys: row n of both tables is the same forecast.
    whole = everyone(table)
    candidate, comparator = (group_scores(rows, whole, measured) for rows in (table, paired))
    first, second = terms(table, measured), terms(paired, measured)
    replicates = bootstrap(
        Terms(
            numerator_NM=first.numerator_NM - second.numerator_NM,
            denominator_NM=first.denominator_NM,
        ),
        table[SUBJECT].to_numpy(),
        whole,
        replicates=policy.replicates,
        seed=policy.seed,
    )
    for column, measure in enumerate(measured):
        score = candidate[measure][0]
        yield finding(
            Evidence(
                rule=rule,
                measure=measure,
                axis=whole.axis,
                score=score,
                estimate=score.value - comparator[measure][0].value,
                interval=percentile_interval(
                    replicates.value_RGM[:, 0, column], confidence=policy.confidence
                ),
                confidence=policy.confidence,
            )
        )


def _rows_of(predictions: pd.DataFrame, model: str) -> pd.DataFrame:
    return predictions[predictions[MODEL] == model].reset_index(drop=True)
