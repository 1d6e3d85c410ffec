"""Applies every rule of a policy to a prediction table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from audits.judging.evidence import Evidence
from audits.judging.findings import findings, no_champion, not_judged, nothing_to_compare
from audits.judging.gather import against, in_groups, measures
from audits.judging.lost.findings import loss_findings
from audits.judging.lost.missing import Missing
from audits.judging.policy import Policy, Rule
from audits.measure.disparity import Scope, Statistic
from audits.measure.groups import Grouping, by_attribute, by_pattern, everyone, intersections
from audits.measure.looks import Earlier, confidence_at, look_at
from audits.measure.metrics import available_measures
from audits.measure.prediction_table import KEY
from contracts.predictions import CANDIDATE, CHAMPION, CLUSTER, MODEL, SUBJECT
from contracts.verdict import Finding, Outcome

NO_COLUMNS = "the prediction table lacks the columns for it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What all rules say of a table.

    Parameters
    ----------
    attributes, pairs
        How the candidate's rows are divided.
    evidence, findings
        What was found on everyone, on every group and pair, and what it rests on.
    """

    attributes: tuple[Grouping, ...]
    pairs: tuple[Grouping, ...]
    evidence: tuple[Evidence, ...]
    findings: tuple[Finding, ...]


def apply_rules(
    predictions: pd.DataFrame,
    policy: Policy,
    *,
    champion: str | None,
    missing: Missing | None = None,
    scopes: Sequence[Scope] = tuple(Scope),
    earlier: Earlier = (),
) -> Applied:
    """Apply the rules of a policy to the candidate's forecasts.

    What was not shown of a group at an earlier attempt must now hold with more confidence. What
    does not pass is judged as at the first one: more attempts make it harder to pass, and never
    harder to be blocked.

    Parameters
    ----------
    predictions
        The prediction table, candidate and comparators; the candidate has rows.
    champion
        The version whose forecasts are those of the comparator `champion`; None where no other
        version is in service.
    missing
        The follow-up table, where the policy asks for it.
    scopes
        Which rules: on everyone, on groups, on pairs, on patterns.
    earlier
        Whom the other bundles were shown to serve that were audited before under the model name.
    """
    applied = _applied(predictions, policy, champion, scopes, missing)
    looks = [look_at(earlier, finding.axis, finding.group) for finding in applied.findings]
    findings_at: dict[int, tuple[Finding, ...]] = {1: applied.findings}
    for look in sorted({*looks} - {1}):
        asked = at_look(policy, look)
        found = _applied(predictions, asked, champion, scopes, missing).findings
        findings_at[look] = _with_confidence(found, asked)
    return replace(
        applied,
        findings=tuple(
            findings_at[look][n] if first.outcome is Outcome.PASS else first
            for n, (first, look) in enumerate(zip(applied.findings, looks, strict=True))
        ),
    )


def at_look(policy: Policy, look: int) -> Policy:
    """Return a policy with the confidence that a pass needs at a look."""
    rules = (
        rule.model_copy(update={"confidence": confidence_at(look, rule.confidence)})
        for rule in policy.rules
    )
    return policy.model_copy(update={"rules": tuple(rules)})


def _with_confidence(found: Iterable[Finding], policy: Policy) -> tuple[Finding, ...]:
    """Say with how much confidence the bounds of findings are."""
    confidence_of = {rule.name: rule.confidence for rule in policy.rules}
    return tuple(
        f if f.low is None else f.model_copy(update={"confidence": confidence_of.get(f.rule)})
        for f in found
    )


def _applied(
    predictions: pd.DataFrame,
    policy: Policy,
    champion: str | None,
    scopes: Sequence[Scope],
    missing: Missing | None,
) -> Applied:
    table = rows_of(predictions, CANDIDATE)
    attributes = by_attribute(table)
    pairs = intersections(attributes) if Scope.PAIRS in scopes else []
    groupings_of = {
        Scope.OVERALL: [everyone(table)],
        Scope.AXES: [grouping for grouping in attributes if not grouping.is_constant],
        Scope.PAIRS: pairs,
        Scope.PATTERNS: by_pattern(table) if Scope.PATTERNS in scopes else [],
    }
    without_evidence: list[Finding] = []
    evidence: list[Evidence] = []
    for scope in scopes:
        rules = [rule for rule in policy.rules if rule.scope is scope]
        # Nobody knows on which course those were whose outcome was lost.
        followed = None if scope is Scope.PATTERNS else missing
        alone = [rule for rule in rules if rule.statistic is not Statistic.AGAINST_COMPARATOR]
        if groupings_of[scope]:
            for rule in rules:
                if rule.statistic is Statistic.AGAINST_COMPARATOR:
                    found = _compared(
                        predictions, table, groupings_of[scope], rule, policy, champion, followed
                    )
                    evidence += found.evidence
                    without_evidence += found.findings
            evidence += in_groups(table, groupings_of[scope], alone, policy, followed)
            without_evidence += [
                not_judged(rule, NO_COLUMNS)
                for rule in alone
                if not available_measures(table, rule.metric)
            ]
        elif scope is Scope.PATTERNS:
            without_evidence += [not_judged(rule, NO_COLUMNS) for rule in rules]
    people = table[SUBJECT].nunique()
    without_evidence += [
        nothing_to_compare(grouping, people) for grouping in attributes if grouping.is_constant
    ]
    return Applied(
        attributes=tuple(attributes),
        pairs=tuple(pairs),
        evidence=tuple(evidence),
        findings=(
            *findings(evidence),
            *without_evidence,
            *(() if missing is None else loss_findings(missing, attributes)),
        ),
    )


def rows_of(predictions: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return one model's rows of a prediction table, with a new index."""
    return predictions[predictions[MODEL] == model].reset_index(drop=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """Evidence of a comparison, or the finding that there is none."""

    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()


def _compared(
    predictions: pd.DataFrame,
    table: pd.DataFrame,
    groupings: Sequence[Grouping],
    rule: Rule,
    policy: Policy,
    champion: str | None,
    missing: Missing | None,
) -> _Compared:
    if rule.comparator == CHAMPION and champion is None:
        return _Compared(findings=(no_champion(rule),))
    other, why = counterpart(predictions, table, rule)
    if other is None:
        return _Compared(findings=(not_judged(rule, why),))
    return _Compared(evidence=tuple(against(table, other, groupings, rule, policy, missing)))


def counterpart(
    predictions: pd.DataFrame, table: pd.DataFrame, rule: Rule
) -> tuple[pd.DataFrame | None, str]:
    """Return the comparator's rows in the candidate's order, or why there are none."""
    if not measures(table, rule):
        return None, NO_COLUMNS
    other = rows_of(predictions, str(rule.comparator))
    # `merge` keeps the order of the left keys: row n of both tables is the same forecast.
    joined = table[KEY].merge(other, on=KEY, how="inner", validate="one_to_one")
    # An older champion's table may not say who is clustered, and people are the same.
    clusters = [name for name in table.columns if str(name).startswith(CLUSTER)]
    if len(joined) < len(table):
        # Not how many: they may be of a few people.
        return None, f"not every forecast has a counterpart from {rule.comparator}"
    return joined.assign(**{name: table[name] for name in clusters}), ""
