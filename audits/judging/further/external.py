"""Findings on an external cohort, and on the questions that a ward would ask today.

An external cohort can show harm, and so hold back or block; what it has too few people to show
holds nothing back, because without it nothing would have been shown either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from audits.judging.findings import not_judged
from audits.judging.policy import Policy, Rule
from audits.judging.rules import apply_rules
from audits.judging.validation import breaks_contract, validate
from audits.measure.disparity import Scope
from audits.measure.metrics import Metric
from contracts.predictions import CANDIDATE, CHAMPION, MODEL
from contracts.verdict import EvidenceOf, ExternalValidation, Finding, Outcome, ShownInService

WHERE: dict[EvidenceOf, str] = {
    "external": "External cohort",
    "questions": "Asked on the newest day",
    "service": "Outcomes in service",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalTable:
    """An external validation with its rows.

    Parameters
    ----------
    validation
        What a verdict is bound to.
    forecasts, questions
        Of people whom the model was not trained on.
    """

    validation: ExternalValidation
    forecasts: pd.DataFrame
    questions: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherEvidence:
    """What is judged beside the forecasts of the training cohort.

    Parameters
    ----------
    questions
        What a ward would ask today (`contracts.predictions`); None in tables without them, where
        refusals are judged at the landmarks.
    external
        Forecasts of an external cohort.
    follow_up
        What became of the outcomes that were due (`contracts.predictions`); None in versions from
        before it was recorded.
    shown_in_service
        What outcomes in service have shown, as people laid it before the audit.
    """

    questions: pd.DataFrame | None = None
    external: ExternalTable | None = None
    follow_up: pd.DataFrame | None = None
    shown_in_service: tuple[ShownInService, ...] = ()

    def findings(self, policy: Policy) -> tuple[Finding, ...]:
        """Judge it."""
        return (
            *(() if self.questions is None else question_findings(self.questions, policy)),
            *(() if self.external is None else external_findings(self.external, policy)),
        )


NOTHING_FURTHER = FurtherEvidence()


def external_findings(table: ExternalTable, policy: Policy) -> tuple[Finding, ...]:
    """Judge an external cohort by the policy's rules on everyone and on groups.

    Nobody is compared with the champion, which forecast other people.
    """
    # The signed table was made by the bundle itself, so there are no folds to check; and of a few
    # people the chances of a good model separate those who reached a milestone by themselves.
    contract, *_ = validate(table.forecasts, least_error=policy.least_error)
    checks = [contract]
    if breaks_contract(checks):
        return _on("external", checks)
    kept = [rule for rule in policy.rules if rule.comparator != CHAMPION]
    if table.forecasts.empty:
        why = "the external cohort has nobody whom the model was not trained on"
        return _on("external", [not_judged(rule, why) for rule in kept])
    on_forecasts = _applied(table.forecasts, policy, [r for r in kept if not _of_questions(r)])
    on_questions = _applied(table.questions, policy, [r for r in kept if _of_questions(r)])
    return _on("external", [*checks, *on_forecasts, *on_questions])


def question_findings(questions: pd.DataFrame, policy: Policy) -> tuple[Finding, ...]:
    """Judge by the rules on refusals whom the service would refuse, were it asked today."""
    rules = [rule for rule in policy.rules if _of_questions(rule)]
    return _on("questions", _applied(questions, policy, rules))


def without_questions(policy: Policy) -> Policy:
    """Return a policy without the rules that are judged on questions."""
    rules = tuple(rule for rule in policy.rules if not _of_questions(rule))
    return policy.model_copy(update={"rules": rules})


def _of_questions(rule: Rule) -> bool:
    return rule.metric is Metric.REFUSAL_RATE


def _applied(table: pd.DataFrame, policy: Policy, rules: Sequence[Rule]) -> tuple[Finding, ...]:
    if table.empty or not rules:
        return ()
    rows = table if CANDIDATE in set(table[MODEL]) else table.assign(**{MODEL: CANDIDATE})
    of_rules = policy.model_copy(update={"rules": tuple(rules)})
    scopes = (Scope.OVERALL, Scope.AXES, Scope.PATTERNS)
    return apply_rules(rows, of_rules, champion=None, scopes=scopes).findings


def _on(evidence: EvidenceOf, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(
        finding.model_copy(
            update={
                "evidence": evidence,
                "reason": f"{WHERE[evidence]}: {finding.reason}",
                "binding": finding.binding
                and (evidence != "external" or finding.outcome is not Outcome.INSUFFICIENT),
            }
        )
        for finding in findings
    )
