"""Judges a prediction table by a policy: the table first, then every rule on every group.

Letters: N rows, R replicates, G groups, M measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audits.judging.counts import Counts, group_counts
from audits.judging.evidence import Evidence
from audits.judging.findings import findings, no_champion, not_judged, nothing_to_compare
from audits.judging.policy import Policy, Rule, gravest
from audits.judging.units import ScoreUnit
from audits.judging.validation import breaks_contract, validate
from audits.measure.disparity import (
    ALL_GROUPS,
    Estimate,
    Scope,
    Statistic,
    estimates,
    p_value,
    paired,
)
from audits.measure.fairlearn_check import check_against_metric_frame
from audits.measure.groups import EVERYONE, Grouping, by_attribute, everyone, intersections
from audits.measure.intervals import Scores, bootstrap, percentile_interval
from audits.measure.metrics import Measure, available_measures, horizons
from audits.measure.prediction_table import KEY, has_forecast
from contracts.predictions import CANDIDATE, CHAMPION, MODEL, REFUSED, SUBJECT
from contracts.verdict import Finding, Verdict

NO_COLUMNS = "the prediction table lacks the columns for it"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditInputs:
    """What is audited, by digest: a verdict is valid for these bytes and no others.

    Parameters
    ----------
    model_version, bundle_digest
        `NAME/N`, and its bundle.
    predictions_digest, data_digest, code_digest
        Prediction table, cohort and source code.
    simulated
        True when the cohort is simulated.
    champion, champion_predictions_digest
        The version in service, whose forecasts are the table's `champion`, and the prediction table
        that they came from; None where no other version is in service.
    """

    model_version: str
    bundle_digest: str
    predictions_digest: str
    data_digest: str
    code_digest: str
    simulated: bool
    champion: str | None = None
    champion_predictions_digest: str | None = None


def judge(predictions: pd.DataFrame, policy: Policy, inputs: AuditInputs) -> Verdict:
    """Judge the candidate's forecasts; the gravest binding finding is the outcome.

    A table that breaks its contract is blocked and not scored.

    Parameters
    ----------
    predictions
        The prediction table (`contracts.predictions`), candidate and comparators.
    policy
        The rules.
    inputs
        What the verdict is bound to.
    """
    all_findings = validate(predictions, least_error=policy.least_error)
    if not breaks_contract(all_findings):
        all_findings.extend(_judged(predictions, policy, inputs))
    return Verdict(
        model_version=inputs.model_version,
        bundle_digest=inputs.bundle_digest,
        predictions_digest=inputs.predictions_digest,
        policy_digest=policy.digest,
        data_digest=inputs.data_digest,
        code_digest=inputs.code_digest,
        champion=inputs.champion,
        champion_predictions_digest=inputs.champion_predictions_digest,
        simulated=inputs.simulated,
        outcome=gravest(all_findings),
        findings=tuple(all_findings),
    )


def rows_of(predictions: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return one model's rows of a prediction table, with a new index."""
    return predictions[predictions[MODEL] == model].reset_index(drop=True)


def _judged(predictions: pd.DataFrame, policy: Policy, inputs: AuditInputs) -> list[Finding]:
    table = rows_of(predictions, CANDIDATE)
    if table.empty:
        why = "there are no forecasts of the candidate"
        return [not_judged(rule, why) for rule in policy.rules]
    attributes = by_attribute(table)
    check_against_metric_frame(table, attributes, policy.thresholds)
    groupings_of = {
        Scope.OVERALL: [everyone(table)],
        Scope.AXES: attributes,
        Scope.PAIRS: intersections(attributes),
    }
    without_evidence: list[Finding] = []
    evidence: list[Evidence] = []
    for scope, groupings in groupings_of.items():
        rules = [rule for rule in policy.rules if rule.scope is scope]
        varied = [g for g in groupings if not g.is_constant or g.axis == EVERYONE]
        if scope is Scope.AXES:
            people = table[SUBJECT].nunique()
            without_evidence += [
                nothing_to_compare(grouping, people)
                for grouping in groupings
                if grouping.is_constant
            ]
        if scope is Scope.AXES and not varied:
            # One attribute that does not vary is acceptable; an audit needs at least one that does.
            why = "no attribute varies in this cohort"
            without_evidence += [not_judged(rule, why) for rule in rules]
            continue
        alone = [rule for rule in rules if rule.statistic is not Statistic.AGAINST_COMPARATOR]
        for rule in (rule for rule in rules if rule.statistic is Statistic.AGAINST_COMPARATOR):
            if rule.comparator == CHAMPION and inputs.champion is None:
                without_evidence.append(no_champion(rule))
                continue
            other, why = _counterpart(predictions, table, rule)
            if other is None:
                without_evidence.append(not_judged(rule, why))
            else:
                evidence += _against(table, other, varied, rule, policy)
        evidence += _in_groups(table, varied, alone, policy)
        without_evidence += [
            not_judged(rule, NO_COLUMNS)
            for rule in alone
            if not available_measures(table, rule.metric)
        ]
    return [*findings(evidence), *without_evidence]


