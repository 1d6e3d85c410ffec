"""Judges a candidate's prediction table by a policy: the verdict, and each finding behind it.

The only input is a table of forecasts beside what happened; the model itself is never run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from audits.judging.decision import gravest
from audits.judging.findings import not_judged, not_recorded
from audits.judging.further.external import (
    NOTHING_FURTHER,
    FurtherEvidence,
    without_questions,
)
from audits.judging.further.service import with_service
from audits.judging.lost.findings import no_follow_up
from audits.judging.lost.missing import Missing, violations
from audits.judging.policy import Policy
from audits.judging.rules import Applied, apply_rules, rows_of
from audits.judging.scope import Candidates, candidates, held_back, is_for_everyone, within_scope
from audits.judging.validation import breaks_contract, validate
from audits.measure.disparity import Scope as RuleScope
from audits.measure.fairlearn_check import check_against_metric_frame
from audits.measure.groups import EVERYONE, by_attribute
from audits.measure.looks import Earlier
from audits.measure.prediction_table import KEY
from contracts.predictions import CANDIDATE, GROUP, SUBJECT
from contracts.scope import HeldBack, Scope
from contracts.verdict import GRAVITY, Finding, Outcome, Verdict
from contracts.vocabulary import NOT_RECORDED

TRAIN_AGAIN = "Train the version again with this version of rehabcast"


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
    follow_up_digest
        What became of the outcomes that were due; None where that was not recorded.
    champion, champion_predictions_digest
        The version in service, whose forecasts are the table's `champion`, and the prediction table
        that they came from; None where no other version is in service.
    earlier
        Whom the other bundles were shown to serve that were audited before under the model name.
    """

    model_version: str
    bundle_digest: str
    predictions_digest: str
    data_digest: str
    code_digest: str
    simulated: bool
    follow_up_digest: str | None = None
    champion: str | None = None
    champion_predictions_digest: str | None = None
    earlier: Earlier = ()


