"""Takes the numbers of hidden cells out of a report. What was found stays: only numbers go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from audits.disclosure.cells import Cell
from audits.disclosure.published import Pattern
from audits.disclosure.quantities import Quantity, ShownCells, quantity_of
from audits.judging.findings import COMPARISON
from audits.judging.performance import Performance
from audits.judging.policy import Policy
from audits.judging.sensitivity import LabelSensitivity
from audits.judging.validation import CHECK
from audits.judging.wording import group_in_words
from audits.measure.disparity import ALL_GROUPS, Statistic
from audits.measure.metrics import Metric
from contracts.groups import MINIMUM_SHOWN, is_few
from contracts.verdict import ExternalValidation, Finding, Outcome, Verdict

NO_NUMBER = (
    f"no number is shown: it would be about fewer than {MINIMUM_SHOWN} people, or let their number"
    " be worked out"
)
"""The same for both, as the difference would tell a reader which groups are the small ones."""

NO_NUMBERS: dict[str, Any] = dict.fromkeys(("subjects", "events", "value", "low", "high"))
"""The numbers of a finding or of a row of performance, all hidden."""

FOUND = {
    Outcome.PASS: "keeps the limit",
    Outcome.INSUFFICIENT: "too little evidence",
    Outcome.REVIEW: "probably beyond the limit",
    Outcome.BLOCKED: "beyond the limit",
}


def suppress_in_verdict(verdict: Verdict, pattern: Pattern, policy: Policy) -> Verdict:
    """Return a verdict without the numbers that must not be shown."""
    comparator_of = {rule.name: rule.comparator for rule in policy.rules}
    findings = tuple(
        finding if _may_be_shown(finding, pattern, comparator_of) else _without_numbers(finding)
        for finding in verdict.findings
    )
    in_scope = tuple(_of_scope(finding) for finding in verdict.scope_findings)
    return verdict.model_copy(update={"findings": findings, "scope_findings": in_scope})


def suppress_in_performance(
    rows: Iterable[Performance], pattern: Pattern
) -> tuple[Performance, ...]:
    """Return performance without the numbers that must not be shown."""
    return tuple(
        row
        if pattern.shows(
            quantity_of(Metric(row.metric), row.milestone),
            Cell(axis=row.axis, group=row.group, horizon_day=row.horizon_day),
        )
        else row.model_copy(update=NO_NUMBERS)
        for row in rows
    )


def suppress_in_sensitivity(
    rows: Iterable[LabelSensitivity], pattern: Pattern
) -> tuple[LabelSensitivity, ...]:
    """Return the sensitivity analysis without the groups that must not be shown."""
    return tuple(
        row
        for row in rows
        if pattern.shows_beside_rest(Quantity(), Cell(axis=row.axis, group=row.group))
    )


def _may_be_shown(
    finding: Finding, pattern: Pattern, comparator_of: Mapping[str, str | None]
) -> bool:
    holds_numbers = any((finding.subjects, finding.events, finding.value is not None))
    if not holds_numbers or finding.metric in {CHECK, COMPARISON}:
        # These two tell the number of everyone in the table, which the report states.
        return True
    quantity = _quantity(finding.metric, comparator_of.get(finding.rule))
    if quantity is None:
        return False
    if finding.group == ALL_GROUPS:
        return pattern.shows_all(quantity, finding.axis, finding.horizon_day)
    cell = Cell(axis=finding.axis, group=finding.group, horizon_day=finding.horizon_day)
    if finding.statistic in {Statistic.DIFFERENCE, Statistic.RATIO}:
        return pattern.shows_beside_rest(quantity, cell)
    return pattern.shows(quantity, cell)


def _quantity(measure: str, comparator: str | None) -> Quantity | None:
    """Return what a finding's measure, by its name, adds up over."""
    for metric in Metric:
        if measure == metric:
            return quantity_of(metric, None, comparator)
        if measure.startswith(f"{metric}: "):
            return quantity_of(metric, measure.removeprefix(f"{metric}: "), comparator)
    return None


def suppress_in_external(found: ExternalValidation) -> ExternalValidation:
    """Return an external validation without counts of fewer than 11 people.

    New people, those trained on and the others add up: with one hidden there is no total.
    """
    new, overlap, people = found.new or 0, found.overlap or 0, found.people or 0
    hidden = {is_few(part) for part in (new, overlap, people - new - overlap)}
    return found.model_copy(
        update={
            "people": None if True in hidden else people,
            "overlap": None if is_few(overlap) else overlap,
            "new": None if is_few(new) else new,
        }
    )


def without_external(found: ExternalValidation) -> ExternalValidation:
    """Return an external validation without any count."""
    return found.model_copy(update=dict.fromkeys(("people", "overlap", "new")))


def external_may_be_shown(finding: Finding, found: ExternalValidation) -> bool:
    """Return whether what was found on everyone of an external cohort may be shown with numbers.

    It counts those of the new people whom the service would answer: few must be left over, neither
    of those with a milestone nor of those without nor of those refused.
    """
    subjects, new = finding.subjects or 0, found.new or 0
    parts = [subjects, new - subjects]
    if finding.events is not None:
        parts += [finding.events, subjects - finding.events]
    # Nobody of many with a milestone is as telling as one.
    none_of_milestone = finding.events is not None and 0 in parts[2:]
    return not (any(map(is_few, parts)) or none_of_milestone)


def _of_scope(finding: Finding) -> Finding:
    """Return a finding on the people in scope without any number.

    Beside the finding on everyone, a number would show the people outside.
    """
    who = group_in_words(finding.axis, finding.group)
    return reason_only(finding, f"{who}, in scope: {finding.metric}: {finding.outcome}.")


def _without_numbers(finding: Finding) -> Finding:
    when = "" if finding.horizon_day is None else f", day {finding.horizon_day}"
    who = f"{group_in_words(finding.axis, finding.group)}{when}"
    return reason_only(finding, f"{who}: {finding.metric}: {FOUND[finding.outcome]}; {NO_NUMBER}.")


def reason_only(finding: Finding, reason: str) -> Finding:
    """Return a finding without any number, and with a reason that has none."""
    unknown = dict.fromkeys(("confidence", "p_value", "adjusted_p", "shortage"))
    hidden = {**NO_NUMBERS, **unknown, "reason": reason}
    return finding.model_copy(update=hidden)


def shown_by(verdict: Verdict, rows: Iterable[Performance], policy: Policy) -> ShownCells:
    """Return the cells of each quantity of which a report shows a number.

    Parameters
    ----------
    verdict, rows, policy
        Of the report, as readers see them.
    """
    comparator_of = {rule.name: rule.comparator for rule in policy.rules}
    shown: dict[Quantity, set[Cell]] = defaultdict(set)
    for row in rows:
        if row.subjects is not None:
            quantity = quantity_of(Metric(row.metric), row.milestone)
            cell = Cell(axis=row.axis, group=row.group, horizon_day=row.horizon_day)
            shown[quantity].add(cell)
    for finding in verdict.findings:
        of_group = bool(finding.subjects) and finding.group != ALL_GROUPS
        of_groups = finding.metric not in {CHECK, COMPARISON} and finding.evidence == "internal"
        found = _quantity(finding.metric, comparator_of.get(finding.rule))
        if of_group and of_groups and found is not None:
            cell = Cell(axis=finding.axis, group=finding.group, horizon_day=finding.horizon_day)
            shown[found].add(cell)
    return {quantity: frozenset(cells) for quantity, cells in shown.items()}