def _in_groups(
    table: pd.DataFrame, groupings: Sequence[Grouping], rules: Sequence[Rule], policy: Policy
) -> Iterator[Evidence]:
    of_rule = {rule.name: _measures(table, rule) for rule in rules}
    measured = tuple(
        dict.fromkeys(measure for measures in of_rule.values() for measure in measures)
    )
    if not measured or not groupings:
        return
    for scores in _scores(table, groupings, measured, policy):
        for rule in rules:
            if rule.axes is not None and scores.grouping.axis not in rule.axes:
                continue
            for measure in of_rule[rule.name]:
                counts = group_counts(table, scores.grouping, measure, policy.thresholds)
                enough_G = np.array(
                    [c.subjects >= rule.minimum_subjects for c in counts], dtype=np.bool_
                )
                column = measured.index(measure)
                for estimate in estimates(scores, column, rule.statistic, enough_G):
                    yield _evidence(
                        estimate, rule, measure, scores.grouping, counts, policy.score_unit
                    )


def _against(
    table: pd.DataFrame,
    other: pd.DataFrame,
    groupings: Sequence[Grouping],
    rule: Rule,
    policy: Policy,
) -> Iterator[Evidence]:
    """Compare the candidate with a comparator on the same forecasts, replicate by replicate."""
    table, other = _forecast_by_both(table, other)
    measured = _measures(table, rule)
    both = [_scores(rows, groupings, measured, policy) for rows in (table, other)]
    for candidate, comparator in zip(*both, strict=True):
        grouping = candidate.grouping
        if rule.axes is not None and grouping.axis not in rule.axes:
            continue
        for column, measure in enumerate(measured):
            counts = group_counts(table, grouping, measure, policy.thresholds)
            for estimate in paired(candidate, comparator, column):
                yield _evidence(estimate, rule, measure, grouping, counts, policy.score_unit)


def _forecast_by_both(
    table: pd.DataFrame, other: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out what either model refused: else one that refuses hard cases would look better."""
    if REFUSED not in table.columns and REFUSED not in other.columns:
        return table, other
    refused_N = ~(has_forecast(table).to_numpy() & has_forecast(other).to_numpy())
    return table.assign(**{REFUSED: refused_N}), other.assign(**{REFUSED: refused_N})


def _counterpart(
    predictions: pd.DataFrame, table: pd.DataFrame, rule: Rule
) -> tuple[pd.DataFrame | None, str]:
    """Return the comparator's rows in the candidate's order, or why there are none."""
    if not _measures(table, rule):
        return None, NO_COLUMNS
    other = rows_of(predictions, str(rule.comparator))
    # `merge` keeps the order of the left keys: row n of both tables is the same forecast.
    joined = table[KEY].merge(other, on=KEY, how="inner", validate="one_to_one")
    if lacking := len(table) - len(joined):
        why = f"{lacking} of {len(table)} forecasts have no counterpart from {rule.comparator}"
        return None, why
    return joined, ""


def _measures(table: pd.DataFrame, rule: Rule) -> tuple[Measure, ...]:
    days = horizons(table) if rule.each_horizon else (None,)
    return available_measures(table, rule.metric, days)


def _scores(
    table: pd.DataFrame,
    groupings: Sequence[Grouping],
    measured: tuple[Measure, ...],
    policy: Policy,
) -> list[Scores]:
    return bootstrap(
        table,
        groupings,
        measured,
        replicates=policy.replicates,
        seed=policy.seed,
        thresholds=policy.thresholds,
    )


def _evidence(
    estimate: Estimate,
    rule: Rule,
    measure: Measure,
    grouping: Grouping,
    counts: Sequence[Counts],
    score_unit: ScoreUnit,
) -> Evidence:
    labels = grouping.labels_G
    small = tuple(
        label for label, c in zip(labels, counts, strict=True) if c.subjects < rule.minimum_subjects
    )
    return Evidence(
        rule=rule,
        measure=measure,
        axis=grouping.axis,
        attributes=grouping.attributes,
        group=ALL_GROUPS if estimate.group is None else labels[estimate.group],
        counts=_total(counts) if estimate.group is None else counts[estimate.group],
        estimate=estimate.value,
        interval=percentile_interval(estimate.replicate_R, confidence=rule.confidence),
        p_value=p_value(rule.direction, rule.limit, estimate, is_ratio=rule.statistic.is_ratio),
        small_groups=small if estimate.group is None else (),
        score_unit=score_unit,
    )


def _total(counts: Sequence[Counts]) -> Counts:
    return Counts(
        subjects=sum(c.subjects for c in counts),
        events=None if counts[0].events is None else sum(c.events or 0 for c in counts),
    )