def judge(
    predictions: pd.DataFrame,
    policy: Policy,
    inputs: AuditInputs,
    further: FurtherEvidence = NOTHING_FURTHER,
) -> Verdict:
    """Judge the candidate's forecasts: whether, and for whom, every binding rule is kept.

    A table that breaks its contract is blocked and not scored.

    Parameters
    ----------
    predictions
        The prediction table (`contracts.predictions`), candidate and comparators.
    policy
        The rules.
    inputs
        What the verdict is bound to.
    further
        Questions, an external cohort, and what became of the outcomes that were due; without the
        last nothing passes where the policy asks what was lost.
    """
    checks = validate(predictions, least_error=policy.least_error)
    judged = (
        _Judged(outcome=gravest(checks), findings=tuple(checks))
        if breaks_contract(checks)
        else _judged(predictions, policy, inputs, checks, further)
    )
    return Verdict(
        model_version=inputs.model_version,
        bundle_digest=inputs.bundle_digest,
        predictions_digest=inputs.predictions_digest,
        policy_digest=policy.digest,
        data_digest=inputs.data_digest,
        code_digest=inputs.code_digest,
        follow_up_digest=inputs.follow_up_digest,
        champion=inputs.champion,
        champion_predictions_digest=inputs.champion_predictions_digest,
        external=None if further.external is None else further.external.validation,
        shown_in_service=further.shown_in_service,
        simulated=inputs.simulated,
        look=1 + len(inputs.earlier),
        outcome=judged.outcome,
        scope=judged.scope,
        held_back=judged.held_back,
        findings=judged.findings,
        scope_findings=judged.scope_findings,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What a verdict says, without what it is bound to."""

    outcome: Outcome
    findings: tuple[Finding, ...]
    scope: Scope | None = None
    scope_findings: tuple[Finding, ...] = ()
    held_back: HeldBack | None = None


def _judged(
    predictions: pd.DataFrame,
    policy: Policy,
    inputs: AuditInputs,
    checks: Sequence[Finding],
    further: FurtherEvidence,
) -> _Judged:
    table = rows_of(predictions, CANDIDATE)
    if table.empty:
        why = "there are no forecasts of the candidate"
        found = (*checks, *(not_judged(rule, why) for rule in policy.rules))
        return _Judged(outcome=gravest(found), findings=found)
    check_against_metric_frame(table, by_attribute(table), policy.thresholds)
    beside = further.findings(policy)
    if further.questions is not None:
        policy = without_questions(policy)
    missing, unfit = _missing(further.follow_up, table, policy)
    applied = apply_rules(
        predictions, policy, champion=inputs.champion, missing=missing, earlier=inputs.earlier
    )
    # Nobody can be served in spite of these, so no scope is looked for.
    of_the_table = (
        *checks, *_required(table, policy), *_nothing_varies(applied, policy), *unfit,
        *(finding for finding in beside if finding.axis == EVERYONE),
    )  # fmt: skip
    of_groups = (finding for finding in beside if finding.axis != EVERYONE)
    # Whoever is harmed elsewhere is out of scope here too.
    shown = with_service(applied.findings, further.shown_in_service)
    applied = replace(applied, findings=(*shown, *of_groups))
    found = (*of_the_table, *applied.findings)
    outcome = gravest(found)
    served = candidates(table, applied)
    for_everyone = (*of_the_table, *filter(is_for_everyone, applied.findings))
    if outcome is Outcome.BLOCKED or any(
        f.binding and f.outcome is not Outcome.PASS for f in for_everyone
    ):
        judged = _Judged(outcome=outcome, findings=found)
    elif outcome is Outcome.PASS and served.scope.is_everyone:
        judged = _Judged(outcome=outcome, findings=found, scope=served.scope)
    else:
        judged = _within(predictions, served, policy, inputs, found, missing)
    return replace(judged, held_back=held_back(served.scope, found, judged.scope_findings))


def _within(
    predictions: pd.DataFrame,
    served: Candidates,
    policy: Policy,
    inputs: AuditInputs,
    found: tuple[Finding, ...],
    missing: Missing | None,
) -> _Judged:
    """Judge once more among those who could be served."""
    without_scope = max(gravest(found), Outcome.INSUFFICIENT, key=GRAVITY.__getitem__)
    if served.scope.is_everyone or served.share < policy.scope.minimum_share:
        return _Judged(outcome=without_scope, findings=found)
    keys = rows_of(predictions, CANDIDATE).loc[served.inside_N, KEY]
    inside = apply_rules(
        predictions.merge(keys, on=KEY), policy, champion=inputs.champion,
        missing=None if missing is None else missing.inside(served.scope),
        scopes=(RuleScope.OVERALL, RuleScope.AXES, RuleScope.PATTERNS), earlier=inputs.earlier,
    ).findings  # fmt: skip
    outcome = within_scope(inside)
    if outcome is Outcome.PASS:
        return _Judged(
            outcome=Outcome.WITHIN_SCOPE, findings=found, scope=served.scope, scope_findings=inside
        )
    gravest_of_both = max(outcome, without_scope, key=GRAVITY.__getitem__)
    return _Judged(outcome=gravest_of_both, findings=found, scope_findings=inside)


def _missing(
    follow_up: pd.DataFrame | None, table: pd.DataFrame, policy: Policy
) -> tuple[Missing | None, list[Finding]]:
    """Return what was lost, where the policy asks; or the finding that nobody knows."""
    if policy.lost is None:
        return None, []
    if follow_up is None:
        return None, [no_follow_up("there is no table of the outcomes that were due", TRAIN_AGAIN)]
    if wrong := list(violations(follow_up, table)):
        why = f"the follow-up table is not sound ({'; '.join(wrong)})"
        return None, [no_follow_up(why, TRAIN_AGAIN)]
    if follow_up.empty:
        why = "for nobody is the time over in which an outcome can come"
        return None, [no_follow_up(why, "Train again on a cohort that was followed for longer")]
    return Missing.of(follow_up, policy.lost), []


def _required(table: pd.DataFrame, policy: Policy) -> list[Finding]:
    """Return a finding for each required attribute that is recorded of too few people."""
    return [
        not_recorded(each)
        for each in policy.required
        if recorded_share(table, each.attribute) < each.minimum_recorded
    ]


def recorded_share(table: pd.DataFrame, attribute: str) -> float:
    """Return the share of people of whom an attribute is recorded with every forecast."""
    if GROUP + attribute not in table.columns:
        return 0.0
    is_recorded_N = table[GROUP + attribute].astype(str) != NOT_RECORDED
    return float(is_recorded_N.groupby(table[SUBJECT]).all().mean())


def _nothing_varies(applied: Applied, policy: Policy) -> list[Finding]:
    """One attribute that does not vary is acceptable; an audit needs at least one that does."""
    if any(not grouping.is_constant for grouping in applied.attributes):
        return []
    why = "no attribute varies in this cohort"
    return [not_judged(rule, why) for rule in policy.rules if rule.scope is RuleScope.AXES]
